"""`minipipe show`, and how a run is named: id, the beginning of one, `last`."""

from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}


@pytest.fixture
def run_id(here: Cli, plan: Cli) -> str:
    return str(here("run", plan(OK), "--json").document["run_id"])


def test_a_run_is_found_by_its_id_by_a_prefix_and_as_the_last(here: Cli, run_id: str) -> None:
    bare = run_id.removeprefix("run_")
    for name in (run_id, run_id[:20], bare, bare.lower(), "last"):
        assert here("show", name, "--json").document["run_id"] == run_id
    assert here("show", "--json").document["run_id"] == run_id


def test_show_and_run_give_the_same_document(here: Cli, plan: Cli) -> None:
    document = here("run", plan(OK), "--json").document
    assert here("show", "last", "--json").document == document


def test_a_prefix_that_fits_several_is_wrong_usage_and_names_them(here: Cli, plan: Cli, run_id: str) -> None:
    other = here("run", plan(OK), "--json").document["run_id"]
    ended = here("show", "run_0", "--json")
    assert ended.code == 2
    assert run_id in ended.document["error"]["message"]
    assert other in ended.document["error"]["message"]


def test_an_unknown_id_is_wrong_usage(here: Cli, run_id: str) -> None:
    ended = here("show", "run_ZZ")
    assert ended.code == 2
    assert "minipipe runs" in ended.err


def test_without_a_database_show_is_unfit(here: Cli) -> None:
    ended = here("show", "last")
    assert ended.code == 5
    assert "minipipe run PLAN" in ended.err


def test_what_a_step_waits_for_is_told(here: Cli, plan: Cli) -> None:
    here("run", plan(OK, {"id": "after", "depends_on": ["ok"], "command": ["true"]}), "--detach")
    out = here("show", "last").out
    assert "waits for ok" in out
    assert "minipipe resume" in out


def test_a_run_of_ordinary_size_shows_every_step(here: Cli, plan: Cli) -> None:
    here("run", plan(*({"id": f"s{number}", "command": ["true"]} for number in range(40))))
    out = here("show", "last").out
    assert out.count("completed") == 40
    assert "--all" not in out


def test_a_long_run_shows_the_worst_steps_first_and_no_more_than_fit(here: Cli, plan: Cli) -> None:
    waiting = [{"id": f"s{number}", "depends_on": ["bad"], "command": ["true"]} for number in range(100)]
    here("run", plan({"id": "bad", "command": ["false"]}, *waiting))
    lines = here("show", "last").out.splitlines()
    assert len(lines) < 60
    assert any(line.startswith("bad ") for line in lines)
    assert "101 steps: 100 skipped, 1 failed" in lines


def test_a_run_shows_its_patches_and_what_to_decide(reviewed: Cli, here: Cli) -> None:
    ids = reviewed(one="echo 1 > 1.txt", two="echo 2 > 2.txt")
    document = here("show", "--json").document
    assert [patch["patch_id"] for patch in document["patches"]] == sorted(ids.values())
    out = here("show").out
    assert "paused: it waits for review" in out
    assert "waits for review" in out.partition("STEP")[2].partition("PATCH")[0]
    assert f"{ids['one']}  one   awaiting_review  [+1 files, +1 -0 lines]  the plan asks for review" in out
    assert out.splitlines()[-5:-1] == [
        f"minipipe review list --run {document['run_id']}",
        f"minipipe review show {ids['one']}",
        f"minipipe review approve {ids['one']}",
        f"minipipe resume {document['run_id']}",
    ]


def test_a_succeeded_run_tells_how_much_it_has_changed(here: Cli, plan: Cli) -> None:
    here("run", plan({"id": "one", "shell": "echo 1 > 1.txt"}, globals={"use_worktrees": True}))
    out = here("show").out
    assert "committed: [+1 files, +1 -0 lines]" in out
    assert "is at" in out
