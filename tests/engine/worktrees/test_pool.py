"""A pool shared by several runs: who gets which worktree, and what happens when one of them dies."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit, WorktreeUnavailable
from engine.worktrees import locks
from engine.worktrees.places import default_worktrees_dir, place_of
from engine.worktrees.pool import WorktreePool
from tests.engine.worktrees.conftest import Repository, assert_exactly, assert_sound, expected, git

CLAIM_AND_WAIT = """
import sys
from pathlib import Path
from engine.worktrees.pool import WorktreePool
pool = WorktreePool(Path(sys.argv[1]), Path(sys.argv[2]), cap=int(sys.argv[4]))
worktree = pool.claim(sys.argv[3], run_id="other", step_id="theirs")
print(worktree.path, flush=True)
sys.stdin.read()
"""
CLAIM_MANY = """
import sys
from pathlib import Path
from engine.worktrees.pool import WorktreePool
pool = WorktreePool(Path(sys.argv[1]), Path(sys.argv[2]))
for number in range(15):
    with pool.claim(sys.argv[3 + number % 2], run_id=sys.argv[5], step_id=str(number)) as worktree:
        (worktree.path / "mine").write_text(sys.argv[5])
        assert [path.name for path in worktree.path.glob("mine*")] == ["mine"]
        (worktree.path / ("mine-" + sys.argv[5])).write_text("x")
        assert (worktree.path / "mine").read_text() == sys.argv[5]
