import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.backends.contract import ScriptedEnd
from engine.backends.scripted import ScriptedBackend
from engine.errors import RunOwned
from engine.executor.control import Control
from engine.ids import new_id
from engine.orchestrator import Orchestrator
from engine.process.survivors import end_survivors, find_survivors
from engine.store import queries
from engine.store.records import AttemptRecord
from tests.engine.conftest import Stage, outcomes, outline, wait_until

ROOT = Path(__file__).parents[2]
Interrupt = Callable[..., str]


@pytest.fixture
def interrupted(stage: Stage) -> Iterator[Interrupt]:
    """Executes a run in a process of its own and kills it when a file appears; answers the run's id."""
    begun: set[str] = set()

    def is_ready() -> bool:
        return (stage.folder / "ready").exists()

    def interrupt(*steps: dict[str, Any], until: Callable[[], bool] = is_ready, **plan: Any) -> str:
        document = {"version": "1.0", "plan_id": "p", "globals": {"isolation": "none"}, "steps": list(steps), **plan}
        (stage.folder / "plan.json").write_text(json.dumps(document))
        command = [sys.executable, "-m", "minipipe_tui", "run", "plan.json", "--no-ui"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(stage.folder)}
        with subprocess.Popen(command, cwd=stage.folder, env=environment, stderr=subprocess.DEVNULL) as owner:
            try:
                wait_until(lambda: until() or owner.poll() is not None, 20)
                assert owner.poll() is None, "it ended before it could be killed"
            finally:
                owner.kill()
        run_id: str = stage.orchestrator.database.list_runs()[0]["run_id"]
        begun.update(each.attempt_id for each in queries.attempts_of(stage.orchestrator.database, run_id))
        return run_id

    yield interrupt
    left = find_survivors(begun)
    end_survivors(begun, grace_seconds=0.0)
    assert left == []


def execute(stage: Stage, run_id: str) -> dict[str, Any]:
    stage.orchestrator.execute_run(run_id)
    return stage.document(run_id)


def test_an_interrupted_step_is_tried_again_and_a_finished_one_is_not(stage: Stage, interrupted: Interrupt) -> None:
    hang = "echo b >> count; test $MINIPIPE_ATTEMPT -gt 1 || { touch ready; exec sleep 60; }"
    run_id = interrupted(
        {"id": "a", "shell": "echo a >> count; echo v=1 >> $MINIPIPE_OUTPUT"},
        {"id": "b", "depends_on": ["a"], "shell": hang},
        {"id": "c", "depends_on": ["a", "b"], "shell": "echo c${a.v} >> count"},
    )
    assert [run.run_id for run in stage.orchestrator.interrupted_runs()] == [run_id]
    document = execute(stage, run_id)
    assert document["state"] == "succeeded"
    assert (stage.folder / "count").read_text().split() == ["a", "b", "b", "c1"]
    assert outcomes(document, "b") == ["orphaned", "ok"]
    assert stage.tasks(run_id)["b"].charged_count == 0
    assert stage.tasks(run_id)["b"].orphaned_count == 1
    orphan = document["tasks"][1]["attempts"][0]
    assert (orphan["state"], orphan["reason"]) == ("failed", "orphaned")
    assert "run_recovered" in stage.event_types(run_id)
    assert stage.orchestrator.interrupted_runs() == []


@pytest.mark.parametrize(
    "hidden",
    [
        "sleep 61",
        "setsid sleep 61 >/dev/null 2>&1 & (setsid sh -c '(sleep 61 &)' &) ; sleep 61",
        "env -i setsid sh -c 'trap \"\" TERM; (sleep 61 &); sleep 61' & sleep 61",
    ],
    ids=["plain", "forked twice", "scrubbed"],
)
def test_what_a_dead_owner_left_running_is_ended_before_the_step_runs_again(
    stage: Stage, interrupted: Interrupt, hidden: str
) -> None:
    first = f"touch ready; {hidden}"
    run_id = interrupted({"id": "a", "shell": f"test $MINIPIPE_ATTEMPT -gt 1 || {{ {first}; }}"})
    orphans = {attempt.attempt_id for attempt in queries.attempts_of(stage.orchestrator.database, run_id)}
    assert find_survivors(orphans)
    assert execute(stage, run_id)["state"] == "succeeded"
    assert find_survivors(orphans) == []


