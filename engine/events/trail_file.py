"""The audit trail's files: the one that grows, the parts that were set aside, and their good ends.

A file ends with a complete, readable line before anything is added to it: what a crash left behind its
last good line is cut off. Parts are numbered upwards (`events-000001.jsonl` …), so that their names sort by
age whatever the clock did. Nothing here takes the trail's lock: whoever calls holds it.
"""

import os
from pathlib import Path

from engine.events.event import Event
from engine.events.line import MAX_LINE_BYTES, from_line

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class TrailFile:
    """The growing file, held open, so that nobody else's file can take its inode number meanwhile."""

    def __init__(self, path: Path, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.path = path
        self.size = status.st_size
        self._descriptor = descriptor
        self._identity = (status.st_dev, status.st_ino)

    @classmethod
    def open(cls, path: Path) -> "TrailFile":
        """Open the file, or make it, for the owner alone; a link in its place is refused (OSError)."""
        return cls(path, os.open(path, _FLAGS | os.O_CREAT, 0o600))

    def close(self) -> None:
        os.close(self._descriptor)

    def is_unchanged(self) -> bool:
        """Whether the path still names this file, as long as we left it."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity and status.st_size == self.size

    def append(self, lines: bytes) -> None:
        """Add complete lines, all of them or none; OSError if there is no room."""
        try:
            written = os.write(self._descriptor, lines)
            while written < len(lines):
                written += os.write(self._descriptor, lines[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(lines)

    def mend(self) -> Event | None:
        """Cut off what stands behind the last good line, and say which event that line tells of.

        A file without any good line is left as it is: it may be somebody's.
        """
        end, event = last_good_line(self._descriptor)
        if event is not None and end < self.size:
            os.ftruncate(self._descriptor, end)
            self.size = end
        return event


def last_good_line(descriptor: int) -> tuple[int, Event | None]:
    """Where the last line that tells of an event ends, and that event; (0, None) if there is none."""
    end = os.fstat(descriptor).st_size
    window = 2 * MAX_LINE_BYTES
    while end > 0:
        start = max(0, end - window)
        found = _last_good_in(os.pread(descriptor, end - start, start), whole=start == 0)
        if found is not None:
            return start + found[0], found[1]
        if start == 0:
            break
        # One line's length is looked at twice, in case a good line lay across the border.
        end = start + MAX_LINE_BYTES
    return 0, None


def _last_good_in(data: bytes, *, whole: bool) -> tuple[int, Event] | None:
    """The last good line of a piece of a file; its first line is only one if the file begins there."""
    end = data.rfind(b"\n") + 1
    while end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        # Our lines begin so; the look spares parsing page after page of something else.
        is_ours = data.startswith(b'{"', start) and (start > 0 or whole)
        event = from_line(data[start:end]) if is_ours else None
        if event is not None and event.seq > 0:
            return end, event
        end = start
    return None


def parts(path: Path) -> list[Path]:
    """The parts of a trail that were set aside, oldest first."""
    pattern = f"{path.stem}-[0-9]*{path.suffix}"
    return sorted(part for part in path.parent.glob(pattern) if _number(path, part) > 0)


def set_aside(path: Path, keep: int) -> None:
    """Make the growing file the newest part, and delete all parts but the newest `keep`."""
    older = parts(path)
    number = _number(path, older[-1]) + 1 if older else 1
    newest = path.with_name(f"{path.stem}-{number:06}{path.suffix}")
    path.rename(newest)
    older.append(newest)
    for part in older[: max(0, len(older) - keep)]:
        part.unlink(missing_ok=True)


def last_event_of_parts(path: Path) -> Event | None:
    """The event that the newest part ends with."""
    for part in reversed(parts(path)):
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            event = last_good_line(descriptor)[1]
        finally:
            os.close(descriptor)
        if event is not None:
            return event
    return None


def _number(path: Path, part: Path) -> int:
    digits = part.stem.removeprefix(f"{path.stem}-")
    return int(digits) if digits.isdigit() else 0
