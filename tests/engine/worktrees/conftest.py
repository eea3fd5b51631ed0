"""Repositories of many kinds, judged by plain git, and what must be the same in them before and after."""

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.worktrees.places import place_of
from engine.worktrees.pool import WorktreePool
from engine.worktrees.worktree import Worktree

ODD = [
    b"plain",
    b"with space",
    b"new\nline",
    b'tab\t"quoted"',
    b"caf\xe9-not-utf8",
    "日本".encode(),
    b"-dash",
    b"*star",
]


def clean_environment() -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    people = {
        f"GIT_{who}_{what}": f"{who}@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return {**env, **people, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def git(cwd: Path, *words: str | Path, exit_code: int | None = 0) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, env=clean_environment(), capture_output=True, check=False)
    assert exit_code is None or done.returncode == exit_code, (words, os.fsdecode(done.stderr))
    return os.fsdecode(done.stdout)


class Repository:
    """A user's repository with two commits, and short ways to worktrees of it."""

    def __init__(self, root: Path, trees: Path, *words: str) -> None:
        self.root = root
        self.trees = trees
        root.mkdir(parents=True)
        git(root, "init", "--quiet", "--initial-branch=main", *words)
        for name in ODD:
            Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"content of " + name)
        for path in ("deep/er/file", "deep/other", "same", "gone"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(f"{path}\n")
        (root / ".gitignore").write_text("*.ignored\nbuild/\n")
        (root / "tool").write_text("#!/bin/sh\n")
        (root / "tool").chmod(0o755)
        (root / "link").symlink_to("deep/er")
        self.first = self.commit("first")
        (root / "gone").unlink()
        (root / "new").write_text("new\n")
        (root / "same").write_text("other\n")
        self.second = self.commit("second")

    @property
    def git_folder(self) -> Path:
        return self.root / ".git"

    @property
    def home(self) -> Path:
        return place_of(self.trees, self.git_folder)

    def commit(self, message: str) -> str:
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--allow-empty", "-m", message)
        return git(self.root, "rev-parse", "HEAD").strip()

    def pool(self, **how: object) -> WorktreePool:
        return WorktreePool(self.git_folder, self.home, **how)  # type: ignore[arg-type]

    def claim(self, commit: str | None = None, *, pool: WorktreePool | None = None, **how: bool) -> Worktree:
        return (pool or self.pool()).claim(commit or self.second, run_id="run", step_id="step", **how)


def content(root: Path) -> dict[str, tuple[str, str]]:
    """Everything in a tree but the top's `.git`: type and executable bit, and content or target."""
    found = {}
    for place, folders, names in os.walk(root):
        if Path(place) == root and ".git" in folders:
            folders.remove(".git")
        for name in (*folders, *names):
            path = Path(place, name)
            if path != root / ".git":
                found[str(path.relative_to(root))] = _described(path)
    return found


def _described(path: Path) -> tuple[str, str]:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "link", os.readlink(path)  # noqa: PTH115
    if stat.S_ISREG(mode):
        return ("program" if mode & 0o100 else "file"), hashlib.sha256(path.read_bytes()).hexdigest()
    return ("folder", "") if stat.S_ISDIR(mode) else ("special", "")


def expected(repository: Repository, commit: str, scratch: Path) -> dict[str, tuple[str, str]]:
    """What plain git checks out for a commit, in a clone far away."""
    git(scratch.parent, "clone", "--quiet", "--no-checkout", "--no-hardlinks", repository.root, scratch)
    git(scratch, "checkout", "--quiet", "--detach", commit)
    return content(scratch)


def users_things(root: Path, git_folder: Path) -> dict[str, object]:
    """What is the user's, byte for byte: tree, index, HEAD, settings, hooks and every ref and log that is not ours."""
    files = {
        str(path.relative_to(git_folder)): path.read_bytes()
        for path in sorted(git_folder.rglob("*"))
        if path.is_file() and path.relative_to(git_folder).parts[0] not in ("objects", "worktrees", "packed-refs")
    }
    ours = ("refs/minipipe",)
    return {
        "files": {name: text for name, text in files.items() if not name.startswith(ours)},
        "refs": [line for line in git(root, "for-each-ref").splitlines() if "refs/minipipe/" not in line],
        "tree": content(root),
        "times": {
            str(path): os.lstat(path).st_mtime_ns for path in sorted(root.rglob("*")) if ".git" not in path.parts
        },
    }


def assert_exactly(worktree: Worktree, commit: str, wanted: dict[str, tuple[str, str]]) -> None:
    """The tree holds a commit and nothing else, by looking at the disk, and by a step's own git."""
    assert content(worktree.path) == wanted
    assert git(worktree.path, "status", "--porcelain", "--ignored") == ""
    assert git(worktree.path, "rev-parse", "HEAD").strip() == commit
    git(worktree.path, "symbolic-ref", "--quiet", "HEAD", exit_code=1)
    assert not [line for line in git(worktree.path, "ls-files", "-v").splitlines() if not line.startswith("H ")]
    assert worktree.check() == ""


def assert_sound(repository: Repository) -> None:
    """git finds nothing wrong with the whole repository."""
    done = subprocess.run(
        ["git", "fsck", "--full"], cwd=repository.root, env=clean_environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"error" not in done.stderr
    git(repository.root, "worktree", "list")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "user" / "project", tmp_path / "trees")
    before = users_things(made.root, made.git_folder)
    yield made
    assert users_things(made.root, made.git_folder) == before
