"""`minipipe events`: JSON Lines of what happened, and of what happens."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}
KEYS = {
    *("event_id", "timestamp", "event_type", "severity", "entity_type", "entity_id", "from_state", "to_state"),
    *("trigger", "reason", "operator", "run_id", "metadata"),
}


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def types(text: str) -> list[str]:
    return [line["event_type"] for line in lines(text)]


def test_every_line_is_an_event_in_order(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    found = lines(here("events").out)
    assert all(line.keys() >= KEYS for line in found)
    assert [line["seq"] for line in found] == sorted(line["seq"] for line in found)
    assert found[0]["event_type"] == "run_created"
    assert found[-1]["event_type"] == "run_succeeded"


def test_a_run_has_only_its_own_events(here: Cli, plan: Cli) -> None:
    first = here("run", plan(OK), "--json").document["run_id"]
    here("run", plan(OK))
    assert {line["run_id"] for line in lines(here("events", first).out)} == {first}


def test_filters_narrow_what_is_printed(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    assert types(here("events", "--type", "run_started,run_succeeded").out) == ["run_started", "run_succeeded"]
    everything = lines(here("events").out)
    assert lines(here("events", "--limit", "2").out) == everything[-2:]
    assert lines(here("events", "--after", str(everything[2]["seq"])).out) == everything[3:]
    assert here("events", "--limit", "-1").code == 2


def test_follow_ends_when_the_run_ends(started: Cli, plan: Cli, repo: Path, eventually: Cli) -> None:
    runner = started("run", plan({"id": "a", "shell": "touch begun; while ! test -e go; do sleep 0.02; done"}))
    eventually((repo / "begun").exists, "the step")
    follower = started("events", "last", "--follow")
    first = json.loads(follower.stdout.readline())
    assert first["event_type"] == "run_created"
    (repo / "go").touch()
    out, err = follower.communicate(timeout=20)
    runner.communicate(timeout=20)
    assert follower.returncode == 0
    assert err == ""
    assert types(out)[-1] == "run_succeeded"


def test_follow_of_an_ended_run_prints_it_and_ends(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    assert here("events", "last", "--follow").out == here("events", "last").out


def test_without_a_database_events_are_unfit(here: Cli) -> None:
    assert here("events").code == 5
