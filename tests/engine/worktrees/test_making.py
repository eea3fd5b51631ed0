"""A git killed while it makes a worktree leaves no repository that is broken for longer than to the next claim."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.worktrees.manager import WorktreeManager
from engine.worktrees.places import Slot, home_at
from tests.engine.worktrees.conftest import (
    Repository,
    assert_exactly,
    assert_sound,
    clean_environment,
    expected,
    git,
    users_things,
)

ZERO = "0" * 40
State = Callable[[Path, Path], None]


def steps_of_making(tree: Path, admin: Path, commit: str) -> list[Callable[[], object]]:
    """What `git worktree add` does, one visible change at a time: files are made empty, then filled."""
    written = [
        (admin / "locked", "initializing"),
        (admin / "gitdir", f"{tree}/.git\n"),
        (tree / ".git", f"gitdir: {admin}\n"),
        (admin / "HEAD", f"{ZERO}\n"),
        (admin / "commondir", "../..\n"),
        (admin / "HEAD.lock", f"{commit}\n"),
    ]
    steps: list[Callable[[], object]] = [lambda: admin.mkdir(parents=True)]
    for path, text in written:
        if path == tree / ".git":
            steps.append(lambda: tree.mkdir(parents=True))
        steps.append(lambda path=path: path.touch())  # type: ignore[misc]
        steps.append(lambda path=path, text=text: path.write_text(text))  # type: ignore[misc]
    steps.append(lambda: (admin / "HEAD.lock").replace(admin / "HEAD"))
    steps.append(lambda: (admin / "logs").mkdir())
    return steps


def slot_of(repository: Repository) -> Slot:
    return Slot(home_at(repository.home, repository.git_folder), 1)


@pytest.mark.parametrize("moment", range(1, 17))
def test_a_half_made_worktree_is_removed_by_the_next_opener(
    moment: int, repository: Repository, tmp_path: Path
) -> None:
    slot = slot_of(repository)
    slot.home.pool.mkdir(parents=True)
    steps = steps_of_making(slot.path, slot.git_folder, repository.second)
    assert moment <= len(steps)
    for step in steps[:moment]:
        step()
    pool = repository.pool()
    assert not slot.git_folder.exists()
    assert not slot.path.exists()
    assert_sound(repository)
    worktree = repository.claim(pool=pool)
    assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))
    assert_sound(repository)


def test_the_worktrees_of_another_home_and_the_users_own_are_left(repository: Repository, tmp_path: Path) -> None:
    git(repository.root, "worktree", "add", "--quiet", "--detach", tmp_path / "theirs")
    foreign = repository.git_folder / "worktrees" / "minipipe-00000000-01"
    foreign.mkdir()
    repository.claim().release()
    assert foreign.is_dir()
    assert (repository.git_folder / "worktrees" / "theirs" / "HEAD").is_file()
    foreign.rmdir()
    git(repository.root, "worktree", "remove", tmp_path / "theirs")


@pytest.mark.parametrize("lost", ["json", "index", "tree", "admin"])
def test_a_worktree_that_lost_a_part_is_made_anew(lost: str, repository: Repository, tmp_path: Path) -> None:
    with repository.claim(repository.first) as worktree:
        pass
    slot = slot_of(repository)
    for path in {"json": [slot.record], "index": [slot.index], "tree": [slot.path], "admin": [slot.git_folder]}[lost]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    worktree = repository.claim()
    assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))
    assert_sound(repository)


def test_a_reset_that_was_cut_short_is_done_again(repository: Repository, tmp_path: Path) -> None:
    repository.claim(repository.first).release()
    slot = slot_of(repository)
    # What a git killed in the middle leaves: some files of the new commit, the old index, and its lock.
    (slot.path / "gone").unlink()
    (slot.path / "new").write_text("ne")
    slot.index.with_name(slot.index.name + ".lock").write_bytes(b"DIRC")
    worktree = repository.claim()
    assert worktree.path == slot.path
    assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))


@pytest.mark.parametrize("moment", range(1, 17))
def test_a_half_made_named_worktree_is_removed_too(moment: int, repository: Repository) -> None:
    manager = WorktreeManager(repository.root, worktrees_dir=repository.trees)
    manager.home.prepare()
    tree, admin = manager.home.path / "r_s", repository.git_folder / "worktrees" / "r_s"
    (manager.home.path / "r_s.json").write_text('{"run_id": "r", "step_id": "s", "branch": "b", "is_made": false}')
    for step in steps_of_making(tree, admin, repository.second)[:moment]:
        step()
    assert WorktreeManager(repository.root, worktrees_dir=repository.trees).list_worktrees() == []
    assert not admin.exists()
    assert_sound(repository)
    path = manager.create_worktree("r", "s", "main-2")
    manager.cleanup_worktree(path)
    git(repository.root, "branch", "-D", "main-2")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills at exact calls")
def test_a_claim_after_a_kill_at_any_call_that_changes_files_works(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "user" / "project", tmp_path / "trees")
    before = users_things(repository.root, repository.git_folder)
    slot = slot_of(repository)
    slot.home.prepare()
    moments = [(call, number) for call in ("mkdir", "openat", "write", "rename", "unlink") for number in range(1, 40)]
    words = ["git", "worktree", "add", "--detach", "--no-checkout", "--lock", "--reason", "minipipe"]
    add = [*words, "--", str(slot.path), repository.second]
    killed = 0
    passed: set[str] = set()
    for call, number in moments:
        if call in passed:
            continue
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={number}", *add],
            cwd=repository.root,
            env=clean_environment(),
            capture_output=True,
            check=False,
        )
        if b"ptrace" in done.stderr:
            pytest.skip("this machine lets nobody trace")
        repository.pool()
        assert not slot.git_folder.exists()
        assert not slot.path.exists()
        killed += done.returncode != 0
        if done.returncode == 0:
            passed.add(call)
    assert killed > 40
    assert_sound(repository)
    repository.claim().release()
    assert users_things(repository.root, repository.git_folder) == before


CLAIM_AND_REMAKE = """
import sys
from pathlib import Path
from engine.worktrees.pool import WorktreePool
worktree = WorktreePool(Path(sys.argv[1]), Path(sys.argv[2])).claim(sys.argv[3], run_id="other", step_id="theirs")
(worktree.path / "litter").write_text("x")
(worktree.path / ".git").unlink()
worktree.reset(sys.argv[4])
worktree.release()
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills at exact calls")
def test_a_claim_after_our_own_death_works(repository: Repository, tmp_path: Path) -> None:
    wanted = expected(repository, repository.first, tmp_path / "clone")
    calls = ("mkdir", "rename", "unlinkat", "rmdir", "pwrite64", "flock", "utimensat", "vfork")
    killed = 0
    for call, number in itertools.product(calls, (1, 3)):
        kill = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={number}"]
        words = map(str, (repository.git_folder, repository.home, repository.first, repository.second))
        done = subprocess.run(
            [*kill, sys.executable, "-B", "-c", CLAIM_AND_REMAKE, *words],
            env={**clean_environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
        )
        if b"ptrace" in done.stderr:
            pytest.skip("this machine lets nobody trace")
        killed += done.returncode != 0
        with repository.claim(repository.first) as worktree:
            assert_exactly(worktree, repository.first, wanted)
        assert_sound(repository)
    assert killed >= 8
