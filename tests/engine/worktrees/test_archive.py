"""What is in a failed step's worktree is kept as a commit."""

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
        refs = [archive(worktree), archive(worktree)]
    assert refs == ["refs/minipipe/archive/run/step.1", "refs/minipipe/archive/run/step.1-2"]


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
