"""`minipipe runs`: the list, its filters and its pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}
BAD = {"id": "bad", "command": ["false"]}


@pytest.fixture
def three(here: Cli, plan: Cli) -> list[str]:
    """Ids of three runs, newest first."""
    good, bad = plan(OK, name="good"), plan(BAD, name="bad")
    return [here("run", name, "--json").document["run_id"] for name in (good, bad, good)][::-1]


def test_runs_are_listed_newest_first(here: Cli, three: list[str]) -> None:
    out = here("runs").out
    assert [line.split()[0] for line in out.splitlines()[1:]] == three
    assert out.splitlines()[2].endswith("  bad")


def test_json_has_the_documented_keys(here: Cli, three: list[str]) -> None:
    document = here("runs", "--json").document
    assert [run["run_id"] for run in document["runs"]] == three
    assert {"run_id", "plan_id", "state", "created_at", "started_at", "ended_at"} <= document["runs"][0].keys()
    assert document["next"] is None


def test_ids_are_nothing_but_ids(here: Cli, three: list[str]) -> None:
    assert here("runs", "--ids").out.split() == three


def test_filters_narrow_the_list(here: Cli, three: list[str]) -> None:
    assert here("runs", "--ids", "--state", "failed").out.split() == [three[1]]
    assert here("runs", "--ids", "--plan", "good").out.split() == [three[0], three[2]]


def test_pages_follow_one_another(here: Cli, three: list[str]) -> None:
    first = here("runs", "--limit", "2", "--json").document
    assert [run["run_id"] for run in first["runs"]] == three[:2]
    rest = here("runs", "--after", first["next"], "--json").document
    assert [run["run_id"] for run in rest["runs"]] == three[2:]
    assert rest["next"] is None


def test_no_runs_are_no_error(here: Cli, repo: Path) -> None:
    assert here("runs", "--json").document == {"runs": [], "next": None}
    ended = here("runs")
    assert (ended.code, ended.out) == (0, "")
    assert "minipipe run PLAN" in ended.err
    assert not (repo / ".minipipe").exists()


def test_an_unknown_state_is_wrong_usage(here: Cli) -> None:
    assert here("runs", "--state", "sleeping").code == 2


def test_a_page_goes_on_after_any_name_of_a_run_and_not_after_an_unknown_one(here: Cli, three: list[str]) -> None:
    assert here("runs", "--ids", "--after", "last").out.split() == three[1:]
    assert here("runs", "--after", "nope").code == 2
