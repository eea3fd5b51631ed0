"""`minipipe run`, through the real entry: results, exit codes, signals, terminals and pipes."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["echo", "fine"]}
BAD = {"id": "bad", "shell": "exit 3"}
FOREVER = {"id": "forever", "shell": "touch begun; sleep 600"}


def test_a_run_that_succeeds_reports_each_step_and_exits_zero(here: Cli, plan: Cli) -> None:
    ended = here("run", plan(OK))
    assert ended.code == 0
    assert "ok" in ended.out
    assert "completed" in ended.out
    assert "completed ok" in ended.err


def test_a_run_that_fails_exits_one_and_says_where_to_look(here: Cli, plan: Cli) -> None:
    silent, minor = {"id": "silent", "shell": "exit 1"}, {"id": "minor", "critical": False, "shell": "ls nowhere"}
    after = {"id": "after", "depends_on": ["bad"], "command": ["true"]}
    ended = here("run", plan(silent, minor, {**BAD, "shell": "echo oh; exit 3"}, after))
    assert ended.code == 1
    run_id = ended.out.split()[0]
    assert f"minipipe logs {run_id} bad" in ended.out
    assert f"minipipe retry {run_id}" in ended.out
    assert ended.out.count("minipipe logs") == 1
    assert "exit code 3" in ended.out
    assert "a step that it depends on failed" in ended.out


@pytest.mark.parametrize("words", [("--var", "WHO"), ("--var", "WHO", "me"), ("--var", "=me")])
def test_a_variable_without_a_value_is_answered_with_the_form(here: Cli, plan: Cli, words: tuple[str, ...]) -> None:
    ended = here("run", plan(OK), *words)
    assert ended.code == 2
    assert "=VALUE" in ended.err


def test_a_success_suggests_no_retry(here: Cli, plan: Cli) -> None:
    assert "minipipe retry" not in here("run", plan(OK)).out


def test_json_is_one_document_with_the_documented_keys(there: Cli, plan: Cli) -> None:
    ended = there("run", plan(OK), "--json")
    document = ended.document
    assert {
        *("run_id", "plan_id", "state", "exit_code", "created_at", "started_at", "ended_at", "diff_stats", "tasks"),
        *("patches", "available_actions"),
    } <= document.keys()
    assert {"task_id", "step_id", "state", "reason", "attempts", "diff_stats"} <= document["tasks"][0].keys()
    assert {
        *("attempt_id", "number", "state", "tool_id", "exit_code", "outcome", "duration_seconds", "log_path"),
        *("reason", "patch_id", "session_id", "diff_stats", "started_at", "ended_at"),
    } <= document["tasks"][0]["attempts"][0].keys()
    assert (document["state"], document["exit_code"], ended.code) == ("succeeded", 0, 0)
    assert ended.err == ""


def test_variables_are_passed_on(here: Cli, plan: Cli, repo: Path) -> None:
    name = plan({"id": "w", "shell": 'echo "$WHO" > who'}, variables={"WHO": {"default": "nobody"}})
    assert here("run", name, "--var", "WHO=a b; c").code == 0
    assert (repo / "who").read_text() == "a b; c\n"


@pytest.mark.parametrize(
    "words",
    [
        ["no-such-plan.json"],
        ["plan.json", "--max-concurrent", "0"],
        ["plan.json", "--max-concurrent", "many"],
        ["plan.json", "--orchestration", "chaotic"],
        ["plan.json", "--var", "no-sign"],
        ["plan.json", "--var", "UNKNOWN=1"],
        ["plan.json", "--nonsense"],
        ["--json"],
    ],
)
def test_wrong_usage_exits_two_with_a_hint(here: Cli, plan: Cli, words: list[str]) -> None:
    plan(OK)
    ended = here("run", *words)
    assert ended.code == 2
    told = ended.err or ended.out
    assert "_positive" not in told
    assert "→" in told or "hint" in told


def test_an_invalid_plan_names_the_file_and_the_line(here: Cli, repo: Path) -> None:
    (repo / "bad.json").write_text('{"version": "1.0",\n "plan_id": "x",\n "steps": [{"id": "a"}]}')
    ended = here("run", "bad.json")
    assert ended.code == 2
    assert "bad.json:3:" in ended.err
    assert ended.out == ""


def test_an_error_with_json_is_a_document(here: Cli) -> None:
    ended = here("run", "no-such-plan.json", "--json")
    assert ended.code == 2
    assert set(ended.document["error"]) == {"code", "message", "hint"}
    assert ended.err == ""


def test_outside_a_repository_is_unfit_with_a_hint(there: Cli, plan: Cli, repo: Path, tmp_path: Path) -> None:
    name = repo / plan(OK, globals={"isolation": "step"})
    outside = tmp_path / "outside"
    outside.mkdir()
    ended = there("run", str(name), cwd=outside)
    assert ended.code == 5
    assert "git init" in ended.err


def test_a_repository_without_a_commit_is_unfit(there: Cli, plan: Cli, repo: Path, tmp_path: Path) -> None:
    name = repo / plan(OK, globals={"isolation": "step"})
    empty = tmp_path / "empty"
    empty.mkdir()
    subprocess.run(["git", "init", "-q", "--template="], cwd=empty, check=True)
    ended = there("run", str(name), "--json", cwd=empty)
    assert ended.code == 5
    assert "no commit" in ended.document["error"]["message"]
    assert "commit once" in ended.document["error"]["hint"]


def test_without_git_the_environment_is_unfit(there: Cli, plan: Cli, tmp_path: Path) -> None:
    ended = there("run", plan(OK, globals={"isolation": "step"}), env={"PATH": str(tmp_path)})
    assert ended.code == 5
    assert "install git" in ended.err


def test_isolation_none_needs_no_repository(there: Cli, plan: Cli, repo: Path, tmp_path: Path) -> None:
    name = repo / plan(OK, globals={"isolation": "none"})
    outside = tmp_path / "outside"
    outside.mkdir()
    assert there("run", str(name), cwd=outside).code == 0


@pytest.mark.parametrize("form", ["a file", "a link", "a folder in place of the database"])
def test_a_state_folder_that_is_none_is_unfit(here: Cli, plan: Cli, repo: Path, tmp_path: Path, form: str) -> None:
    if form == "a file":
        (repo / ".minipipe").touch()
    elif form.startswith("a folder"):
        (repo / ".minipipe" / "state.db").mkdir(parents=True)
    else:
        (repo / ".minipipe").symlink_to(tmp_path)
    ended = here("run", plan(OK))
    assert ended.code == 5
    assert ".minipipe" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unreadable_state_folder_is_unfit(here: Cli, plan: Cli, repo: Path) -> None:
    (repo / ".minipipe").mkdir(mode=0o000)
    assert here("run", plan(OK)).code == 5


def test_detach_leaves_the_run_pending_and_prints_its_id(here: Cli, plan: Cli, repo: Path) -> None:
    ended = here("run", plan({"id": "a", "shell": "touch done"}), "--detach")
    assert ended.code == 0
    run_id = ended.out.strip()
    assert run_id.startswith("run_")
    assert not (repo / "done").exists()
    assert here("show", run_id, "--json").document["state"] == "pending"
    assert f"minipipe resume {run_id}" in ended.err


def test_a_dry_run_starts_nothing_and_leaves_nothing(here: Cli, plan: Cli, repo: Path) -> None:
    ended = here("run", plan({"id": "a", "shell": "touch done"}), "--dry-run")
    assert ended.code == 0
    assert "touch done" in ended.out
    assert not (repo / "done").exists()
    assert not (repo / ".minipipe").exists()
    assert here("run", "plan.json", "--dry-run", "--json").document["dry_run"] is True


def test_a_dry_run_takes_conditions_on_values_to_hold(here: Cli, plan: Cli) -> None:
    first = {"id": "first", "shell": "echo n=1 >> $MINIPIPE_OUTPUT"}
    second = {"id": "second", "depends_on": ["first"], "when": "${first.n} > 0", "command": ["echo", "${first.n}"]}
    third = {"id": "third", "when": "0", "command": ["true"]}
    document = here("run", plan(first, second, third), "--dry-run", "--json").document
    assert [order["step_id"] for order in document["orders"]] == ["first", "second"]
    assert document["orders"][1]["argv"] == ["echo", "<first.n>"]


def test_without_a_plan_there_must_be_something_interrupted(here: Cli) -> None:
    ended = here("run")
    assert ended.code == 2
    assert "minipipe run PLAN" in ended.err


def test_without_a_plan_interrupted_runs_go_on(
    started: Cli, there: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    name = plan({"id": "a", "shell": "echo x >> starts; touch begun; test -e go || sleep 600"})
    killed = started("run", name)
    eventually((repo / "begun").exists, "the step")
    killed.kill()
    killed.wait()
    (repo / "go").touch()
    ended = there("run")
    assert ended.code == 0
    assert "succeeded" in ended.out
    assert (repo / "starts").read_text() == "x\nx\n"


# -- signals ---------------------------------------------------------------------------------------------


def _forever(plan: Cli, *, last: str = "touch tidied") -> str:
    return str(plan(FOREVER, finally_step(last)))


def finally_step(shell: str) -> dict[str, Any]:
    return {"id": "tidy", "finally": True, "shell": shell}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_cleanly(started: Cli, plan: Cli, repo: Path, eventually: Cli, number: signal.Signals) -> None:
    process = started("run", _forever(plan), "--json")
    eventually((repo / "begun").exists, "the step")
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["state"] == "canceled"
    assert (repo / "tidied").exists()


def test_a_second_interrupt_ends_the_final_steps_too(started: Cli, plan: Cli, repo: Path, eventually: Cli) -> None:
    process = started("run", _forever(plan, last="touch tidying; sleep 600"), "--json")
    eventually((repo / "begun").exists, "the step")
    process.send_signal(signal.SIGINT)
    eventually((repo / "tidying").exists, "the final step")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    states = {task["step_id"]: task["state"] for task in json.loads(out)["tasks"]}
    assert states == {"forever": "canceled", "tidy": "canceled"}


def test_a_terminal_that_closes_leaves_the_final_steps_their_time(
    started: Cli, here: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    process = started("run", _forever(plan, last="touch tidying; while ! test -e go; do sleep 0.02; done"), "--json")
    eventually((repo / "begun").exists, "the step")
    process.send_signal(signal.SIGHUP)
    eventually((repo / "tidying").exists, "the final step")
    process.send_signal(signal.SIGHUP)
    # Once this is answered, what the signal asked for has been done, if it asked for anything.
    assert "it is being canceled" in here("pause", "last").err
    (repo / "go").touch()
    out, _ = process.communicate(timeout=20)
    states = {task["step_id"]: task["state"] for task in json.loads(out)["tasks"]}
    assert states == {"forever": "canceled", "tidy": "completed"}


def test_a_hangup_that_is_ignored_stays_ignored(
    plan: Cli, repo: Path, environ: dict[str, str], eventually: Cli
) -> None:
    name = plan({"id": "a", "shell": "touch begun; while ! test -e go; do sleep 0.02; done"})
    command = f"trap '' HUP; exec {shlex.quote(sys.executable)} -m minipipe_tui run {name}"
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], cwd=repo, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    eventually((repo / "begun").exists, "the step")
    process.send_signal(signal.SIGHUP)
    (repo / "go").touch()
    assert process.wait(timeout=20) == 0


# -- pipes and terminals -----------------------------------------------------------------------------------


def test_a_closed_stdout_does_not_harm_the_run(plan: Cli, repo: Path, environ: dict[str, str], here: Cli) -> None:
    name = plan(OK)
    command = f"{shlex.quote(sys.executable)} -m minipipe_tui run {name} >&-"
    ended = subprocess.run(["/bin/sh", "-c", command], cwd=repo, env=environ, capture_output=True, check=False)
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr
    assert here("show", "last", "--json").document["state"] == "succeeded"


def test_a_reader_that_went_away_does_not_harm_the_run(started: Cli, plan: Cli, here: Cli) -> None:
    process = started("run", plan(OK))
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=20)
    assert process.returncode == 141
    assert "Traceback" not in err
    assert here("show", "last", "--json").document["state"] == "succeeded"


def test_a_pipe_gets_neither_colour_nor_cursor_movements(there: Cli, plan: Cli) -> None:
    ended = there("run", plan(OK), env={"TERM": "xterm-256color"})
    assert "\x1b" not in ended.out + ended.err


def test_a_long_plan_is_told_in_few_lines(here: Cli, plan: Cli) -> None:
    steps = [{"id": f"s{number}", "command": ["true"]} for number in range(100)]
    ended = here("run", plan(*steps, {**BAD, "critical": False}), "--max-concurrent", "2")
    assert ended.code == 0
    assert "101 steps: 100 completed, 1 failed" in ended.out
    assert "exit code 3" in ended.out
    assert "s50" not in ended.out
    assert "--all" in ended.out
    assert len(ended.err.splitlines()) < 40
    assert "failed bad" in ended.err
    assert "of 101 steps ended" in ended.err
    assert here("show", "last", "--all").out.count("\n") > 100
    assert len(here("show", "last", "--json").document["tasks"]) == 101


# -- warnings ----------------------------------------------------------------------------------------------


def test_a_step_works_in_a_worktree_of_its_own(here: Cli, plan: Cli, repo: Path) -> None:
    step = {"id": "s", "shell": "pwd"}
    assert here("run", plan(step, globals={"isolation": "step"}), "--target", "none").code == 0
    place = here("logs", "last", "s").out.strip()
    assert place
    assert not Path(place).is_relative_to(repo)


def test_worktrees_that_the_configuration_turns_off_are_isolation_none(here: Cli, plan: Cli, repo: Path) -> None:
    (repo / "minipipe.toml").write_text("[worktrees]\nenabled = false\n")
    (repo / "plan.json").write_text(json.dumps({"version": "1.0", "plan_id": "p", "steps": [OK]}))
    assert here("run", "plan.json", "--json").document["settings"]["isolation"] == "none"


def test_a_step_whose_tool_is_unknown_says_so(here: Cli, plan: Cli) -> None:
    ended = here("run", plan({"id": "a", "tool": "nobody", "prompt": "do it"}))
    assert ended.code == 1
    assert "there is no tool 'nobody' here" in ended.out
