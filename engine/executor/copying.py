"""Files, links and folders, listed in and copied between places where steps have worked: never through a link, whoever
put it there, and nothing is made outside before that is known.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20


class Item(NamedTuple):
    """Something below a root."""

    path: Path
    mode: int
    size: int

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def items_below(root: Path, relative: Path) -> Iterator[Item]:
    """What stands at a place below a root, and all that is in it; ValueError where that is no file, link or folder."""
    with _folder_of(root, relative) as folder:
        top = _item(relative, relative.name, folder)
        yield top
        if stat.S_ISDIR(top.mode):
            for place, folders, names, below in os.fwalk(relative.name, dir_fd=folder):
                for name in (*folders, *names):
                    yield _item(relative.parent / place / name, name, below)


def _item(path: Path, name: str, folder: int) -> Item:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
        raise ValueError(f"{path} is neither a plain file nor a folder")
    return Item(path, status.st_mode, status.st_size)


def pieces_of(root: Path, relative: Path) -> Iterator[bytes]:
    """What a file holds."""
    with _folder_of(root, relative) as folder, _opened(relative, folder) as source:
        while piece := os.read(source, _PIECE_BYTES):
            yield piece


def copy_item(item: Item, source: Path, root: Path, target: Path) -> None:
    """Copy what was found below one root to a place below another, with its mode and time; what stands there is
    replaced, but never a folder. Of a folder not what is in it.
    """
    with _folder_of(source, item.path) as here, _folder_of(root, target, is_made=True) as there:
        if stat.S_ISDIR(item.mode):
            _make_folder(target, there)
        elif stat.S_ISLNK(item.mode):
            where = os.readlink(item.path.name, dir_fd=here)
            _make_room(target, there)
            os.symlink(where, target.name, dir_fd=there)
        else:
            _copy_file(item, here, target, there)


def _make_folder(target: Path, there: int) -> None:
    if target.name:
        os.close(_enter(there, target.name, target, is_made=True))


def _make_room(target: Path, there: int) -> None:
    try:
        os.unlink(target.name, dir_fd=there)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError) as error:
        raise ValueError(f"a folder stands in the place of {target}") from error


def _copy_file(item: Item, here: int, target: Path, there: int) -> None:
    with _opened(item.path, here) as original:
        status = os.fstat(original)
        _make_room(target, there)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.open(target.name, flags, 0o600, dir_fd=there)
        try:
            # Not more than was counted, should it still grow.
            _copy(original, copy, item.size)
            os.fchmod(copy, stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(copy)


def _copy(original: int, copy: int, size: int) -> None:
    while size > 0 and (piece := os.read(original, min(size, _PIECE_BYTES))):
        size -= len(piece)
        while piece:
            piece = piece[os.write(copy, piece) :]


@contextmanager
def _folder_of(root: Path, relative: Path, *, is_made: bool = False) -> Iterator[int]:
    """The open folder that something is in; made on the way down, if it is to be."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in relative.parent.parts:
            below = _enter(folder, name, relative, is_made=is_made)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


def _enter(folder: int, name: str, relative: Path, *, is_made: bool) -> int:
    if name == os.pardir:
        raise ValueError(f"{relative} leads upwards")
    try:
        return os.open(name, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not is_made:
            raise
        os.mkdir(name, dir_fd=folder)
        return os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise ValueError(f"{relative} is behind a link or a file") from error
        raise


@contextmanager
def _opened(path: Path, folder: int) -> Iterator[int]:
    descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path} is no plain file any more")
        yield descriptor
    finally:
        os.close(descriptor)
