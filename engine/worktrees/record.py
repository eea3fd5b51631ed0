"""What is written down of a worktree when it has been made: by this it is known again, and known to be untouched.

It stands beside the tree, outside it. A worktree without a record was never finished, whatever it looks like.
"""

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.worktrees import admin


@dataclass(frozen=True, slots=True)
class Record:
    device: int
    inode: int
    """Which folder it is, so that another in its place is noticed."""
    git_file: str
    gitdir: str
    commondir: str
    sparse: tuple[str, ...]
    commit: str
    run_id: str
    step_id: str
    used_at: str

    def used(self, commit: str, run_id: str, step_id: str, used_at: str) -> "Record":
        return replace(self, commit=commit, run_id=run_id, step_id=step_id, used_at=used_at)


def record_of(
    tree: Path, git_folder: Path, *, sparse: Sequence[str], commit: str, run_id: str, step_id: str, used_at: str
) -> Record:
    """What there is to know about a worktree that has just been made."""
    found = os.lstat(tree)
    git_file, gitdir, commondir = (admin.read_small(path) or "" for path in _pointers(tree, git_folder))
    return Record(
        found.st_dev, found.st_ino, git_file, gitdir, commondir, tuple(sparse), commit, run_id, step_id, used_at
    )


def write_record(path: Path, record: Record) -> None:
    made = path.with_name(path.name + ".new")
    made.write_text(json.dumps(asdict(record)))
    made.replace(path)


def read_record(path: Path) -> Record | None:
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        return Record(**{**told, "sparse": tuple(told["sparse"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def distrust(record: Record | None, tree: Path, git_folder: Path) -> str:
    """Why a worktree is no longer the one that was made; empty if it still is."""
    if record is None:
        return "it was never finished"
    try:
        found = os.lstat(tree)
    except OSError:
        return "its folder is gone"
    if not stat.S_ISDIR(found.st_mode) or (found.st_dev, found.st_ino) != (record.device, record.inode):
        return "another folder stands in its place"
    told = ("its .git file was", "git's gitdir file of it was", "git's commondir file of it was")
    expected = (record.git_file, record.gitdir, record.commondir)
    for path, text, what in zip(_pointers(tree, git_folder), expected, told, strict=True):
        if admin.read_small(path) != text:
            return f"{what} removed or altered"
    head = admin.read_small(git_folder / "HEAD") or ""
    if not (admin.head_commit(git_folder) or head.startswith("ref: ")):
        return "its HEAD is damaged"
    return ""


def _pointers(tree: Path, git_folder: Path) -> tuple[Path, Path, Path]:
    return tree / ".git", git_folder / "gitdir", git_folder / "commondir"
