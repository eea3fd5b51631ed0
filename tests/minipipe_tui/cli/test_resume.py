"""`minipipe resume`: runs that are pending, ended, or whose process was killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}


def test_a_pending_run_is_started(here: Cli, plan: Cli) -> None:
    run_id = here("run", plan(OK), "--detach").out.strip()
    assert here("resume", run_id, "--json").document["state"] == "succeeded"


def test_an_ended_run_is_left_alone_and_gives_its_exit_code(here: Cli, plan: Cli) -> None:
    assert here("run", plan({"id": "bad", "shell": "echo x >> starts; exit 1"})).code == 1
    assert here("resume", "last").code == 1
    assert Path("starts").read_text() == "x\n"


def test_after_a_kill_what_was_completed_is_not_run_again(
    started: Cli, there: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    first = {"id": "first", "shell": "echo x >> firsts"}
    second = {"id": "second", "depends_on": ["first"], "shell": "touch begun; test -e go || sleep 600"}
    killed = started("run", plan(first, second))
    eventually((repo / "begun").exists, "the second step")
    killed.kill()
    killed.wait()
    (repo / "go").touch()
    ended = there("resume", "last", "--json")
    assert ended.code == 0
    attempts = {task["step_id"]: [each["outcome"] for each in task["attempts"]] for task in ended.document["tasks"]}
    assert attempts == {"first": ["ok"], "second": ["orphaned", "ok"]}
    assert (repo / "firsts").read_text() == "x\n"


def test_a_secret_must_be_given_again(here: Cli, plan: Cli) -> None:
    name = plan({"id": "a", "shell": 'test "$TOKEN" = s3cret'}, variables={"TOKEN": {"required": True, "secret": True}})
    run_id = here("run", name, "--detach", "--var", "TOKEN=s3cret").out.strip()
    refused = here("resume", run_id)
    assert refused.code == 2
    assert "TOKEN" in refused.err
    assert here("resume", run_id, "--var", "TOKEN=s3cret").code == 0


def test_a_run_that_somebody_runs_is_refused_by_name(
    started: Cli, there: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    owner = started("run", plan({"id": "a", "shell": "touch begun; sleep 600"}))
    eventually((repo / "begun").exists, "the step")
    ended = there("resume", "last")
    assert ended.code == 1
    assert f"process {owner.pid}" in ended.err


def test_an_unknown_run_is_wrong_usage(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    assert here("resume", "run_ZZ").code == 2


def test_an_interrupted_run_that_cannot_go_on_does_not_hold_up_the_others(
    started: Cli, there: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    secret = {"TOKEN": {"required": True, "secret": True}}
    for name, more in (("one", {"variables": secret}), ("two", {})):
        waits = {"id": name, "shell": f"touch begun-{name}; test -e go || sleep 600"}
        killed = started("run", plan(waits, name=name, **more), *(["--var", "TOKEN=s3cret"] if more else []))
        eventually((repo / f"begun-{name}").exists, "the step")
        killed.kill()
        killed.wait()
    (repo / "go").touch()
    ended = there("run")
    assert ended.code == 2
    assert "TOKEN" in ended.err
    runs = there("runs", "--json").document["runs"]
    assert {run["plan_id"]: run["state"] for run in runs} == {"one": "running", "two": "succeeded"}