def test_an_interrupted_attempt_costs_no_retry(stage: Stage, interrupted: Interrupt) -> None:
    script = "case $MINIPIPE_ATTEMPT in 1) touch ready; exec sleep 60;; 2) exit 1;; esac"
    run_id = interrupted({"id": "a", "shell": script, "retries": 1, "backoff": {"initial_seconds": 0}})
    assert outcomes(execute(stage, run_id), "a") == ["orphaned", "failed", "ok"]


def test_a_run_killed_while_it_was_canceled_goes_on_canceling(stage: Stage, interrupted: Interrupt) -> None:
    def is_canceling() -> bool:
        return [row["reason"] for row in stage.orchestrator.database.list_runs()] == ["canceling"]

    hang = "trap '' TERM; kill -TERM $PPID; while :; do sleep 0.05; done"
    final = {"id": "clean", "shell": "touch cleaned"}
    run_id = interrupted({"id": "a", "shell": hang}, until=is_canceling, **{"finally": [final]})
    document = execute(stage, run_id)
    assert document["state"] == "canceled"
    assert outline(document) == {"a": "canceled(canceled)", "clean": "completed"}
    assert (stage.folder / "cleaned").exists()


@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_run_killed_anywhere_does_every_step_exactly_as_often_as_it_says(
    stage: Stage, interrupted: Interrupt, place: int
) -> None:
    steps = [
        {"id": f"s{number}", "depends_on": [f"s{number - 1}"] if number else [], "shell": f"echo s{number} >> count"}
        for number in range(6)
    ]
    # The kill comes as soon as the file is there, wherever the owner is by then.
    steps[place]["shell"] = f"{steps[place]['shell']}; touch ready; sleep 0.0{place}"
    steps.append({"id": "last", "depends_on": ["s5"], "shell": "while test -e hold; do sleep 0.02; done"})
    (stage.folder / "hold").touch()
    run_id = interrupted(*steps)
    (stage.folder / "hold").unlink()
    document = execute(stage, run_id)
    assert document["state"] == "succeeded"
    done = (stage.folder / "count").read_text().split()
    for task in document["tasks"][:6]:
        attempts = [attempt["outcome"] for attempt in task["attempts"]]
        assert attempts[-1] == "ok"
        assert attempts.count("ok") == 1
        assert 1 <= done.count(task["step_id"]) <= len(attempts)


# -- without a process: what a crash leaves behind is written down by hand


def crash(stage: Stage, run_id: str, *step_ids: str) -> None:
    """Leave these steps as a killed owner would: started, and nobody there."""
    journal = stage.orchestrator.journal
    run = queries.find_run(journal.database, run_id)
    assert run is not None
    with journal.group():
        if run.state == "pending":
            journal.move(run, "running", trigger="execute", owner_pid=1, started_at=journal.now())
        for step_id in step_ids:
            task = stage.tasks(run_id)[step_id]
            number = task.attempt_count + 1
            attempt = AttemptRecord(
                new_id("attempt"), run_id, task.task_id, step_id, number, "command", "log", journal.now()
            )
            journal.add(attempt)
            queued = task if task.state == "queued" else journal.move(task, "queued", trigger="test")
            journal.move(queued, "running", trigger="test", attempt_count=number)


