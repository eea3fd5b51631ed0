"""What git keeps of a worktree inside the repository, `worktrees/NAME`: whether it can be trusted, and its removal.

A git that is killed while it makes a worktree leaves such a folder half made, and then `fetch`, `gc` and `fsck` fail
for the whole repository; so whoever finds one of ours that nobody holds removes it. One that is not ours is never
touched.
"""

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from engine.worktrees.places import REASON
from engine.worktrees.removal import remove

_KEPT = {"HEAD", "commondir", "gitdir", "locked", "index"}
_LITTER = {"ORIG_HEAD", "COMMIT_EDITMSG", "FETCH_HEAD", "logs", "info", "index.minipipe", "gc.pid"}
"""What ordinary work leaves, and what is written anew where it is wanted."""

_UNDER_WAY = ("rebase-merge", "rebase-apply", "BISECT_START", "BISECT_LOG", "BISECT_NAMES", "MERGE_HEAD")
"""By what git tells that a rebase, a bisection or a merge is under way, in which a branch is in use."""

_SPARSE = Path("info") / "sparse-checkout"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_commit_id(text: str) -> bool:
    return _COMMIT.fullmatch(text) is not None


def read_small(path: Path) -> str | None:
    """The text of a small plain file; None if it is anything else, or a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.fsdecode(os.read(descriptor, 16_384))
    finally:
        os.close(descriptor)


def head_commit(admin: Path) -> str | None:
    """The commit that a worktree's HEAD names by itself; None on a branch, or when there is no such commit."""
    text = (read_small(admin / "HEAD") or "").strip()
    return text if is_commit_id(text) and text.strip("0") else None


def holds_branches(admin: Path) -> bool:
    """Whether git counts a branch as in use because of this worktree."""
    is_there = (admin / "HEAD").is_file() and head_commit(admin) is None
    return is_there or any(os.path.lexists(admin / name) for name in _UNDER_WAY)


def let_go_of_branches(admin: Path) -> None:
    """End what is under way in a worktree that nobody needs any more."""
    for name in _UNDER_WAY:
        remove(admin / name)


def unexpected_names(admin: Path) -> list[str]:
    """What no ordinary work leaves: locks, and the states of a merge, rebase, bisect or sparse checkout."""
    known = _KEPT | _LITTER
    if (admin.parent.parent / "reftable").is_dir():
        known |= {"reftable", "refs"}
    return sorted(name for name in set(os.listdir(admin)) - known if not _is_empty_folder(admin / name, "refs"))  # noqa: PTH208


def _is_empty_folder(path: Path, name: str) -> bool:
    return path.name == name and path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def tidy(admin: Path, sparse: str) -> None:
    """Drop what work has left; keep it locked, so that the user's `git worktree prune` passes it by."""
    for name in sorted(_LITTER & set(os.listdir(admin))):  # noqa: PTH208
        remove(admin / name)
    if read_small(admin / "locked") is None:
        remove(admin / "locked")
        (admin / "locked").write_text(REASON)
    if sparse:
        (admin / _SPARSE).parent.mkdir()
        (admin / _SPARSE).write_text(sparse)


def place_index(source: Path, admin: Path) -> None:
    """Give the worktree a copy of an index as its own."""
    made = admin / "index.minipipe"
    copy_index(source, made)
    made.replace(admin / "index")


def copy_index(source: Path, target: Path) -> None:
    """Copy an index with its time of writing, by which git knows which files may have changed unnoticed."""
    remove(target)
    shutil.copyfile(source, target, follow_symlinks=False)
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def folders_pointing_at(admin_folders: Path, tree: Path) -> list[Path]:
    """git's folders for the worktree at a place, whatever their names."""
    marker = str(tree / ".git")
    try:
        names = sorted(os.listdir(admin_folders))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        admin_folders / name
        for name in names
        if (read_small(admin_folders / name / "gitdir") or "").rstrip("\n") == marker
    ]


def remove_folder(admin: Path) -> None:
    """Remove git's folder of a worktree. Without `gitdir` git looks at it no more, so that goes first."""
    remove(admin / "gitdir")
    remove(admin)
    with suppress(OSError):
        admin.parent.rmdir()
