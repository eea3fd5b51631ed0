import math
from pathlib import Path

import pytest

from engine.backends.contract import AttemptEnd, ScriptedEnd
from engine.executor.control import Control
from tests.engine.conftest import Prompter, Stage, outcomes, outline

FAIL = ScriptedEnd(exit_code=1)
OK = ScriptedEnd()
LONG = ScriptedEnd(seconds=math.inf)


def test_a_plan_whose_steps_succeed_succeeds(stage: Stage) -> None:
    document = stage.play({"id": "a"}, {"id": "b", "depends_on": ["a"]})
    assert (document["state"], document["reason"], document["exit_code"]) == ("succeeded", None, 0)
    assert outline(document) == {"a": "completed", "b": "completed"}
    assert outcomes(document, "a") == ["ok"]
    assert document["started_at"] <= document["tasks"][0]["started_at"] <= document["ended_at"]


def test_every_move_of_a_plain_run_is_an_event(stage: Stage) -> None:
    run_id = stage.play({"id": "a"})["run_id"]
    assert stage.event_types(run_id) == [
        "run_created",
        "run_started",
        "step_queued",
        "step_started",
        "attempt_succeeded",
        "step_validating",
        "step_completed",
        "run_succeeded",
    ]


def test_a_failed_step_fails_only_what_depends_on_it(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"},
        {"id": "b", "depends_on": ["a"]},
        {"id": "c", "depends_on": ["b"]},
        {"id": "d"},
        script={"a": [FAIL]},
    )
    assert (document["state"], document["reason"], document["exit_code"]) == ("failed", "failed: a", 1)
    assert outline(document) == {
        "a": "failed(failed)",
        "b": "skipped(dependency_failed)",
        "c": "skipped(dependency_failed)",
        "d": "completed",
    }


def test_a_step_is_tried_again_as_often_as_it_may(stage: Stage) -> None:
    document = stage.play({"id": "a", "retries": 2}, script={"a": [FAIL, FAIL, OK]})
    assert outcomes(document, "a") == ["failed", "failed", "ok"]
    assert stage.tasks(document["run_id"])["a"].charged_count == 2


def test_a_step_fails_when_its_retries_are_used_up(stage: Stage) -> None:
    document = stage.play({"id": "a", "retries": 1}, script={"a": [FAIL]})
    assert outcomes(document, "a") == ["failed", "failed"]
    assert document["state"] == "failed"


def test_the_plan_says_how_often_its_steps_are_tried(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"}, {"id": "b", "retries": 0}, script={"a": [FAIL], "b": [FAIL]}, globals={"retries": 3}
    )
    assert (len(outcomes(document, "a")), len(outcomes(document, "b"))) == (4, 1)


def test_a_step_that_takes_too_long_ends_as_timeout(stage: Stage) -> None:
    document = stage.play({"id": "a", "timeout_seconds": 5, "retries": 1}, script={"a": [LONG, OK]})
    assert outcomes(document, "a") == ["timeout", "ok"]
    assert document["tasks"][0]["attempts"][0]["reason"] == "timeout"
    assert document["tasks"][0]["attempts"][0]["duration_seconds"] == 5


def test_a_missing_output_file_fails_the_check_and_is_tried_again(stage: Stage) -> None:
    made = ScriptedEnd(files={"dist/app": "x"})
    document = stage.play({"id": "a", "retries": 1, "outputs": ["dist/app"]}, script={"a": [OK, made]})
    assert outcomes(document, "a") == ["check_failed", "ok"]
    assert "dist/app" in document["tasks"][0]["attempts"][0]["message"]


def test_values_that_a_step_leaves_reach_those_that_use_them(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"},
        {"id": "b", "depends_on": ["a"], "when": "${a.version} == '1.2'"},
        {"id": "c", "depends_on": ["a"], "when": "${a.version} == '9'"},
        script={"a": [ScriptedEnd(values={"version": "1.2"})]},
    )
    assert document["tasks"][0]["outputs"] == {"version": "1.2"}
    assert outline(document) == {"a": "completed", "b": "completed", "c": "skipped(condition)"}