def test_a_step_whose_owner_dies_again_and_again_is_given_up(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b"})
    limit = queries.find_run(stage.orchestrator.database, run_id).settings["crash_loop_limit"]  # type: ignore[union-attr]
    crash(stage, run_id, "a")
    (task,) = [task for task in stage.tasks(run_id).values() if task.step_id == "a"]
    stage.orchestrator.journal.amend(task, orphaned_count=limit)
    document = stage.drive(run_id)
    assert outline(document) == {"a": "failed(crash_loop)", "b": "completed"}
    assert document["state"] == "failed"


def test_fail_fast_holds_across_a_crash(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b"}, {"id": "c"}, globals={"fail_fast": True})
    crash(stage, run_id, "a", "b")
    journal = stage.orchestrator.journal
    attempt = queries.attempts_of(journal.database, run_id)[0]
    with journal.group():
        journal.move(attempt, "failed", trigger="exit", outcome="failed")
        journal.move(stage.tasks(run_id)["a"], "failed", trigger="exit", reason="failed")
    document = stage.drive(run_id)
    assert outline(document) == {"a": "failed(failed)", "b": "canceled(fail_fast)", "c": "skipped(fail_fast)"}
    assert document["state"] == "failed"


def test_a_pause_that_had_not_come_about_is_over_with_its_owner(stage: Stage) -> None:
    run_id = stage.create({"id": "a"})
    crash(stage, run_id, "a")
    run = queries.find_run(stage.orchestrator.database, run_id)
    assert run is not None
    stage.orchestrator.journal.amend(run, reason="pausing")
    document = stage.drive(run_id)
    assert (document["state"], document["reason"]) == ("succeeded", None)


def test_a_cancellation_that_had_begun_goes_on(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]}, **{"finally": [{"id": "clean"}]})
    crash(stage, run_id, "a")
    run = queries.find_run(stage.orchestrator.database, run_id)
    assert run is not None
    stage.orchestrator.journal.amend(run, reason="canceling")
    document = stage.drive(run_id)
    assert document["state"] == "canceled"
    assert outline(document) == {"a": "canceled(canceled)", "b": "canceled(canceled)", "clean": "completed"}


def test_a_final_step_that_was_interrupted_runs_again(stage: Stage) -> None:
    run_id = stage.create({"id": "a", "when": "1 == 2"}, **{"finally": [{"id": "clean"}]})
    crash(stage, run_id)
    journal = stage.orchestrator.journal
    journal.move(stage.tasks(run_id)["a"], "skipped", trigger="when", reason="condition")
    crash(stage, run_id, "clean")
    document = stage.drive(run_id)
    assert outline(document) == {"a": "skipped(condition)", "clean": "completed"}
    assert outcomes(document, "clean") == ["orphaned", "ok"]


def test_a_workstream_goes_on_after_a_crash(stage: Stage) -> None:
    run_id = stage.create({"id": "a", "workstream": "w"}, {"id": "b", "workstream": "w"})
    crash(stage, run_id)
    stage.drive(run_id, {"b": [ScriptedEnd(seconds=2)]})
    assert stage.workstreams(run_id) == {"w": "completed"}


def test_an_interrupted_run_can_be_given_up_by_hand(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b"})
    crash(stage, run_id, "a")
    stage.orchestrator.complete_run(run_id, state="failed", reason="enough")
    document = stage.document(run_id)
    assert outcomes(document, "a") == ["orphaned"]
    assert outline(document) == {"a": "canceled(canceled)", "b": "canceled(canceled)"}


def test_of_two_takers_one_gets_the_run(stage: Stage) -> None:
    run_id = stage.create({"id": "a"})
    crash(stage, run_id, "a")
    results: list[str] = []
    start, control = threading.Barrier(2), Control()

    class Patient(ScriptedBackend):
        """Ends nothing before both have tried."""

        def wait(self, timeout: float | None) -> list[Any]:
            wait_until(lambda: "owned" in results)
            return super().wait(timeout)

    def take() -> None:
        with Orchestrator(stage.orchestrator.database.path) as taker:
            start.wait(10)
            try:
                results.append(taker.execute_run(run_id, backend=Patient({}, 1)).state)
            except RunOwned:
                results.append("owned")

    takers = [threading.Thread(target=take) for _ in range(2)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(20)
    control.close()
    assert sorted(results) == ["owned", "succeeded"]
    assert outcomes(stage.document(run_id), "a") == ["orphaned", "ok"]
