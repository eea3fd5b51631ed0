"""What is in a failed step's worktree is kept as a commit."""

import os
from pathlib import Path

from engine.worktrees.archive import archive
from tests.engine.worktrees.conftest import Repository, content, git


def kept(repository: Repository, ref: str, path: str) -> str:
    return git(repository.root, "show", f"{ref}:{path}")


def test_everything_that_is_not_ignored_is_kept(repository: Repository, tmp_path: Path) -> None:
    with repository.claim() as worktree:
        (worktree.path / "same").write_text("changed\n")
        (worktree.path / "deep" / "other").unlink()
        (worktree.path / "added\nodd").write_text("added\n")
        (worktree.path / "tool").chmod(0o644)
        (worktree.path / "x.ignored").write_text("x")
        git(worktree.path, "update-index", "--skip-worktree", "new")
        (worktree.path / "new").write_text("hidden\n")
        before = content(worktree.path)
        ref = archive(worktree, attempt=2)
        assert content(worktree.path) == before
    assert ref == "refs/minipipe/archive/run/step.2"
    assert git(repository.root, "rev-parse", f"{ref}^").strip() == repository.second
    git(tmp_path, "clone", "--quiet", "--no-checkout", repository.root, tmp_path / "look")
    git(tmp_path / "look", "fetch", "--quiet", "origin", ref)
    git(tmp_path / "look", "checkout", "--quiet", "FETCH_HEAD")
    before.pop("x.ignored")
    assert content(tmp_path / "look") == before


def test_a_second_archive_of_one_attempt_replaces_nothing(repository: Repository) -> None:
    with repository.claim() as worktree:
        refs = [archive(worktree) for _ in range(3)]
    name = "refs/minipipe/archive/run/step.1"
    assert refs == [name, f"{name}-2", f"{name}-3"]


def test_the_files_of_a_repository_inside_are_kept_and_what_the_step_committed(repository: Repository) -> None:
    with repository.claim() as worktree:
        for place in ("inner", "unborn"):
            (worktree.path / place).mkdir()
            git(worktree.path / place, "init", "--quiet")
            (worktree.path / place / "file").write_text(f"in {place}\n")
        git(worktree.path / "inner", "add", ".")
        git(worktree.path / "inner", "commit", "--quiet", "-m", "x")
        git(worktree.path, "commit", "--quiet", "--allow-empty", "-m", "mine")
        mine = git(worktree.path, "rev-parse", "HEAD").strip()
        ref = archive(worktree)
    assert kept(repository, ref, "inner/file") == "in inner\n"
    assert kept(repository, ref, "unborn/file") == "in unborn\n"
    assert git(repository.root, "rev-parse", f"{ref}^2").strip() == mine


def test_a_worktree_that_lost_its_git_file_is_kept_too(repository: Repository) -> None:
    with repository.claim() as worktree:
        (worktree.path / ".git").unlink()
        (worktree.git_folder / "commondir").write_text("/nonexistent\n")
        (worktree.path / "same").write_text("changed\n")
        assert kept(repository, archive(worktree), "same") == "changed\n"


def test_a_change_as_young_and_large_as_the_checkout_is_kept(repository: Repository) -> None:
    for number in range(10):
        with repository.claim() as worktree:
            (worktree.path / "same").write_text(f"oth{number}r\n")
            assert kept(repository, archive(worktree), "same") == f"oth{number}r\n"


def test_files_left_out_of_a_sparse_tree_are_no_deletions(repository: Repository) -> None:
    with repository.claim(pool=repository.pool(sparse=("/deep/",))) as worktree:
        (worktree.path / "same").write_text("put back\n")
        ref = archive(worktree)
    changed = git(repository.root, "diff", "--name-status", repository.second, ref)
    assert changed == "M\tsame\n"


def test_traps_for_git_do_not_keep_work_from_being_kept(repository: Repository) -> None:
    with repository.claim() as worktree:
        for path in ("deep/.gitignore", ".gitattributes", "tool"):
            (worktree.path / path).unlink(missing_ok=True)
            os.mkfifo(worktree.path / path)
        (worktree.path / "inner" / ".git").mkdir(parents=True)
        os.mkfifo(worktree.path / "inner" / ".git" / "HEAD")
        (worktree.path / "same").write_text("work\n")
        (worktree.path / "same").chmod(0)
        (worktree.path / "deep").chmod(0)
        ref = archive(worktree)
    changed = git(repository.root, "diff", "--name-status", repository.second, ref)
    assert changed == "M\tsame\nD\ttool\n"


def test_a_ref_in_the_way_of_the_folder_does_not_keep_work_from_being_kept(repository: Repository) -> None:
    git(repository.root, "update-ref", "refs/minipipe/archive/run", repository.second)
    git(repository.root, "update-ref", "refs/minipipe/archive/run-more/step.1-2/below", repository.second)
    with repository.claim() as worktree:
        refs = [archive(worktree), archive(worktree)]
    assert refs == [f"refs/minipipe/archive/run-more/step.1{number}" for number in ("", "-3")]
