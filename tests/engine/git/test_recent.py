"""What git has answered once about things that never change."""

import subprocess
from pathlib import Path

import pytest

from engine.errors import GitFailed
from engine.git.objects import tree_of, write_commit
from engine.git.program import Git
from engine.git.recent import Recent


def told(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    told(tmp_path, "init", "--quiet")
    told(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "one")
    return tmp_path


def test_a_commit_that_was_written_here_has_the_tree_that_git_says(root: Path) -> None:
    git = Git(root / ".git")
    (root / "file").write_text("text")
    told(root, "add", "file")
    commit = write_commit(git, told(root, "write-tree"), [told(root, "rev-parse", "HEAD")], "two\n")
    assert tree_of(git, commit) == told(root, "rev-parse", f"{commit}^{{tree}}")


def test_the_tree_of_a_name_follows_the_name(root: Path) -> None:
    git = Git(root / ".git")
    before = tree_of(git, "HEAD")
    (root / "file").write_text("text")
    told(root, "add", "file")
    told(root, "commit", "--quiet", "-m", "two")
    assert tree_of(git, "HEAD") == told(root, "rev-parse", "HEAD^{tree}") != before


def test_what_one_repository_holds_is_not_known_of_another(root: Path) -> None:
    commit = told(root, "rev-parse", "HEAD")
    tree_of(Git(root / ".git"), commit)
    other = root / "other"
    told(root, "init", "--quiet", str(other))
    with pytest.raises(GitFailed):
        tree_of(Git(other / ".git"), commit)


def test_the_answer_that_was_not_asked_for_longest_goes_first() -> None:
    recent = Recent[str, int](2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.find("a") == 1
    recent.keep("c", 3)
    assert [recent.find(key) for key in "abc"] == [1, None, 3]
