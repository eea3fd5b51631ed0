"""What is noticed of refs that a step changed although they are not its own, however soon and however it did it."""

import subprocess
from pathlib import Path

import pytest

from engine.executor.strays import Strays
from engine.git.program import Git


def told(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    told(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for text in ("one", "two"):
        told(tmp_path, "commit", "--quiet", "--allow-empty", "-m", text)
    told(tmp_path, "checkout", "--quiet", "--detach")
    told(tmp_path, "branch", "side/way")
    return tmp_path


@pytest.fixture
def strays(root: Path) -> Strays:
    return Strays(Git(root / ".git"))


def test_where_nothing_happens_nothing_is_told(strays: Strays) -> None:
    assert [strays.since_last() for _ in range(3)] == [[], [], []]


def test_changes_that_follow_each_other_closely_are_all_told(strays: Strays, root: Path) -> None:
    older = told(root, "rev-parse", "HEAD~1")
    for number in range(10):
        told(root, "update-ref", f"refs/heads/new{number}", older)
        assert strays.since_last() == [f"refs/heads/new{number} was made"]
        told(root, "update-ref", f"refs/heads/new{number}", "HEAD")
        assert strays.since_last() == [f"refs/heads/new{number} was moved"]


def test_a_ref_that_is_written_without_git_is_told(strays: Strays, root: Path) -> None:
    older = told(root, "rev-parse", "HEAD~1")
    for commit in (older, told(root, "rev-parse", "HEAD"), older):
        with (root / ".git" / "refs" / "heads" / "side" / "way").open("r+") as file:
            file.write(commit)
        assert strays.since_last() == ["refs/heads/side/way was moved"]


def test_what_is_deleted_out_of_the_packed_refs_is_told(strays: Strays, root: Path) -> None:
    told(root, "pack-refs", "--all")
    assert strays.since_last() == []
    told(root, "branch", "-D", "side/way")
    assert strays.since_last() == ["refs/heads/side/way was deleted"]


def test_refs_of_ours_are_nothing_to_tell(strays: Strays, root: Path) -> None:
    told(root, "update-ref", "refs/minipipe/patches/x", "HEAD")
    assert strays.since_last() == []
