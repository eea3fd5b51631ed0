"""`minipipe worktree`: what stands where, and clearing up, dry and for real."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

OWN = {"use_worktrees": True}


@pytest.fixture
def ran(here: Cli, plan: Cli) -> None:
    """A run that used three working trees, one of them for a step that failed."""
    steps = [{"id": f"s{number}", "shell": "echo > $MINIPIPE_STEP_ID; sleep 0.2"} for number in range(2)]
    here("run", plan(*steps, {"id": "bad", "shell": "echo > b; sleep 0.2; exit 1"}, globals=OWN))


def listed(here: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here("worktree", "list", "--json").document["worktrees"]
    return found


def test_trees_and_archives_are_listed(ran: None, here: Cli) -> None:
    found = listed(here)
    assert [(each["kind"], each["state"]) for each in found] == [("pooled", "idle")] * 3 + [("archive", "archived")]
    assert set(found[0]) == {"kind", "name", "state", "path", "holder", "commit", "since", "size"}
    assert Path(found[0]["path"]).is_dir()
    out = here("worktree", "list", "--size").out
    assert "refs/minipipe/archive/" in out
    assert "kB" in out


def test_where_none_was_made_none_are_listed(here: Cli) -> None:
    ended = here("worktree", "list")
    assert (ended.code, ended.out) == (0, "")
    assert here("worktree", "list", "--json").document == {"worktrees": [], "next": None}


def test_who_uses_a_tree_is_told_and_it_is_left(
    started: Cli, here: Cli, plan: Cli, tmp_path: Path, eventually: Cli
) -> None:
    shell = f"touch {tmp_path}/begun; sleep 600"
    started("run", plan({"id": "long", "shell": shell}, globals=OWN))
    eventually((tmp_path / "begun").exists, "the step")
    (tree,) = listed(here)
    assert tree["state"] == "in use"
    run_id = here("runs", "--json").document["runs"][0]["run_id"]
    assert tree["holder"].startswith(f"step long of {run_id} (process ")
    for words in (["--dry-run"], []):
        assert here("worktree", "prune", "--json", *words).document["left"] == [
            {"name": tree["name"], "why": f"in use by {tree['holder']}"}
        ]
    assert f"step long of {run_id}" in here("worktree", "list").out
    assert Path(tree["path"]).is_dir()


def test_pruning_removes_what_is_beyond_the_few_that_are_kept(
    ran: None, here: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIPIPE_WORKTREES_KEEP_IDLE", "1")
    before = listed(here)
    dry = here("worktree", "prune", "--dry-run", "--json").document
    assert (dry["dry_run"], len(dry["removed"])) == (True, 2)
    assert listed(here) == before
    assert "would remove" in here("worktree", "prune", "--dry-run").out
    done = here("worktree", "prune", "--json").document
    assert (done["removed"], done["left"]) == (dry["removed"], dry["left"])
    assert [each["kind"] for each in listed(here)] == ["pooled", "archive"]


def test_pruning_removes_old_archives_and_orphans(ran: None, here: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIPIPE_WORKTREES_ARCHIVE_DAYS", "0")
    tree = listed(here)[0]
    shutil.rmtree(tree["path"])
    assert listed(here)[0]["state"] == "orphaned"
    dry = here("worktree", "prune", "--dry-run", "--json").document["removed"]
    done = here("worktree", "prune", "--json").document["removed"]
    assert sorted(done) == sorted(dry)
    assert tree["name"] in done
    assert any(name.startswith("refs/minipipe/archive/") for name in done)


def test_outside_a_repository_it_is_unfit(here: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    for action in ("list", "prune"):
        assert here("worktree", action).code == 5
