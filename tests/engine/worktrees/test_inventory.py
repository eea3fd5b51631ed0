"""What there is, and what pruning takes and leaves."""

import shutil
from pathlib import Path

import pytest

from engine.config.keys import config_from
from engine.worktrees.archive import archive
from engine.worktrees.inventory import ARCHIVED, IDLE, IN_USE, ORPHANED, list_pool, orphans, prune, tidy
from engine.worktrees.manager import WorktreeManager
from engine.worktrees.places import home_in
from tests.engine.worktrees.conftest import Repository, assert_sound, content, git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "user" / "project", tmp_path / "trees")


def states(repository: Repository) -> dict[str, str]:
    return {found.name.rpartition("-")[2]: found.state for found in list_pool(repository.git_folder, repository.home)}


def test_a_home_that_is_not_there_is_empty(repository: Repository) -> None:
    assert list_pool(repository.git_folder, repository.home) == []
    assert prune(repository.git_folder, repository.home, keep_idle=0).removed == []
    assert not repository.home.exists()


def test_the_home_is_where_runs_put_their_worktrees(repository: Repository) -> None:
    config = config_from({"worktrees.dir": str(repository.trees)})
    assert home_in(config, repository.git_folder) == repository.home
    config = config_from({"worktrees.dir": "~/trees"})
    assert home_in(config, repository.git_folder).parent == Path.home() / "trees"


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
    assert used.holder is not None
    assert (used.holder.run_id, used.holder.step_id) == ("run", "step")
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
    assert [name for name, _ in pruned.left] == [trees[2].path.name]
    assert [found.name for found in pruned.in_use] == [trees[3].path.name]
    assert not trees[0].path.exists()
    assert trees[3].check() == ""
    assert_sound(repository)


def test_the_end_of_a_run_leaves_a_few_idle_ones_and_what_is_not_old(repository: Repository) -> None:
    pool = repository.pool()
    trees = [repository.claim(pool=pool) for _ in range(4)]
    kept = archive(trees[0])
    for tree in trees[:3]:
        tree.release()
    tidy(repository.git_folder, repository.home, keep_idle=1, archives_older_than_days=1)
    assert [tree.path.exists() for tree in trees] == [False, False, True, True]
    assert git(repository.root, "rev-parse", "--verify", kept)
    tidy(repository.git_folder, repository.home, keep_idle=1, archives_older_than_days=0)
    assert kept not in git(repository.root, "for-each-ref")
    assert_sound(repository)


def test_a_dry_pruning_foresees_everything_and_touches_nothing(repository: Repository) -> None:
    pool = repository.pool()
    trees = [repository.claim(pool=pool) for _ in range(6)]
    used, broken, dead, *idle = trees
    archives = [archive(tree) for tree in idle]
    lock = dead.path.with_name(f"{dead.path.name}.lock")
    claim = lock.read_bytes()
    for tree in trees[1:]:
        tree.release()
    lock.write_bytes(claim)  # As a kill leaves it.
    (dead.path / "half-done").write_text("x")
    manager = WorktreeManager(repository.root, worktrees_dir=repository.trees)
    gone, _ = manager.create_worktree("r", "gone", "gone"), manager.create_worktree("r", "kept", "kept")
    for path in (gone, broken.path):
        shutil.rmtree(path)
    (repository.home / "r_half.json").write_text('{"run_id": "r", "step_id": "half", "branch": "b", "is_made": false}')

    before = everything(repository)
    dry = prune(repository.git_folder, repository.home, keep_idle=2, archives_keep=1, is_dry=True)
    assert everything(repository) == before
    done = prune(repository.git_folder, repository.home, keep_idle=2, archives_keep=1)
    assert set(dry.removed) == set(done.removed)
    assert {broken.path.name, "r_gone", "r_half"} <= set(done.removed)
    assert len(dry.removed) == len(done.removed) == 5 + len(archives) - 1
    assert dry.left == done.left
    assert [found.name for found in dry.in_use] == [found.name for found in done.in_use] == [used.path.name]


def everything(repository: Repository) -> dict[str, object]:
    """All files of the repository and of its worktrees, whoever's they are."""
    return {str(place): (content(place), content(place / ".git")) for place in (repository.root, repository.home)}


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
