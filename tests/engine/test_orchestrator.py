import math
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.backends.contract import ScriptedEnd
from engine.clock import monotonic, utc_now
from engine.errors import ActionRefused, EnvironmentUnfit, InvalidTransition, NotFound, PlanError, RunOwned, UserError
from engine.events.follow import POLL_INTERVAL_SECONDS
from engine.executor.control import Control
from engine.ids import new_id
from engine.orchestrator import Orchestrator
from engine.ownership import claim
from engine.store import queries
from engine.store.documents import run_document
from engine.store.records import CommandRecord
from engine.workspace import Workspace
from tests.engine.conftest import Prompter, Stage, outcomes, outline, wait_until

FAIL = ScriptedEnd(exit_code=1)
LONG = ScriptedEnd(seconds=math.inf)
WAITS = {"shell": "until test -e go; do sleep 0.02; done"}

RUN_KEYS = {
    "run_id", "plan_id", "state", "exit_code", "created_at", "started_at", "ended_at", "diff_stats", "tasks", "patches",
    "available_actions",
}  # fmt: skip
TASK_KEYS = {"task_id", "step_id", "state", "reason", "attempts", "diff_stats"}
ATTEMPT_KEYS = {
    "attempt_id", "number", "state", "tool_id", "exit_code", "outcome", "duration_seconds", "log_path", "reason",
    "patch_id", "session_id", "diff_stats", "started_at", "ended_at",
}  # fmt: skip


@pytest.fixture
def elsewhere(stage: Stage) -> Iterator[Orchestrator]:
    """Another process's orchestrator on the same store, as far as a thread can be one."""
    with Orchestrator(stage.orchestrator.database.path) as other:
        yield other


@contextmanager
def running(stage: Stage, run_id: str, step_id: str, **how: Any) -> Iterator[Control]:
    """The run, executed by a thread of its own, once a step of it runs; canceled at the end if it still goes on."""
    control = Control()
    thread = threading.Thread(target=stage.orchestrator.execute_run, args=(run_id,), kwargs={"control": control, **how})
    thread.start()
    try:
        wait_until(lambda: stage.tasks(run_id)[step_id].state == "running")
        yield control
    finally:
        if thread.is_alive():
            control.ask("cancel")
        thread.join(15)
        control.close()
    assert not thread.is_alive()


# -- making


def test_a_new_run_is_pending_with_all_its_tasks(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]})
    document = stage.document(run_id)
    assert (document["state"], document["exit_code"], document["started_at"]) == ("pending", None, None)
    assert outline(document) == {"a": "pending", "b": "pending"}
    assert document["tasks"][1]["waiting_for"] == "a"


def test_a_run_keeps_its_plan_when_the_file_changes(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(
        '{"version":"1.0","plan_id":"p","globals":{"isolation":"none"},"steps":[{"id":"a","shell":"true"}]}'
    )
    run_id = stage.orchestrator.create_run(path)
    path.write_text("nonsense")
    assert stage.drive(run_id)["state"] == "succeeded"
    assert stage.document(run_id)["plan_path"] == str(path)


def test_isolated_steps_need_a_repository(stage: Stage) -> None:
    with pytest.raises(EnvironmentUnfit, match="not in a git repository"):
        stage.create({"id": "a"}, globals={"isolation": "step"})


def test_a_missing_variable_makes_no_run(stage: Stage) -> None:
    with pytest.raises(PlanError):
        stage.create({"id": "a"}, declared={"X": {"required": True}})
    assert stage.orchestrator.database.list_runs() == []


# -- real processes


def test_a_run_of_real_processes_succeeds(stage: Stage, tmp_path: Path) -> None:
    document = stage.perform(
        {"id": "a", "shell": "echo hello; echo version=1.2 >> $MINIPIPE_OUTPUT"},
        {"id": "b", "depends_on": ["a"], "command": ["sh", "-c", 'echo "$1" > command', "sh", "v${a.version}"]},
        {"id": "c", "depends_on": ["a"], "shell": "echo v${a.version} > shell"},
    )
    assert document["state"] == "succeeded", document
    assert (tmp_path / "command").read_text() == (tmp_path / "shell").read_text() == "v1.2\n"
    assert Path(document["tasks"][0]["attempts"][0]["log_path"]).read_text() == "hello\n"


def test_a_value_never_becomes_shell_code(stage: Stage, tmp_path: Path) -> None:
    document = stage.perform(
        {"id": "a", "command": ["sh", "-c", "echo 'v=$(touch pwned); touch pwned' >> $MINIPIPE_OUTPUT"]},
        {"id": "b", "depends_on": ["a"], "shell": "echo ${a.v} > out"},
    )
    assert document["state"] == "succeeded"
    assert (tmp_path / "out").read_text() == "$(touch pwned); touch pwned\n"
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "leaving",
    [
        "echo nonsense",
        "printf '\\377'",
        "head -c 70000 /dev/zero",
        "rm -f $MINIPIPE_OUTPUT; mkdir $MINIPIPE_OUTPUT; true",
    ],
)
def test_values_that_cannot_be_read_fail_the_check(stage: Stage, leaving: str) -> None:
    document = stage.perform({"id": "a", "shell": f"{leaving} >> $MINIPIPE_OUTPUT; exit 0"})
    assert outline(document) == {"a": "failed(check_failed)"}
    assert "$MINIPIPE_OUTPUT" in document["tasks"][0]["attempts"][0]["message"]


