"""The audit trail: the journal's events as lines in a file, for people and other programs.

A projection of the journal, never the truth. Several processes write it; under the trail's lock the file
always holds the events in the order of their numbers, each once. Whoever finds that events are missing before
its own (a process died between commit and append, or is slower) asks the journal for them. A file whose end
the journal does not know tells another history (a restored or deleted database): it is set aside and a new
one is begun. Trouble with the disk is kept in `trouble` and never reaches the run.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from engine.events.event import Event
from engine.events.file_lock import FileLock
from engine.events.line import to_line
from engine.events.trail_file import TrailFile, last_event_of_parts, set_aside

MAX_BYTES = 32 * 1024 * 1024
KEEP = 5

_CHUNK = 1_000


class AuditTrail:
    """Appended to after each commit; `since(seq)` gives the journal's events after a number, in order."""

    def __init__(
        self,
        path: Path,
        *,
        since: Callable[[int], Iterable[Event]],
        max_bytes: int = MAX_BYTES,
        keep: int = KEEP,
        patience_seconds: float = 0.5,
    ) -> None:
        self.path = path
        self.trouble = ""
        self._since = since
        self._max_bytes = max_bytes
        self._keep = keep
        self._threads = threading.Lock()
        self._processes = FileLock(_lock_path(path), patience_seconds)
        self._file: TrailFile | None = None
        self._last_seq = 0
        self._is_our_history = False

    def append(self, events: Sequence[Event] = ()) -> bool:
        """Bring the file up to these events, or up to the journal's end if there are none given.

        False if that was not possible now; the next append makes up for it.
        """
        with self._threads:
            try:
                with self._processes.held():
                    self._find_end()
                    self._write_missing(events)
            # The boundary between the trail and the work: no fault of a disk or a reader may stop a run.
            except Exception as error:  # noqa: BLE001
                self._forget()
                self.trouble = f"{self.path}: {error}"
                return False
            self.trouble = ""
            return True

    def close(self) -> None:
        """Let go of the files; an append afterwards opens them again."""
        with self._threads:
            self._forget()
            self._processes.close()

    def _write_missing(self, events: Sequence[Event]) -> None:
        fresh = [event for event in events if event.seq > self._last_seq]
        if fresh and fresh[0].seq == self._last_seq + 1 and fresh[-1].seq == self._last_seq + len(fresh):
            self._write(fresh)
        elif fresh or not events:
            missing = iter(self._since(self._last_seq))
            while chunk := list(islice(missing, _CHUNK)):
                self._write(chunk)

    def _write(self, events: Sequence[Event]) -> None:
        if self._opened().size >= self._max_bytes:
            self._set_aside()
        self._opened().append(b"".join(map(to_line, events)))
        self._last_seq = events[-1].seq
        self._is_our_history = True

    def _find_end(self) -> None:
        """Know the last event's number: from memory if nobody else wrote to the file, else from its end."""
        if self._file is not None and self._file.is_unchanged():
            return
        self._forget()
        last = self._opened().mend()
        if last is None:
            self._set_aside()
            last = last_event_of_parts(self.path)
        if last is not None and not self._is_known(last):
            self._set_aside()
            last = None
        self._last_seq = last.seq if last else 0

    def _is_known(self, last: Event) -> bool:
        """Whether the journal holds the file's last event. Asked once: nobody swaps it while we run."""
        if not self._is_our_history:
            known = next(iter(self._since(last.seq - 1)), None)
            self._is_our_history = known is not None and known.event_id == last.event_id
        return self._is_our_history

    def _set_aside(self) -> None:
        """Begin a new file, unless this one is new."""
        if self._opened().size:
            set_aside(self.path, self._keep)
            self._forget()

    def _opened(self) -> TrailFile:
        if self._file is None:
            self._file = TrailFile.open(self.path)
        return self._file

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def rebuild(path: Path, events: Iterable[Event]) -> int:
    """Write the trail anew from the journal, put it in the old one's place, and say how many events it has.

    Parts that were set aside stay: they may hold what the journal no longer does.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    lock = FileLock(_lock_path(path), 10.0)
    try:
        count = _write_whole(fresh, events)
        with lock.held():
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
        lock.close()
    return count


def _write_whole(path: Path, events: Iterable[Event]) -> int:
    count = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for event in events:
            file.write(to_line(event))
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