"""


def other_process(script: str, *words: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_worktree_given_back_is_used_again(repository: Repository) -> None:
    pool = repository.pool()
    first = repository.claim(pool=pool)
    second = repository.claim(pool=pool)
    assert first.path != second.path
    first.release()
    assert repository.claim(pool=pool).path == first.path
    second.release()


def test_a_run_prefers_what_it_used_last(repository: Repository) -> None:
    pool = repository.pool()
    mine, theirs = (pool.claim(repository.first, run_id=run, step_id="s") for run in ("mine", "theirs"))
    mine.release()
    theirs.release()
    assert pool.claim(repository.first, run_id="mine", step_id="s").path == mine.path
    assert pool.claim(repository.first, run_id="new", step_id="s").path == theirs.path


def test_every_folder_is_the_owners_alone_and_outside(repository: Repository) -> None:
    worktree = repository.claim()
    for folder in (repository.home, repository.home / "pool"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not worktree.path.is_relative_to(repository.root)
    assert worktree.git_folder.parent == repository.git_folder / "worktrees"


def test_a_home_inside_the_repository_is_refused(repository: Repository) -> None:
    with pytest.raises(EnvironmentUnfit, match="inside the repository"):
        WorktreePool(repository.git_folder, repository.root / "trees")
    assert not (repository.root / "trees").exists()


def test_a_pool_that_is_a_link_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.home.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (repository.home / "pool").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentUnfit, match="not a plain folder"):
        repository.pool()


def test_places_differ_for_repositories_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, two = (place_of(default_worktrees_dir(), tmp_path / name / "shop" / ".git") for name in "ab")
    assert one != two
    assert one.name.startswith("shop-")
    assert place_of(tmp_path, tmp_path / "bare\nodd.git").name.startswith("bare-odd-")


def test_the_cap_counts_what_all_processes_use(repository: Repository) -> None:
    pool = repository.pool(cap=2)
    assert pool.room() == 2
    assert repository.pool().room() is None
    other = other_process(CLAIM_AND_WAIT, repository.git_folder, repository.home, repository.second, "2")
    assert other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    assert pool.room() == 1
    mine = repository.claim(pool=pool)
    assert mine.path != theirs
    assert pool.room() == 0
    with pytest.raises(WorktreeUnavailable, match="all 2") as caught:
        repository.claim(pool=pool)
    assert caught.value.retryable
    holder = locks.read_holder(theirs.with_name(theirs.name + ".lock"))
    assert holder is not None
    assert (holder.pid, holder.run_id, holder.step_id) == (other.pid, "other", "theirs")
    other.kill()
    other.communicate()
    assert pool.room() == 1
    pool.rescue("other")
    assert repository.claim(pool=pool).path == theirs
    mine.release()


def test_processes_never_share_a_worktree(repository: Repository) -> None:
    words = (repository.git_folder, repository.home, repository.first, repository.second)
    others = [other_process(CLAIM_MANY, *words, f"run{number}") for number in range(3)]
    assert [other.wait() for other in others] == [0, 0, 0]
    for other in others:
        other.communicate()
    assert_sound(repository)


def test_a_lock_outlives_us_while_a_git_of_ours_works(repository: Repository) -> None:
    pool = repository.pool()
    worktree = repository.claim(pool=pool)
    (descriptor,) = worktree.git().held
    reader, writer = os.pipe()
    git_like = subprocess.Popen(["cat"], stdin=reader, pass_fds=[descriptor])
    os.close(reader)
    path = worktree.path
    worktree._lock = None
    os.close(descriptor)
    other = repository.claim(pool=pool)
    assert other.path != path
    other.release()
    os.close(writer)
    git_like.wait()
    pool.rescue("run")
    assert {repository.claim(pool=pool).path, repository.claim(pool=pool).path} == {path, other.path}


def test_locks_do_not_reach_steps(repository: Repository) -> None:
    worktree = repository.claim()
    assert not os.get_inheritable(worktree.git().held[0])


def test_what_cannot_be_had_is_one_clear_error(repository: Repository) -> None:
    pool = repository.pool()
    for commit in ("0" * 39 + "1", "no-such-branch", "--help", ""):
        with pytest.raises(WorktreeUnavailable, match="no working tree can be had"):
            repository.claim(commit, pool=pool) if commit else pool.claim("", run_id="r", step_id="s")
    assert_sound(repository)


def test_a_name_is_resolved_to_its_commit(repository: Repository) -> None:
    assert repository.claim("main").commit == repository.second


def test_a_missing_git_is_not_a_failed_step(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = repository.pool()
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(EnvironmentUnfit):
        repository.claim(pool=pool)


def test_a_users_prune_and_gc_leave_our_worktrees(repository: Repository) -> None:
    with repository.claim() as worktree:
        (repository.git_folder / "worktrees" / worktree.path.name / "locked").read_text()
        git(worktree.path.parent, f"--git-dir={repository.git_folder}", "worktree", "prune", "--expire=now")
        assert worktree.check() == ""
        listed = git(repository.root, "worktree", "list", "--porcelain")
        assert "locked minipipe" in listed


def test_nobody_is_given_a_killed_owners_worktree_before_its_work_is_kept(
    repository: Repository, tmp_path: Path
) -> None:
    other = other_process(CLAIM_AND_WAIT, repository.git_folder, repository.home, repository.first, "0")
    assert other.stdout is not None
    theirs = Path(other.stdout.readline().strip())
    (theirs / "half-done").write_text("x")
    os.kill(other.pid, signal.SIGKILL)
    other.communicate()
    pool = repository.pool()
    with repository.claim(pool=pool) as mine:
        assert mine.path != theirs
    assert pool.rescue("somebody-else") == {}
    assert pool.rescue("other") == {"theirs": "refs/minipipe/orphans/theirs"}
    assert git(repository.root, "show", "refs/minipipe/orphans/theirs:half-done") == "x"
    with repository.claim(pool=pool) as one, repository.claim(pool=pool) as another:
        found = {one.path: one, another.path: another}
        assert_exactly(found[theirs], repository.second, expected(repository, repository.second, tmp_path / "clone"))


def test_what_a_killed_owner_did_not_change_is_not_kept(repository: Repository) -> None:
    other = other_process(CLAIM_AND_WAIT, repository.git_folder, repository.home, repository.first, "0")
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    other.communicate()
    assert repository.pool().rescue("other") == {}


def test_what_the_lock_says_is_gone_with_the_holder(repository: Repository) -> None:
    worktree = repository.claim()
    lock = worktree.path.with_name(worktree.path.name + ".lock")
    assert json.loads(lock.read_text())["pid"] == os.getpid()
    worktree.release()
    worktree.release()
    assert lock.read_text() == ""
