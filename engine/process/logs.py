"""A step's log file: written by the step itself, kept within its cap by us while it grows.

The engine never stands between a step and its log. A log that outgrew its cap keeps its head and its tail;
the middle is given back to the disk as a hole while the step goes on writing, and when the attempt is over
the file is rewritten as head, a visible line that says how much is missing, and tail. Where a file system
cannot make holes the file is cut back to its head instead, and what was written last before the end is the
tail.
"""

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

_QUIET_PAUSE = 0.25
_BUSY_PAUSE = 0.02
_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02
_COPY_BYTES = 1 << 20


class SpareLogs:
    """The log files of attempts that printed nothing, taken for later ones: an attempt without output leaves none.

    Making a file can cost more than everything else that a small step needs; giving it another name costs little.
    """

    def __init__(self) -> None:
        self._paths: list[Path] = []

    def open(self, path: Path) -> int:
        """A log to append to: a spare one under its new name, or a new one."""
        while self._paths:
            try:
                os.rename(self._paths.pop(), path)  # noqa: PTH104 - on the way of every step
                return open_log(path)
            except OSError:
                continue  # Somebody removed the spare one, or it lies elsewhere.
        return open_log(path)

    def keep(self, path: Path) -> None:
        self._paths.append(path)

    def clear(self) -> None:
        """Remove what was not used again."""
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()


class CappedLog:
    """One attempt's log; whoever runs the attempt calls `trim` now and then, and `finish` once at the end."""

    def __init__(self, path: Path, cap_bytes: int, spares: SpareLogs | None = None) -> None:
        self.path = path
        self._spares = spares or SpareLogs()
        self.descriptor = self._spares.open(path)
        self.pause = _QUIET_PAUSE
        """How long `trim` may be left alone."""
        self._keep = max(cap_bytes // 2, 1)
        self._size = 0
        self._punched = self._keep
        self._truncated = 0

    def trim(self) -> None:
        """Give back the middle of the log if it has outgrown its cap."""
        size = os.fstat(self.descriptor).st_size
        self.pause = _BUSY_PAUSE if size - self._size > self._keep // 4 else _QUIET_PAUSE
        self._size = size
        end = size - self._keep
        if end <= self._punched:
            return
        if punch_hole(self.descriptor, self._punched, end - self._punched):
            self._punched = end
        else:
            os.ftruncate(self.descriptor, self._keep)
            self._truncated += end
            self._size = self._keep

    def finish(self) -> None:
        """Let go of the file; one that was too long becomes head, marker and tail, one that is empty a spare."""
        try:
            size = os.fstat(self.descriptor).st_size
            if size == 0 and not self._truncated:
                self._spares.keep(self.path)
            if self._truncated or size > 2 * self._keep:
                tail = min(self._keep, size - self._keep)
                rewrite(self.path, head=self._keep, tail=tail, cut=self._truncated + size - self._keep - tail)
        except OSError:
            pass  # The step removed it, or the disk is full: what is there stays as it is.
        finally:
            os.close(self.descriptor)


def open_log(path: Path) -> int:
    """A log to append to, for the owner alone, never through a link; a missing folder is made."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def append_log(path: Path, text: str) -> None:
    """Write to a log as a step would."""
    with os.fdopen(open_log(path), "ab") as log:
        log.write(text.encode("utf-8", "replace"))


def rewrite(path: Path, *, head: int, tail: int, cut: int) -> None:
    """Replace a file, at once, by its head, a line that says how much was cut, and its tail."""
    fresh = path.with_name(f"{path.name}.cut")
    try:
        with (
            path.open("rb") as source,
            os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target,
        ):
            _copy(source, target, head)
            target.write(f"\n… {human_bytes(cut)} cut …\n".encode())
            source.seek(-tail, os.SEEK_END)
            _copy(source, target, tail)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def human_bytes(count: int) -> str:
    """A number of bytes as a person says it, such as `1.2 GB`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def punch_hole(descriptor: int, start: int, length: int) -> bool:
    """Give a part of a file back to the disk without changing its length; whether that is possible here."""
    fallocate = _fallocate()
    if fallocate is None:
        return False
    return bool(fallocate(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, start, length) == 0)


@cache
def _fallocate() -> Any:
    """The C library's function, which Python offers only without the choice of mode."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):  # Not Linux.
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function


def _copy(source: Any, target: Any, count: int) -> None:
    while count > 0 and (chunk := source.read(min(count, _COPY_BYTES))):
        target.write(chunk)
        count -= len(chunk)
