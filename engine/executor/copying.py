"""Plain files, listed in and copied between folders in which steps have worked: never through a link, whoever put it
there, and nothing is made outside before that is known.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE_BYTES = 1 << 20


def plain_files(root: Path, relative: Path) -> Iterator[tuple[Path, int]]:
    """The file at a place below a root, or all files of the folder there, each with its size; ValueError where there
    is anything else but links, which are left out.
    """
    with _folder_of(root, relative) as folder:
        status = os.stat(relative.name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            yield relative, _size_of(relative, status)
            return
        for place, _, names, below in os.fwalk(relative.name, dir_fd=folder):
            for name in names:
                path = relative.parent / place / name
                found = os.stat(name, dir_fd=below, follow_symlinks=False)
                if not stat.S_ISLNK(found.st_mode):
                    yield path, _size_of(path, found)


def _size_of(path: Path, status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is neither a plain file nor a folder")
    return status.st_size


def pieces_of(root: Path, relative: Path) -> Iterator[bytes]:
    """What a file holds."""
    with _folder_of(root, relative) as folder, _opened(relative, folder) as source:
        while piece := os.read(source, _PIECE_BYTES):
            yield piece


def copy_plain(source_root: Path, source: Path, target_root: Path, target: Path) -> None:
    """Copy a file from below one root to below another, with its mode and time; what stands there is replaced."""
    with _folder_of(source_root, source) as here, _opened(source, here) as original:
        status = os.fstat(original)
        with _folder_of(target_root, target, is_made=True) as there:
            try:
                os.unlink(target.name, dir_fd=there)
            except FileNotFoundError:
                pass
            except (IsADirectoryError, PermissionError) as error:
                raise ValueError(f"{target} is a folder") from error
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            copy = os.open(target.name, flags, 0o600, dir_fd=there)
        try:
            _copy(original, copy, status.st_size)
            os.fchmod(copy, stat.S_IMODE(status.st_mode) & 0o777)
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(copy)


def _copy(original: int, copy: int, size: int) -> None:
    """Not more than was counted, should it still grow."""
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
        _size_of(path, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)
