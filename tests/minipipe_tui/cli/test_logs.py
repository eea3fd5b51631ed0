"""`minipipe logs`: what a step printed, harmless, whole or as it grows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

RETRIED = {
    "id": "a",
    "shell": "echo attempt $MINIPIPE_ATTEMPT; test $MINIPIPE_ATTEMPT = 2",
    "retries": 1,
    "backoff": {"initial_seconds": 0},
}


def test_the_newest_attempt_is_shown_and_any_other_on_request(here: Cli, plan: Cli) -> None:
    here("run", plan(RETRIED))
    assert here("logs", "last", "a").out == "attempt 2\n"
    assert here("logs", "last", "a", "--attempt", "1").out == "attempt 1\n"
    assert here("logs", "last", "a", "--attempt", "3").code == 2


def test_stdout_and_stderr_are_both_there(here: Cli, plan: Cli) -> None:
    here("run", plan({"id": "a", "shell": "echo out; echo err >&2"}))
    assert here("logs", "last", "a").out == "out\nerr\n"


def test_hostile_bytes_are_inert_unless_asked_for_raw(there: Cli, plan: Cli) -> None:
    there("run", plan({"id": "a", "shell": r"printf '\033]0;owned\007\033[2J\n'"}))
    shown = there("logs", "last", "a").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "^[]0;owned^G^[[2J" in shown
    assert there("logs", "last", "a", "--raw").out == "\x1b]0;owned\x07\x1b[2J\n"


def test_json_is_one_document(here: Cli, plan: Cli) -> None:
    here("run", plan(RETRIED))
    document = here("logs", "last", "a", "--json").document
    assert set(document) == {"step_id", "attempt", "log_path", "text"}
    assert (document["attempt"], document["text"]) == (2, "attempt 2\n")
    assert Path(document["log_path"]).is_file()


def test_an_unknown_step_is_wrong_usage_and_names_those_there_are(here: Cli, plan: Cli) -> None:
    here("run", plan(RETRIED))
    ended = here("logs", "last", "b")
    assert ended.code == 2
    assert "the run has a" in ended.err


def test_a_step_that_became_several_is_answered_with_their_names(here: Cli, plan: Cli) -> None:
    here("run", plan({"id": "other", "command": ["true"]}, {**RETRIED, "foreach": ["x", "y"]}), "--detach")
    assert "it became a-x, a-y\n" in here("logs", "last", "a").err


def test_an_empty_log_is_said_to_be_empty_and_why(here: Cli, plan: Cli) -> None:
    here("run", plan({"id": "a", "command": ["no-such-program"]}))
    ended = here("logs", "last", "a")
    assert (ended.code, ended.out) == (0, "")
    assert "a printed nothing: cannot start 'no-such-program'" in ended.err


def test_a_step_that_was_never_tried_has_no_log(here: Cli, plan: Cli) -> None:
    here("run", plan(RETRIED), "--detach")
    ended = here("logs", "last", "a")
    assert ended.code == 2
    assert "minipipe show run_" in ended.err


def test_follow_prints_json_lines_through_the_retries_and_ends(
    started: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    step = {**RETRIED, "shell": f"touch begun; while ! test -e go; do sleep 0.02; done; {RETRIED['shell']}"}
    runner = started("run", plan(step))
    eventually((repo / "begun").exists, "the step")
    follower = started("logs", "last", "a", "--follow")
    (repo / "go").touch()
    out, err = follower.communicate(timeout=20)
    runner.communicate(timeout=20)
    assert follower.returncode == 0, err
    assert [json.loads(line) for line in out.splitlines()] == [
        {"step_id": "a", "attempt": 1, "line": "attempt 1"},
        {"step_id": "a", "attempt": 2, "line": "attempt 2"},
    ]