@pytest.mark.parametrize("leaving", ["mkfifo $MINIPIPE_OUTPUT", "ln -s /dev/zero $MINIPIPE_OUTPUT"])
def test_something_else_in_place_of_the_values_stops_nobody(stage: Stage, leaving: str) -> None:
    assert outline(stage.perform({"id": "a", "shell": leaving})) == {"a": "failed(check_failed)"}


def test_a_program_that_is_not_there_is_never_tried_again(stage: Stage) -> None:
    document = stage.perform({"id": "a", "command": ["no-such-program-here"], "retries": 3})
    assert outline(document) == {"a": "failed(no_tool)"}
    assert outcomes(document, "a") == ["no_tool"]


def test_an_exit_code_is_kept_and_tried_again(stage: Stage) -> None:
    document = stage.perform({"id": "a", "shell": "test $MINIPIPE_ATTEMPT = 2 || exit 7", "retries": 1})
    (first, second) = document["tasks"][0]["attempts"]
    assert (first["exit_code"], first["outcome"], first["state"]) == (7, "failed", "failed")
    assert (second["exit_code"], second["outcome"], second["state"]) == (0, "ok", "succeeded")


def test_a_real_step_that_takes_too_long_is_ended(stage: Stage) -> None:
    document = stage.perform({"id": "a", "command": ["sleep", "60"], "timeout_seconds": 0.1})
    assert outline(document) == {"a": "failed(timeout)"}


# -- documents


def test_a_runs_document_has_the_promised_keys(stage: Stage) -> None:
    document = stage.perform({"id": "a"})
    assert document.keys() >= RUN_KEYS
    assert document["tasks"][0].keys() >= TASK_KEYS
    assert document["tasks"][0]["attempts"][0].keys() >= ATTEMPT_KEYS


def test_a_document_of_a_run_that_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(NotFound):
        run_document(stage.orchestrator.database, "run_nothing")


# -- secrets


def test_a_secret_reaches_no_file_of_ours(stage: Stage, tmp_path: Path) -> None:
    secret = "hunter2-is-my-secret"
    (tmp_path / "step.sh").write_text(
        'echo "got $1"; echo "token=$1" >> $MINIPIPE_OUTPUT; echo "bad $1" > "$2"; exit $3\n'
    )
    run_id = stage.create(
        {"id": "a", "command": ["sh", "step.sh", "${TOKEN}", "/dev/null", "0"]},
        {"id": "b", "command": ["no-such-${TOKEN}"]},
        {"id": "c", "shell": "echo ${TOKEN}; exit 1", "env": {"T": "${TOKEN}"}},
        declared={"TOKEN": {"required": True, "secret": True}},
        variables={"TOKEN": secret},
    )
    stage.orchestrator.execute_run(run_id, variables={"TOKEN": secret})
    assert stage.document(run_id)["variables"] == {"TOKEN": "***"}
    assert stage.tasks(run_id)["a"].outputs == {"token": "***"}
    stage.orchestrator.database.backup()
    files = [path for path in (tmp_path / ".minipipe").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []


# -- executing


def test_a_run_that_has_ended_is_left_as_it_is(stage: Stage) -> None:
    document = stage.play({"id": "a"})
    before = queries.last_event_seq(stage.orchestrator.database)
    assert stage.drive(document["run_id"]) == document
    assert queries.last_event_seq(stage.orchestrator.database) == before


@pytest.mark.parametrize("run_id", ["run_nothing", "../../evil", ""])
def test_an_unknown_run_is_not_found_and_leaves_no_trace(stage: Stage, tmp_path: Path, run_id: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NotFound):
        stage.orchestrator.execute_run(run_id)
    for act in (stage.orchestrator.pause_run, stage.orchestrator.resume_run, stage.orchestrator.cancel_run):
        assert act(run_id) is False
    assert stage.orchestrator.start_run(run_id) is False
    assert stage.orchestrator.complete_run(run_id) is False
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_has_one_owner(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS})
    with running(stage, run_id, "a"), pytest.raises(RunOwned) as caught:
        elsewhere.execute_run(run_id)
    assert f"process {os.getpid()}" in caught.value.message