def test_a_condition_that_says_no_holds_nothing_up(stage: Stage) -> None:
    document = stage.play({"id": "a", "when": "1 == 2"}, {"id": "b", "depends_on": ["a"]})
    assert outline(document) == {"a": "skipped(condition)", "b": "completed"}
    assert document["state"] == "succeeded"


def test_a_value_that_no_step_left_is_the_plans_fault_and_not_tried_again(stage: Stage) -> None:
    document = stage.play({"id": "a"}, {"id": "b", "depends_on": ["a"], "retries": 5, "command": ["echo", "${a.none}"]})
    assert outline(document)["b"] == "failed(plan_error)"
    assert outcomes(document, "b") == []


def test_an_output_file_whose_name_cannot_be_fails_the_check(stage: Stage) -> None:
    document = stage.play({"id": "a", "outputs": ["${NAME}"]}, declared={"NAME": {"default": "x" * 5000}})
    assert outline(document) == {"a": "failed(check_failed)"}


def test_a_step_without_a_tool_to_do_it_fails(stage: Stage) -> None:
    document = stage.play({"id": "a", "tool": "nobody", "prompt": "do it", "retries": 3})
    assert outline(document) == {"a": "failed(no_tool)"}


def test_run_if_decides_what_a_failure_means(stage: Stage) -> None:
    document = stage.play(
        {"id": "good"},
        {"id": "bad", "critical": False},
        {"id": "on_failure", "depends_on": ["bad"], "run_if": "failure"},
        {"id": "needless", "depends_on": ["good"], "run_if": "failure"},
        {"id": "always", "depends_on": ["bad", "good"], "run_if": "always"},
        {"id": "after_needless", "depends_on": ["needless"]},
        script={"bad": [FAIL]},
    )
    assert outline(document) == {
        "good": "completed",
        "bad": "failed(failed)",
        "on_failure": "completed",
        "needless": "skipped(run_if)",
        "always": "completed",
        "after_needless": "completed",
    }
    assert document["state"] == "succeeded"


def test_a_step_that_is_not_critical_does_not_fail_the_run(stage: Stage) -> None:
    document = stage.play({"id": "a", "critical": False}, {"id": "b"}, script={"a": [FAIL]})
    assert outline(document) == {"a": "failed(failed)", "b": "completed"}
    assert document["state"] == "succeeded"


def test_fail_fast_gives_up_everything_that_needs_success(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"},
        {"id": "slow"},
        {"id": "b", "depends_on": ["slow"]},
        {"id": "report", "depends_on": ["a"], "run_if": "always"},
        script={"a": [ScriptedEnd(exit_code=1, seconds=1)], "slow": [LONG]},
        globals={"fail_fast": True},
        **{"finally": [{"id": "clean"}]},
    )
    assert outline(document) == {
        "a": "failed(failed)",
        "slow": "canceled(canceled)",
        "b": "skipped(fail_fast)",
        "report": "completed",
        "clean": "completed",
    }
    assert document["reason"] == "failed: a"


def test_fail_fast_ends_a_step_that_waits_for_its_next_attempt(stage: Stage) -> None:
    later = {"initial_seconds": 3600, "max_seconds": 3600}
    document = stage.play(
        {"id": "a"},
        {"id": "b", "retries": 3, "backoff": later},
        script={"a": [ScriptedEnd(exit_code=1, seconds=2)], "b": [FAIL]},
        globals={"fail_fast": True},
    )
    assert outline(document) == {"a": "failed(failed)", "b": "canceled(fail_fast)"}


def test_a_step_that_failed_in_the_same_moment_is_not_tried_again_after_fail_fast(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"}, {"id": "b", "retries": 3}, script={"a": [FAIL], "b": [FAIL]}, globals={"fail_fast": True}
    )
    assert outline(document) == {"a": "failed(failed)", "b": "failed(failed)"}
    assert outcomes(document, "b") == ["failed"]


@pytest.mark.parametrize("end", [OK, FAIL])
def test_finally_steps_run_after_everything_else_however_it_ended(stage: Stage, end: ScriptedEnd) -> None:
    document = stage.play(
        {"id": "a"}, {"id": "b", "depends_on": ["a"]}, script={"a": [end]}, **{"finally": [{"id": "clean"}]}
    )
    assert outline(document)["clean"] == "completed"
    assert stage.started(document["run_id"])[-1] == "clean"


