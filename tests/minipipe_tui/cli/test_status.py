"""`minipipe status`: counts, owners, and the same as `show` with a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}


def test_counts_are_told_by_state(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    here("run", plan(OK), "--detach")
    document = here("status", "--json").document
    assert document["runs"] == {"pending": 1, "succeeded": 1}
    assert document["tasks"] == {"completed": 1, "pending": 1}
    assert {"runs", "tasks", "patches", "oldest_review_at", "owners", "daemon"} <= document.keys()
    assert set(document["daemon"]) == {"running", "pid", "slots"}
    assert "1 pending, 1 succeeded" in here("status").out


def test_patches_are_counted_and_the_oldest_that_waits_is_told(reviewed: Cli, here: Cli) -> None:
    ids = reviewed(one="echo > 1.txt", two="echo > 2.txt")
    oldest = here("patch", "show", ids["one"], "--json").document["created_at"]
    document = here("status", "--json").document
    assert document["patches"] == {"awaiting_review": 2}
    assert document["oldest_review_at"] == oldest
    assert "minipipe review list" in here("status").out
    for patch_id in ids.values():
        here("review", "reject", patch_id, "--reason", "no")
    assert here("status", "--json").document["oldest_review_at"] is None
    here("resume", "last")
    assert here("status", "--json").document["patches"] == {"dropped": 2}


def test_owners_of_live_runs_are_named(started: Cli, here: Cli, plan: Cli, repo: Path, eventually: Cli) -> None:
    process = started("run", plan({"id": "a", "shell": "touch begun; sleep 600"}))
    eventually((repo / "begun").exists, "the step")
    owners = here("status", "--json").document["owners"]
    assert [(owner["pid"], set(owner)) for owner in owners] == [(process.pid, {"run_id", "pid", "host"})]
    assert f"by process {process.pid}" in here("status").out


def test_nothing_is_a_status_too(here: Cli, repo: Path) -> None:
    ended = here("status")
    assert ended.code == 0
    assert "none" in ended.out
    assert not (repo / ".minipipe").exists()


def test_with_a_run_it_is_show(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    assert here("status", "last", "--json").document == here("show", "last", "--json").document
    assert here("status", "last").out == here("show", "last").out


def test_a_broken_database_is_unfit(here: Cli, repo: Path) -> None:
    (repo / ".minipipe").mkdir()
    (repo / ".minipipe" / "state.db").write_bytes(b"not a database at all, but long enough" * 100)
    ended = here("status", "--json")
    assert ended.code == 5
    assert "db check" in ended.document["error"]["hint"]


def test_an_interrupted_run_is_named_wherever_one_looks(
    started: Cli, here: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    process = started("run", plan({"id": "a", "shell": "touch begun; sleep 600"}))
    eventually((repo / "begun").exists, "the step")
    run_id = here("status", "--json").document["owners"][0]["run_id"]
    assert here("status", "--json").document["interrupted"] == []
    assert "interrupted" not in here("show", "last").out + here("runs").out + here("status").out
    process.kill()
    process.wait()
    assert here("status", "--json").document["interrupted"] == [run_id]
    assert f"minipipe resume {run_id}" in here("status").out
    assert "interrupted" in here("runs").out
    assert "interrupted" in here("show", "last").out
    assert here("cancel", run_id).code == 0