def test_a_run_goes_on_where_it_began_wherever_one_stands(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    state = tmp_path / ".minipipe"
    with Orchestrator(state / "state.db", workspace=Workspace(tmp_path / "linked", state)) as there:
        run_id = there.create_run(
            {
                "version": "1.0",
                "plan_id": "p",
                "globals": {"isolation": "none"},
                "steps": [{"id": "a", "shell": "pwd > here"}],
            }
        )
    stage.orchestrator.execute_run(run_id)
    assert (tmp_path / "linked" / "here").read_text() == f"{tmp_path / 'linked'}\n"


def test_starting_a_run_is_no_recovery(stage: Stage) -> None:
    run_id = stage.create({"id": "a"})
    assert stage.orchestrator.start_run(run_id)
    assert stage.drive(run_id)["state"] == "succeeded"
    assert "run_recovered" not in stage.event_types(run_id)


# -- steering from elsewhere


def test_a_pause_from_elsewhere_is_done_and_answered(stage: Stage, elsewhere: Orchestrator, tmp_path: Path) -> None:
    run_id = stage.create({"id": "a", **WAITS}, {"id": "b", "depends_on": ["a"]})
    with running(stage, run_id, "a"):
        assert elsewhere.pause_run(run_id, operator="me")
        (tmp_path / "go").touch()
        wait_until(lambda: stage.document(run_id)["state"] == "paused")
    assert stage.states(run_id) == {"a": "completed", "b": "queued"}
    assert stage.document(run_id)["tasks"][1]["waiting_for"] == "the run to be resumed"
    ((state, operator),) = elsewhere.database.rows("SELECT state, operator FROM commands")
    assert (state, operator) == ("done", "me")


def test_a_resume_from_elsewhere_goes_on(stage: Stage, elsewhere: Orchestrator, tmp_path: Path) -> None:
    run_id = stage.create({"id": "a", **WAITS}, {"id": "b", "depends_on": ["a"]})
    with running(stage, run_id, "a", stays_when_paused=True):
        elsewhere.pause_run(run_id)
        (tmp_path / "go").touch()
        wait_until(lambda: stage.document(run_id)["state"] == "paused")
        assert elsewhere.resume_run(run_id)
        wait_until(lambda: stage.document(run_id)["state"] == "succeeded")


def test_what_makes_no_sense_is_refused_with_the_owners_words(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS})
    with running(stage, run_id, "a"):
        with pytest.raises(ActionRefused, match="it is not paused"):
            elsewhere.resume_run(run_id)
        assert elsewhere.ask(run_id, "retry").state == "refused"
    assert "command_refused" in stage.event_types(run_id)


def test_a_cancel_from_elsewhere_ends_the_run(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS}, **{"finally": [{"id": "clean"}]})
    with running(stage, run_id, "a"):
        assert elsewhere.cancel_run(run_id, operator="me")
        wait_until(lambda: stage.document(run_id)["state"] == "canceled")
    assert stage.states(run_id) == {"a": "canceled(canceled)", "clean": "completed"}


def test_a_second_cancel_from_elsewhere_ends_the_final_steps(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS}, **{"finally": [{"id": "clean", **WAITS}]})
    with running(stage, run_id, "a"):
        assert elsewhere.cancel_run(run_id)
        wait_until(lambda: stage.tasks(run_id)["clean"].state == "running")
        assert elsewhere.cancel_run(run_id)
        wait_until(lambda: stage.document(run_id)["state"] == "canceled")
    assert stage.states(run_id)["clean"] == "canceled(canceled)"


def test_a_verb_from_the_future_is_refused(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS})
    with running(stage, run_id, "a"):
        answer = elsewhere.ask(run_id, "teleport")  # type: ignore[arg-type]
    assert answer.state == "refused"
    assert "teleport" in (answer.message or "")