def test_a_finally_step_that_fails_fails_the_run(stage: Stage) -> None:
    document = stage.play({"id": "a"}, script={"clean": [FAIL]}, **{"finally": [{"id": "clean"}]})
    assert (document["state"], document["reason"]) == ("failed", "failed: clean")


def test_the_more_important_step_goes_first(stage: Stage) -> None:
    document = stage.play(
        {"id": "a"}, {"id": "b", "priority": 5}, {"id": "c", "priority": 9}, globals={"max_concurrent_steps": 1}
    )
    assert stage.started(document["run_id"]) == ["c", "b", "a"]


def overlaps(stage: Stage, run_id: str) -> int:
    """How many attempts ran at once at most."""
    most = running = 0
    for event_type in stage.event_types(run_id):
        running += (event_type == "step_started") - (event_type in ("attempt_succeeded", "attempt_failed"))
        most = max(most, running)
    return most


def test_steps_with_a_common_lock_never_run_at_once(stage: Stage) -> None:
    steps = [{"id": f"s{number}", "locks": ["db"]} for number in range(4)]
    assert overlaps(stage, stage.play(*steps)["run_id"]) == 1


def test_steps_without_a_common_lock_run_at_once(stage: Stage) -> None:
    assert overlaps(stage, stage.play(*({"id": f"s{number}"} for number in range(4)))["run_id"]) == 4


def test_sequential_runs_one_step_at_a_time(stage: Stage) -> None:
    steps = [{"id": f"s{number}"} for number in range(4)]
    document = stage.play(*steps, globals={"orchestration_mode": "sequential"})
    assert overlaps(stage, document["run_id"]) == 1
    assert stage.started(document["run_id"]) == ["s0", "s1", "s2", "s3"]


def test_hybrid_runs_one_workstream_after_another(stage: Stage) -> None:
    steps = [{"id": f"{name}{number}", "workstream": name} for number in range(2) for name in "ab"]
    document = stage.play(*steps, globals={"orchestration_mode": "hybrid"})
    assert stage.started(document["run_id"]) == ["a0", "a1", "b0", "b1"]
    assert overlaps(stage, document["run_id"]) == 2


def test_loops_become_tasks_of_their_own(stage: Stage) -> None:
    document = stage.play(
        {"id": "f", "foreach": ["x", "y"], "command": ["echo", "${item}"]},
        {"id": "m", "matrix": {"os": ["l", "m"], "py": [1, 2]}, "command": ["echo", "${matrix.os}"]},
        {"id": "z", "depends_on": ["f", "m"]},
    )
    assert len(document["tasks"]) == 2 + 4 + 1
    assert len(document["tasks"][-1]["depends_on"]) == 6
    assert document["state"] == "succeeded"


def test_a_run_of_many_steps_ends(stage: Stage) -> None:
    steps = [{"id": f"s{number}", "depends_on": [f"s{number - 1}"] if number % 10 else []} for number in range(200)]
    assert set(outline(stage.play(*steps)).values()) == {"completed"}


def test_a_cancel_ends_what_runs_and_what_waits_but_not_the_final_steps(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]}, **{"finally": [{"id": "clean"}]})
    backend = Prompter({"a": [LONG]}, 4, lambda: control.ask("cancel", operator="me"))
    run = stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    assert (run.state, run.reason) == ("canceled", "canceled")
    assert stage.states(run_id) == {"a": "canceled(canceled)", "b": "canceled(canceled)", "clean": "completed"}
    assert stage.document(run_id)["exit_code"] == 130
    assert "run_canceling" in stage.event_types(run_id)


def test_a_second_cancel_ends_the_final_steps_too(stage: Stage, control: Control) -> None:
    def cancel_twice() -> None:
        control.ask("cancel")
        control.ask("cancel")

    run_id = stage.create({"id": "a"}, **{"finally": [{"id": "clean"}]})
    backend = Prompter({"a": [LONG]}, 4, cancel_twice)
    stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    assert stage.states(run_id) == {"a": "canceled(canceled)", "clean": "canceled(canceled)"}


