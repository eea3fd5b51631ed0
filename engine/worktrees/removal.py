"""Removing what a step left, whatever it is: never through a link, however deep, whatever the modes.

Folders are opened without following links and everything is done relative to the open folder. A deep tree is
flattened while it goes, so that depth costs neither stack nor descriptors.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BARE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> None:
    """Remove whatever stands at a path, if anything does. The folders above are trusted."""
    try:
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with suppress(FileNotFoundError):
            remove_entry(parent, path.name)
    finally:
        os.close(parent)


def remove_entry(parent: int, name: str) -> None:
    """Remove one entry of an open folder."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    with opened(name, parent) as folder:
        while names := os.listdir(folder):  # noqa: PTH208 (an open folder)
            for child in names:
                _remove_or_flatten(folder, child)
    os.rmdir(name, dir_fd=parent)


def _remove_or_flatten(top: int, name: str) -> None:
    """Remove an entry; the folders in it become folders of the top instead, to be met there."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=top).st_mode):
        os.unlink(name, dir_fd=top)
        return
    with opened(name, top) as folder, os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                _move_up(folder, entry.name, top)
            else:
                os.unlink(entry.name, dir_fd=folder)
    os.rmdir(name, dir_fd=top)


def _move_up(folder: int, name: str, top: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        with opened(name, folder):  # A folder that may not be written cannot be moved either.
            os.rename(name, f".{secrets.token_hex(12)}", src_dir_fd=folder, dst_dir_fd=top)


@contextmanager
def opened(name: str | Path, parent: int | None = None) -> Iterator[int]:
    """An open folder that its owner may read, write and enter."""
    descriptor = open_folder(name, parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(name: str | Path, parent: int | None = None) -> int:
    """Open a folder without following a link, and give its owner back the rights that he may have taken away."""
    try:
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        _open_up(name, parent)
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & 0o700 != 0o700:
        os.fchmod(descriptor, mode | 0o700)
    return descriptor


def _open_up(name: str | Path, parent: int | None) -> None:
    """Make a folder readable that cannot be opened; by its bare descriptor, since modes are set through links."""
    descriptor = os.open(name, _BARE, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
    finally:
        os.close(descriptor)