def test_a_request_is_answered_at_once_and_not_at_the_next_poll(stage: Stage, elsewhere: Orchestrator) -> None:
    run_id = stage.create({"id": "a", **WAITS})
    with running(stage, run_id, "a"):
        began = monotonic()
        elsewhere.ask(run_id, "retry")
        assert monotonic() - began < POLL_INTERVAL_SECONDS / 2


def stale_command(stage: Stage, run_id: str, verb: str) -> str:
    command = CommandRecord(new_id("command"), run_id, verb, utc_now())
    stage.orchestrator.journal.add(command)
    return command.command_id


@pytest.mark.parametrize("verb", ["pause", "cancel", "resume"])
def test_what_was_asked_of_an_earlier_owner_does_not_hit_the_next(stage: Stage, verb: str) -> None:
    run_id = stage.create({"id": "a"})
    command_id = stale_command(stage, run_id, verb)
    assert stage.drive(run_id)["state"] == "succeeded"
    command = queries.find_command(stage.orchestrator.database, command_id)
    assert command is not None
    assert command.state == "refused"


def test_a_request_that_no_owner_hears_is_withdrawn(stage: Stage) -> None:
    run_id = stage.create({"id": "a"})
    assert stage.orchestrator.ask(run_id, "pause").state == "refused"
    assert queries.pending_commands(stage.orchestrator.database, run_id) == []


# -- steering a run that nobody runs


def test_a_pending_run_can_be_canceled_with_everything_in_it(stage: Stage) -> None:
    run_id = stage.create({"id": "a", "workstream": "w"}, {"id": "b"}, **{"finally": [{"id": "clean"}]})
    assert stage.orchestrator.cancel_run(run_id, operator="me")
    assert set(stage.states(run_id).values()) == {"canceled(canceled)"}
    assert stage.document(run_id)["state"] == "canceled"
    assert stage.workstreams(run_id) == {"w": "canceled"}


def test_a_paused_run_that_nobody_runs_is_canceled_with_its_final_steps(stage: Stage, control: Control) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "depends_on": ["a"]}, **{"finally": [{"id": "clean"}]})
    backend = Prompter({}, 4, lambda: control.ask("pause"))
    stage.orchestrator.execute_run(run_id, backend=backend, control=control)
    assert stage.orchestrator.cancel_run(run_id)
    assert stage.states(run_id) == {"a": "completed", "b": "canceled(canceled)", "clean": "completed"}


@pytest.mark.parametrize("act", ["pause_run", "resume_run", "cancel_run", "start_run", "complete_run"])
def test_an_ended_run_refuses_everything(stage: Stage, act: str) -> None:
    run_id = stage.play({"id": "a"})["run_id"]
    with pytest.raises(InvalidTransition):
        getattr(stage.orchestrator, act)(run_id)


def test_a_run_can_be_completed_by_hand_only_if_nothing_critical_is_open(stage: Stage) -> None:
    run_id = stage.create({"id": "a"}, {"id": "b", "critical": False})
    stage.orchestrator.start_run(run_id)
    with pytest.raises(ActionRefused, match="a did not succeed"):
        stage.orchestrator.complete_run(run_id)
    assert stage.orchestrator.complete_run(run_id, state="failed", reason="given up")
    document = stage.document(run_id)
    assert (document["state"], document["reason"]) == ("failed", "given up")
    assert outline(document) == {"a": "canceled(canceled)", "b": "canceled(canceled)"}


@pytest.mark.parametrize("state", ["succeeded", "bogus"])
def test_completing_by_a_move_that_the_table_does_not_list_is_an_invalid_transition(stage: Stage, state: str) -> None:
    run_id = stage.create({"id": "a"})
    with pytest.raises(InvalidTransition):
        stage.orchestrator.complete_run(run_id, state=state)


def test_a_run_is_completed_only_by_an_end(stage: Stage) -> None:
    run_id = stage.create({"id": "a"})
    with pytest.raises(ActionRefused, match="running is not an end"):
        stage.orchestrator.complete_run(run_id, state="running")
    assert stage.states(run_id) == {"a": "pending"}


def test_small_differences_between_runs_do_not_change_the_order(stage: Stage) -> None:
    steps = ({"id": "a"}, {"id": "b"}, {"id": "c"})
    first = {"a": [ScriptedEnd(seconds=0.001)], "b": [ScriptedEnd(seconds=0.003)], "c": [ScriptedEnd(seconds=0.002)]}
    stage.play(*steps, script=first)
    run_id = stage.create(*steps)
    stage.drive(run_id, slots=1)
    assert stage.started(run_id) == ["a", "b", "c"]