def test_a_second_cancel_ends_a_final_step_that_runs(stage: Stage, control: Control) -> None:
    control.ask("cancel")
    run_id = stage.create({"id": "a"}, **{"finally": [{"id": "clean", "retries": 3}]})
    backend = Prompter({"clean": [LONG]}, 4, lambda: control.ask("cancel"))
    stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    assert stage.states(run_id)["clean"] == "canceled(canceled)"
    assert len(outcomes(stage.document(run_id), "clean")) == 1


def test_a_step_that_fails_while_it_is_being_canceled_is_not_tried_again(stage: Stage, control: Control) -> None:
    control.ask("cancel")
    run_id = stage.create({"id": "a", "retries": 3})
    stage.drive(run_id, {"a": [FAIL]}, control=control)
    assert stage.states(run_id) == {"a": "canceled(canceled)"}


def test_a_pause_lets_running_steps_finish_and_starts_nothing_more(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
    run = stage.orchestrator.execute_run(
        run_id, backend=Prompter({}, 4, lambda: control.ask("pause", operator="me")), control=control
    )
    assert (run.state, run.reason, run.pause_reason) == ("paused", "user", "user")
    assert stage.states(run_id) == {"a": "completed", "b": "queued"}
    document = stage.document(run_id)
    assert (document["exit_code"], document["available_actions"]) == (3, ["resume", "cancel"])
    assert document["tasks"][1]["waiting_for"] == "the run to be resumed"


def test_a_paused_run_goes_on_where_it_stood(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
    backend = Prompter({}, 4, lambda: control.ask("pause"))
    stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    document = stage.drive(run_id)
    assert (document["state"], document["pause_reason"]) == ("succeeded", None)
    assert stage.started(run_id) == ["a", "b"]
    assert "run_resumed" in stage.event_types(run_id)


def test_a_pause_that_has_not_come_about_can_be_taken_back(stage: Stage, control: Control) -> None:
    def pause_and_resume() -> None:
        control.ask("pause")
        control.ask("resume")

    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
    backend = Prompter({}, 4, pause_and_resume)
    assert stage.orchestrator.execute_run(run_id, backend=backend, control=control).state == "succeeded"
    told = [name for name in stage.event_types(run_id) if name in ("run_pausing", "run_resumed")]
    assert told == ["run_pausing", "run_resumed"]


def test_a_pause_waits_for_no_retry(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a", "retries": 1, "backoff": {"initial_seconds": 3600, "max_seconds": 3600}})
    backend = Prompter({"a": [FAIL]}, 4, lambda: control.ask("pause"))
    assert stage.orchestrator.execute_run(run_id, backend=backend, control=control).state == "paused"
    assert stage.states(run_id) == {"a": "retrying(failed)"}


def test_a_retry_that_waits_can_be_had_now(stage: Stage, control: Control) -> None:
    class Impatient(Prompter):
        """Asks for the retry once the first attempt has ended."""

        has_ended = False

        def wait(self, timeout: float | None) -> list[AttemptEnd]:
            if self.has_ended:
                control.ask("retry")
            ends = super().wait(timeout)
            self.has_ended = bool(ends)
            return ends

    run_id = stage.create({"id": "a", "retries": 1, "backoff": {"initial_seconds": 3600, "max_seconds": 3600}})
    backend = Impatient({"a": [FAIL, OK]}, 4, lambda: None)
    assert stage.orchestrator.execute_run(run_id, backend=backend, control=control).state == "succeeded"
    assert stage.started(run_id) == ["a", "a"]


def test_a_retry_that_waited_when_the_run_was_left_still_waits(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a", "retries": 1, "backoff": {"initial_seconds": 3600, "max_seconds": 3600}})
    backend = Prompter({"a": [FAIL]}, 4, lambda: control.ask("pause"))
    stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    control.ask("pause")
    assert stage.drive(run_id, control=control)["state"] == "paused"
    assert stage.started(run_id) == ["a"]


def test_a_step_may_use_a_folder_below(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    stage.play({"id": "a", "cwd": "sub"}, script={"a": [ScriptedEnd(files={"here": "x"})]})
    assert (tmp_path / "sub" / "here").exists()
