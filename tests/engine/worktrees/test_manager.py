"""Named worktrees for users' code: made on a branch, listed, and removed without losing anything."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ActionRefused, GitFailed, NotFound, UsageError
from engine.worktrees import WorktreeManager
from tests.engine.worktrees.conftest import Repository, assert_sound, content, expected, git


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "user" / "project", tmp_path / "trees")


@pytest.fixture
def manager(repository: Repository) -> WorktreeManager:
    return WorktreeManager(repository.root, worktrees_dir=repository.trees)


def test_the_name_loads_nothing_heavy() -> None:
    script = "import sys, engine.worktrees; print({'peewee', 'pydantic', 'textual', 'git'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"


def test_a_worktree_is_made_on_a_new_branch(repository: Repository, manager: WorktreeManager, tmp_path: Path) -> None:
    path = manager.create_worktree("run_1", "step-1", "feature/x")
    assert path == repository.home / "run_1_step-1"
    assert git(path, "symbolic-ref", "HEAD").strip() == "refs/heads/feature/x"
    assert content(path) == expected(repository, repository.second, tmp_path / "clone")
    assert git(path, "status", "--porcelain") == ""
    assert manager.list_worktrees() == [
        {
            "path": str(path),
            "branch": "feature/x",
            "head": repository.second,
            "run_id": "run_1",
            "step_id": "step-1",
            "kind": "named",
        }
    ]


def test_an_existing_branch_is_used_where_it_is(repository: Repository, manager: WorktreeManager) -> None:
    git(repository.root, "branch", "old", repository.first)
    git(repository.root, "tag", "old", repository.second)
    path = manager.create_worktree("r", "s", "old")
    assert git(path, "rev-parse", "refs/heads/old", "HEAD").split() == [repository.first] * 2
    assert git(path, "status", "--porcelain") == ""


def test_a_branch_that_is_checked_out_is_refused(repository: Repository, manager: WorktreeManager) -> None:
    manager.create_worktree("r", "s", "mine")
    for branch in ("main", "mine"):
        assert manager.is_branch_checked_out(branch)
        with pytest.raises(ActionRefused, match="checked out in another working tree"):
            manager.create_worktree("r", "other", branch)
    assert not (repository.home / "r_other").exists()
    assert not manager.is_branch_checked_out("none")


def test_a_branch_that_is_rebased_or_bisected_counts_as_checked_out(
    repository: Repository, manager: WorktreeManager, tmp_path: Path
) -> None:
    git(repository.root, "checkout", "--quiet", "-b", "moving", repository.first)
    (repository.root / "same").write_text("conflict\n")
    git(repository.root, "commit", "--quiet", "-am", "conflict")
    git(repository.root, "rebase", "main", exit_code=1)
    assert git(repository.root, "branch", "--show-current") == ""
    assert manager.is_branch_checked_out("moving")
    git(repository.root, "worktree", "add", "--quiet", "-b", "searched", tmp_path / "linked")
    git(tmp_path / "linked", "bisect", "start", repository.second, repository.first)
    git(tmp_path / "linked", "checkout", "--quiet", "--detach")
    assert manager.is_branch_checked_out("searched")


@pytest.mark.parametrize(
    "branch", ["-b", "--detach", "a..b", "a b", "", "@{-1}", "x.lock", "HEAD", "a\nb", "/a", "a\0b"]
)
def test_odd_names_of_branches_are_refused(branch: str, repository: Repository, manager: WorktreeManager) -> None:
    git(repository.root, "checkout", "--quiet", "-b", "elsewhere")
    git(repository.root, "checkout", "--quiet", "main")
    with pytest.raises(UsageError):
        manager.create_worktree("r", "s", branch)


@pytest.mark.parametrize("name", ["../up", "a/b", "", "-x", "a.b", "x\n", "x" * 65])
def test_odd_ids_are_refused(name: str, manager: WorktreeManager) -> None:
    for run_id, step_id in ((name, "s"), ("r", name)):
        with pytest.raises(UsageError):
            manager.create_worktree(run_id, step_id, "b")
    assert not manager.home.path.exists()


def test_a_failed_making_leaves_nothing(repository: Repository, manager: WorktreeManager) -> None:
    git(repository.root, "branch", "taken")
    with pytest.raises(GitFailed):
        manager.create_worktree("r", "s", "taken/below")
    assert manager.list_worktrees() == []
    assert sorted(path.name for path in repository.home.iterdir()) == ["admin.lock", "pool"]
    assert_sound(repository)


def test_the_same_name_twice_is_refused(manager: WorktreeManager) -> None:
    manager.create_worktree("r", "s", "one")
    with pytest.raises(ActionRefused, match="there already"):
        manager.create_worktree("r", "s", "two")
    # Two names that look alike once joined.
    manager.create_worktree("a_b", "c", "three")
    with pytest.raises(ActionRefused, match="there already"):
        manager.create_worktree("a", "b_c", "four")


def test_a_clean_worktree_goes_without_a_trace_and_its_branch_stays(
    repository: Repository, manager: WorktreeManager
) -> None:
    path = manager.create_worktree("r", "s", "topic")
    (path / "same").write_text("done\n")
    git(path, "commit", "--quiet", "-am", "work")
    work = git(path, "rev-parse", "HEAD").strip()
    assert manager.cleanup_worktree(path) is None
    assert not path.exists()
    assert git(repository.root, "rev-parse", "topic").strip() == work
    assert git(repository.root, "for-each-ref", "refs/minipipe") == ""
    assert not (repository.git_folder / "worktrees").exists()
    assert manager.create_worktree("r", "s", "topic") == path


def test_uncommitted_staged_and_untracked_work_is_kept(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    (path / "new").write_text("staged\n")
    git(path, "add", "new")
    (path / "new").write_text("edited\n")
    (path / "untracked").write_text("untracked\n")
    ref = manager.cleanup_worktree(path)
    assert ref == "refs/minipipe/archive/r_s"
    assert git(repository.root, "show", f"{ref}:new") == "edited\n"
    assert git(repository.root, "show", f"{ref}:untracked") == "untracked\n"
    assert git(repository.root, "show", f"{ref}^2:new") == "staged\n"
    assert not path.exists()


def test_commits_that_no_branch_holds_are_kept(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    git(path, "checkout", "--quiet", "--detach")
    git(path, "commit", "--quiet", "--allow-empty", "-m", "lonely")
    lonely = git(path, "rev-parse", "HEAD").strip()
    ref = manager.cleanup_worktree(path)
    assert git(repository.root, "rev-parse", f"{ref}^").strip() == lonely


def test_commits_are_kept_even_where_work_is_given_up(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    git(path, "checkout", "--quiet", "--detach")
    git(path, "commit", "--quiet", "--allow-empty", "-m", "lonely")
    (path / "same").write_text("given up\n")
    ref = manager.cleanup_worktree(path, archive_on_failure=False)
    assert git(repository.root, "diff", "--name-only", repository.second, str(ref)) == ""


def test_a_folder_that_git_forgot_is_left_to_a_person(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    shutil.rmtree(repository.git_folder / "worktrees" / "r_s")
    with pytest.raises(ActionRefused, match="git knows it no more"):
        manager.cleanup_worktree(path)
    assert (path / "same").is_file()
    shutil.rmtree(path)
    manager.cleanup_worktree(path)
    assert not list(repository.home.glob("r_s*"))


def test_work_is_given_up_only_if_asked(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    (path / "same").write_text("given up\n")
    assert manager.cleanup_worktree(path, archive_on_failure=False) is None
    assert not path.exists()
    assert git(repository.root, "for-each-ref", "refs/minipipe") == ""


def test_what_was_not_made_here_is_never_removed(
    repository: Repository, manager: WorktreeManager, tmp_path: Path
) -> None:
    git(repository.root, "worktree", "add", "--quiet", "--detach", tmp_path / "theirs")
    path = manager.create_worktree("r", "s", "topic")
    (repository.home / "a_b").mkdir()
    alias = tmp_path / "alias"
    alias.symlink_to(path)
    for place in (repository.root, tmp_path / "theirs", repository.home, repository.home / "a_b", path / "deep", alias):
        with pytest.raises(ActionRefused, match="not made here"):
            manager.cleanup_worktree(place)
        assert place.exists()
    with pytest.raises(NotFound):
        manager.cleanup_worktree(repository.home / "no_such")


def test_a_repository_inside_is_not_thrown_away(manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    (path / "inner").mkdir()
    git(path / "inner", "init", "--quiet")
    with pytest.raises(ActionRefused, match="a repository of its own at inner"):
        manager.cleanup_worktree(path)
    assert (path / "inner" / ".git").is_dir()


def test_a_folder_removed_by_hand_is_forgotten(repository: Repository, manager: WorktreeManager) -> None:
    path = manager.create_worktree("r", "s", "topic")
    git(repository.root, "worktree", "remove", "-f", "-f", path)
    assert manager.cleanup_worktree(path) is None
    assert manager.list_worktrees() == []


def test_the_pool_is_listed_too(repository: Repository, manager: WorktreeManager) -> None:
    repository.claim().release()
    (found,) = manager.list_worktrees()
    assert (found["kind"], found["run_id"], found["branch"]) == ("pooled", "run", None)


def test_an_archive_named_like_a_run_finds_another_name(repository: Repository, manager: WorktreeManager) -> None:
    git(repository.root, "update-ref", "refs/minipipe/archive/r_s/step.1", repository.second)
    path = manager.create_worktree("r", "s", "topic")
    (path / "same").write_text("work\n")
    assert manager.cleanup_worktree(path) == "refs/minipipe/archive/r_s-2"


def test_the_settings_say_where_worktrees_are(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert WorktreeManager(repository.root).home.path.parent == tmp_path / "state" / "minipipe" / "worktrees"
    monkeypatch.setenv("MINIPIPE_WORKTREES_DIR", str(tmp_path / "chosen"))
    assert WorktreeManager(repository.root).home.path.parent == tmp_path / "chosen"
