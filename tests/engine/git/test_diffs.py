"""What git says of a change when it is asked for facts and text at once, against what it says when asked for each."""

import os
import subprocess
from pathlib import Path

import pytest

from engine.git.changes import Change
from engine.git.diffs import changes_and_text, changes_between, patch_text
from engine.git.program import Git
from engine.patches.description import describe


def told(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(root: Path) -> str:
    told(root, "add", "--all")
    told(root, "commit", "--quiet", "--allow-empty", "-m", "x")
    return told(root, "rev-parse", "HEAD")


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    """Two commits with everything between them that a change can be."""
    told(tmp_path, "init", "--quiet")
    strange = os.fsdecode(b"we\tird\n\xff")
    lines = "".join(f"{number}\n" for number in range(50))
    (tmp_path / "folder").mkdir()
    for name in ("folder/moved", "kept", strange):
        (tmp_path / name).write_text(lines)
    (tmp_path / "binary").write_bytes(b"\0\1")
    (tmp_path / "gone").write_text("gone\n")
    (tmp_path / "tool").write_text("tool\n")
    (tmp_path / "link").symlink_to("kept")
    # Text to git, for the NUL comes late.
    (tmp_path / "late").write_bytes(b"line\n" * 2000 + b"\0\n")
    before = committed(tmp_path)
    (tmp_path / "folder" / "moved").rename(tmp_path / "folder" / "here")
    (tmp_path / "folder" / "here").write_text(lines + "more\n")
    (tmp_path / strange).write_text(lines + "more")
    (tmp_path / "binary").write_bytes(b"\0\2")
    (tmp_path / "gone").unlink()
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").unlink()
    (tmp_path / "link").write_text("a file now\n")
    (tmp_path / "empty").touch()
    (tmp_path / "late").write_bytes(b"line\n" * 2000 + b"\0\r\n:100644 \0")
    return [before, committed(tmp_path)]


def test_both_at_once_are_what_each_is_alone(commits: list[str], tmp_path: Path) -> None:
    git = Git(tmp_path / ".git")
    changes, text = changes_and_text(git, *commits)
    assert changes == changes_between(git, *commits)
    assert text == patch_text(git, *commits)
    assert b"\0" in text
    assert {change.status for change in changes} >= {"A", "M", "D", "R", "T"}


def test_every_change_is_told_as_git_tells_it(commits: list[str], tmp_path: Path) -> None:
    changes = {change.path: change for change in changes_between(Git(tmp_path / ".git"), *commits)}
    moved = changes[b"folder/here"]
    assert (moved.status, moved.old_path, moved.lines_added, moved.lines_deleted) == ("R", b"folder/moved", 1, 0)
    assert (changes[b"we\tird\n\xff"].lines_added, changes[b"binary"].is_binary) == (1, True)
    assert (changes[b"tool"].old_mode, changes[b"tool"].new_mode) == ("100644", "100755")


def test_between_a_commit_and_itself_there_is_nothing(commits: list[str], tmp_path: Path) -> None:
    nothing: list[Change] = []
    assert changes_and_text(Git(tmp_path / ".git"), commits[0], commits[0]) == (nothing, b"")


def test_a_description_applies_as_the_change_itself(commits: list[str], tmp_path: Path) -> None:
    description = describe(Git(tmp_path / ".git"), *commits)
    told(tmp_path, "checkout", "--quiet", commits[0])
    subprocess.run(["git", "apply", "--index"], cwd=tmp_path, input=description.text, check=True)
    assert told(tmp_path, "write-tree") == told(tmp_path, "rev-parse", f"{commits[1]}^{{tree}}")
