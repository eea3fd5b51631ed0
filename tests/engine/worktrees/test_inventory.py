"""What there is, and what pruning takes and leaves."""

import shutil
from pathlib import Path

import pytest

from engine.worktrees.archive import archive
from engine.worktrees.inventory import ARCHIVED, IDLE, IN_USE, ORPHANED, list_pool, orphans, prune
from engine.worktrees.manager import WorktreeManager
from tests.engine.worktrees.conftest import Repository, assert_sound, git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "user" / "project", tmp_path / "trees")


def states(repository: Repository) -> dict[str, str]:
    return {found.name.rpartition("-")[2]: found.state for found in list_pool(repository.git_folder, repository.home)}


def test_a_home_that_is_not_there_is_empty(repository: Repository) -> None:
    assert list_pool(repository.git_folder, repository.home) == []
    assert prune(repository.git_folder, repository.home, keep_idle=0).removed == []
    assert not repository.home.exists()


def test_everything_is_listed_with_its_state(repository: Repository) -> None:
    pool = repository.pool()
    trees = [repository.claim(pool=pool) for _ in range(3)]
    archive(trees[1])
    trees[1].release()
    trees[2].release()
    shutil.rmtree(trees[2].path)
    WorktreeManager(repository.root, worktrees_dir=repository.trees).create_worktree("r", "s", "topic")
    assert states(repository) == {
        "01": IN_USE,
        "02": IDLE,
        "r_s": IDLE,
        "refs/minipipe/archive/run/step.1": ARCHIVED,
    }
    used, *_ = list_pool(repository.git_folder, repository.home, is_measured=True)
    assert "run run, step step" in used.holder
    assert used.commit == repository.second
    assert (used.size or 0) > 0
    assert used.age_seconds >= 0


def test_halves_are_orphans_until_they_are_pruned(repository: Repository) -> None:
    with repository.claim() as worktree:
        pass
    shutil.rmtree(worktree.path)
    assert [found.state for found in orphans(repository.git_folder, repository.home)] == [ORPHANED]
    pruned = prune(repository.git_folder, repository.home, keep_idle=9)
    assert pruned.removed == [worktree.path.name]
    assert orphans(repository.git_folder, repository.home) == []
    assert_sound(repository)


def test_pruning_keeps_the_last_used_and_what_is_in_use(repository: Repository) -> None:
    pool = repository.pool()
    trees = [repository.claim(pool=pool) for _ in range(4)]
    for tree in trees[:3]:
        tree.release()
    pruned = prune(repository.git_folder, repository.home, keep_idle=1)
    assert pruned.removed == [trees[1].path.name, trees[0].path.name]
    assert [name for name, _ in pruned.left] == [trees[2].path.name, trees[3].path.name]
    assert pruned.left[1][1].startswith("in use by run run")
    assert not trees[0].path.exists()
    assert trees[3].check() == ""
    assert_sound(repository)


def test_pruning_leaves_named_worktrees_and_what_is_not_ours(repository: Repository, tmp_path: Path) -> None:
    git(repository.root, "worktree", "add", "--quiet", "--detach", tmp_path / "theirs")
    manager = WorktreeManager(repository.root, worktrees_dir=repository.trees)
    path = manager.create_worktree("r", "s", "topic")
    (repository.home / "users-notes").mkdir()
    (repository.home / "pool" / "users-own").mkdir()
    pruned = prune(repository.git_folder, repository.home, keep_idle=0)
    assert pruned.removed == []
    assert [name for name, _ in pruned.left] == ["r_s"]
    for place in (path, tmp_path / "theirs", repository.home / "users-notes", repository.home / "pool" / "users-own"):
        assert place.is_dir()


def test_a_lonely_commit_of_a_folder_that_is_gone_is_left_alone(repository: Repository) -> None:
    manager = WorktreeManager(repository.root, worktrees_dir=repository.trees)
    on_a_branch, lonely = (manager.create_worktree("r", name, name) for name in ("kept", "lonely"))
    git(lonely, "checkout", "--quiet", "--detach")
    git(lonely, "commit", "--quiet", "--allow-empty", "-m", "lonely")
    for path in (on_a_branch, lonely):
        shutil.rmtree(path)
    pruned = prune(repository.git_folder, repository.home, keep_idle=0)
    assert pruned.removed == ["r_kept"]
    ((name, why),) = pruned.left
    assert name == "r_lonely"
    assert "is in no branch" in why


def test_old_and_surplus_archives_go(repository: Repository) -> None:
    with repository.claim() as worktree:
        refs = [archive(worktree, attempt=number) for number in range(1, 5)]
    assert prune(repository.git_folder, repository.home, keep_idle=9, archives_older_than_days=1).removed == []
    pruned = prune(repository.git_folder, repository.home, keep_idle=9, archives_keep=3)
    assert len(pruned.removed) == 1
    pruned = prune(repository.git_folder, repository.home, keep_idle=9, archives_older_than_days=-1)
    assert len(pruned.removed) == 3
    assert git(repository.root, "for-each-ref", "refs/minipipe") == ""
    assert len(refs) == 4
