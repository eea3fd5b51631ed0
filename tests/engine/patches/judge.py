"""git as the independent judge of patches, and repositories to ask it in."""

import os
import subprocess
from pathlib import Path

from engine.git.changes import DiffStats

QUIET = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C",
    **{f"GIT_{who}_{what}": "minipipe@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
AS_CAPTURED = ("--binary", "--full-index", "-M", "--no-color", "--no-ext-diff")


def git(folder: Path, *words: str, stdin: bytes = b"", check: bool = True) -> bytes:
    return subprocess.run(["git", *words], cwd=folder, env=QUIET, input=stdin, capture_output=True, check=check).stdout


def accepts(folder: Path, patch: bytes) -> bool:
    """Whether git can read a patch at all; nothing is applied."""
    done = subprocess.run(["git", "apply", "--numstat"], cwd=folder, env=QUIET, input=patch, capture_output=True)
    return done.returncode == 0


def stats_of(folder: Path, patch: bytes) -> DiffStats:
    """What `git apply --numstat --summary` says about a patch."""
    rows = [row.split(b"\t", 2) for row in git(folder, "apply", "--numstat", stdin=patch).splitlines()]
    said = [line.split()[0] for line in git(folder, "apply", "--summary", stdin=patch).splitlines()]
    added, deleted = said.count(b"create") + said.count(b"copy"), said.count(b"delete")
    renamed = said.count(b"rename")
    return DiffStats(
        files_added=added,
        files_deleted=deleted,
        files_renamed=renamed,
        files_modified=len(rows) - added - deleted - renamed,
        lines_added=sum(int(row[0]) for row in rows if row[0] != b"-"),
        lines_deleted=sum(int(row[1]) for row in rows if row[1] != b"-"),
        binary_files=sum(row[0] == b"-" for row in rows),
    )


def new_repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def write_tree(folder: Path, files: dict[bytes, tuple[str, bytes]]) -> str:
    """A tree of these paths with mode and content, made without touching a file."""
    git(folder, "read-tree", "--empty")
    rows = []
    for path, (mode, content) in files.items():
        blob = (
            git(folder, "hash-object", "-w", "--stdin", "--no-filters", stdin=content) if mode != "160000" else content
        )
        rows.append(mode.encode() + b" " + blob.strip() + b"\t" + path)
    git(folder, "update-index", "-z", "--add", "--index-info", stdin=b"".join(row + b"\0" for row in rows))
    return git(folder, "write-tree").decode().strip()
