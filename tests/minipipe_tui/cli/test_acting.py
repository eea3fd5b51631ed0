"""`minipipe pause`, `cancel` and `retry`, on runs that this process, another one, or nobody runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}
GATED = {"id": "gated", "shell": "touch begun; while ! test -e go; do sleep 0.02; done"}
AFTER = {"id": "after", "depends_on": ["gated"], "command": ["true"]}


@pytest.fixture
def working(started: Cli, plan: Cli, repo: Path, eventually: Cli) -> Any:
    """A process that runs a plan whose first step waits for a file."""
    process = started("run", plan(GATED, AFTER, {"id": "tidy", "finally": True, "shell": "touch tidied"}))
    eventually((repo / "begun").exists, "the step")
    return process


def test_a_running_run_is_paused_and_resumed_from_another_process(working: Any, here: Cli, repo: Path) -> None:
    assert "pausing" in here("pause", "last").out
    assert "minipipe pause" not in here("show", "last").out
    (repo / "go").touch()
    working.communicate(timeout=20)
    assert working.returncode == 3
    paused = here("show", "last", "--json").document
    assert (paused["state"], paused["exit_code"]) == ("paused", 3)
    assert "resume" in paused["available_actions"]
    assert here("resume", "last", "--json").document["state"] == "succeeded"


def test_a_running_run_is_canceled_from_another_process(working: Any, here: Cli, repo: Path) -> None:
    ended = here("cancel", "last", "--json")
    assert ended.code == 0
    working.communicate(timeout=20)
    assert working.returncode == 130
    assert (repo / "tidied").exists()


def test_retry_of_a_running_run_needs_something_that_waits(working: Any, here: Cli) -> None:
    ended = here("retry", "last")
    assert ended.code == 1
    assert "no step is waiting" in ended.err


def test_a_run_that_nobody_runs_is_canceled_here(here: Cli, plan: Cli) -> None:
    run_id = here("run", plan(OK), "--detach").out.strip()
    ended = here("cancel", run_id, "--json")
    assert (ended.code, ended.document["state"]) == (0, "canceled")
    assert ended.document["tasks"][0]["state"] == "canceled"


def test_a_user_without_a_name_may_act_too(here: Cli, plan: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    run_id = here("run", plan(OK), "--detach").out.strip()
    assert here("cancel", run_id).code == 0
    events = here("events", run_id, "--type", "run_canceled").out
    assert json.loads(events)["operator"] == "uid 4000000"


def test_canceling_an_interrupted_run_still_runs_its_final_steps(working: Any, there: Cli, repo: Path) -> None:
    working.kill()
    working.wait()
    ended = there("cancel", "last", "--json")
    assert (ended.code, ended.document["state"]) == (0, "canceled")
    assert (repo / "tidied").exists()


def test_pausing_an_interrupted_run_ends_what_was_left_running(working: Any, there: Cli, repo: Path) -> None:
    working.kill()
    working.wait()
    assert "is paused" in there("pause", "last").out
    assert not [entry.name for entry in Path("/proc").glob("[0-9]*") if _runs_in(entry, repo)]
    assert there("cancel", "last", "--json").document["state"] == "canceled"


def _runs_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").resolve(strict=True) == folder
    except OSError:
        return False  # it has ended, or is not ours to look at


def test_retry_carries_over_what_succeeded(here: Cli, plan: Cli, repo: Path) -> None:
    first = {"id": "first", "shell": "echo x >> firsts"}
    name = plan(first, {"id": "second", "depends_on": ["first"], "shell": "test -e mended"})
    assert here("run", name).code == 1
    (repo / "mended").touch()
    document = here("retry", "last", "--json").document
    states = {task["step_id"]: (task["state"], task["reason"]) for task in document["tasks"]}
    assert states == {"first": ("skipped", "carried"), "second": ("completed", None)}
    assert document["retry_of"]
    assert (repo / "firsts").read_text() == "x\n"


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_an_ended_run_can_be_neither_paused_nor_canceled(here: Cli, plan: Cli, verb: str) -> None:
    here("run", plan(OK))
    ended = here(verb, "last", "--json")
    assert ended.code == 1
    error = ended.document["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"].endswith("it is succeeded")
    assert error["hint"].startswith("minipipe retry")


def test_a_pending_run_cannot_be_retried(here: Cli, plan: Cli) -> None:
    here("run", plan(OK), "--detach")
    ended = here("retry", "last")
    assert ended.code == 1
    assert "minipipe resume" in ended.err


@pytest.mark.parametrize("verb", ["pause", "cancel", "retry"])
def test_an_unknown_run_is_wrong_usage(here: Cli, plan: Cli, verb: str) -> None:
    here("run", plan(OK))
    assert here(verb, "run_ZZ").code == 2