def test_a_store_that_is_opened_by_its_path_alone_belongs_to_the_repository_around_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    git = ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    with Orchestrator(tmp_path / ".minipipe" / "state.db") as orchestrator:
        run_id = orchestrator.create_run(
            {"version": "1.0", "plan_id": "p", "steps": [{"id": "a", "command": ["true"]}]}
        )
        assert orchestrator.execute_run(run_id).state == "succeeded"
    assert (tmp_path / ".minipipe").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".minipipe" / ".gitignore").read_text() == "*\n"


def test_a_run_goes_on_with_the_values_that_it_was_made_with(stage: Stage) -> None:
    run_id = stage.create({"id": "a", "foreach": "${N}"}, declared={"N": {"default": "x,y"}})
    with pytest.raises(UserError, match="N is 'x,y' in this run"):
        stage.orchestrator.execute_run(run_id, variables={"N": "x,y,z"})
    assert stage.document(run_id)["state"] == "pending"
    assert stage.orchestrator.execute_run(run_id, variables={"N": "x,y"}).state == "succeeded"


# -- trying a run again


def test_a_retried_run_carries_over_what_was_completed(stage: Stage) -> None:
    steps: list[dict[str, Any]] = [{"id": "a"}, {"id": "b", "depends_on": ["a"], "command": ["echo", "${a.v}"]}]
    script = {"a": [ScriptedEnd(values={"v": "1"})], "b": [FAIL]}
    old = stage.play(*steps, script=script, **{"finally": [{"id": "clean"}]})
    run_id = stage.orchestrator.retry_run(old["run_id"])
    document = stage.drive(run_id)
    assert (document["state"], document["retry_of"]) == ("succeeded", old["run_id"])
    assert outline(document) == {"a": "skipped(carried)", "b": "completed", "clean": "completed"}
    assert stage.tasks(run_id)["a"].outputs == {"v": "1"}
    assert stage.started(run_id) == ["b", "clean"]


def test_a_condition_is_decided_anew_in_a_retried_run(stage: Stage) -> None:
    steps: list[dict[str, Any]] = [{"id": "a", "when": "${WITH_A} == 1"}, {"id": "b"}]
    old = stage.play(*steps, declared={"WITH_A": {"default": 0}}, script={"b": [FAIL]})
    document = stage.drive(stage.orchestrator.retry_run(old["run_id"], variables={"WITH_A": "1"}))
    assert outline(document) == {"a": "completed", "b": "completed"}


def test_a_workstream_that_was_done_before_is_skipped_in_a_retried_run(stage: Stage) -> None:
    old = stage.play({"id": "a", "workstream": "w"}, {"id": "b", "workstream": "v"}, script={"b": [FAIL]})
    assert stage.workstreams(old["run_id"]) == {"w": "completed", "v": "failed"}
    document = stage.drive(stage.orchestrator.retry_run(old["run_id"]))
    assert stage.workstreams(document["run_id"]) == {"w": "skipped", "v": "completed"}


def test_a_run_that_goes_on_is_not_retried(stage: Stage) -> None:
    with pytest.raises(ActionRefused, match="it is pending"):
        stage.orchestrator.retry_run(stage.create({"id": "a"}))


def test_a_secret_must_be_given_again(stage: Stage) -> None:
    declared = {"TOKEN": {"required": True, "secret": True}}
    run_id = stage.create({"id": "a"}, declared=declared, variables={"TOKEN": "x1y2"})
    with pytest.raises(PlanError, match="TOKEN"):
        stage.orchestrator.execute_run(run_id)
    assert stage.document(run_id)["state"] == "pending"


def open_files() -> list[str]:
    return sorted(str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())


def test_nothing_stays_open_after_a_run(stage: Stage) -> None:
    def go_through() -> None:
        stage.perform({"id": "a"})
        run_id = stage.create({"id": "a"})
        stage.orchestrator.start_run(run_id)
        stage.orchestrator.cancel_run(run_id)

    go_through()
    before = open_files()
    for _ in range(3):
        go_through()
    assert open_files() == before


def test_an_owner_is_asked_only_while_it_owns(stage: Stage, tmp_path: Path) -> None:
    run_id = stage.create({"id": "a"})
    with claim(run_id, tmp_path / ".minipipe" / "runs" / run_id), pytest.raises(RunOwned):
        stage.orchestrator.start_run(run_id)
    assert stage.orchestrator.start_run(run_id)
