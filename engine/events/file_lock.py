"""A lock among processes, on a file of its own that is never deleted.

The kernel frees it when its holder dies, so it can be held too long but never forever by nobody.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.clock import monotonic
from engine.errors import StoreBusy


class FileLock:
    """Held for moments only, by one thread of a process at a time."""

    def __init__(self, path: Path, patience_seconds: float) -> None:
        self._path = path
        self._patience_seconds = patience_seconds
        self._descriptor: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; StoreBusy if somebody (stopped in the middle, say) keeps it longer than we wait."""
        descriptor = self._opened()
        self._take(descriptor)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor

    def _take(self, descriptor: int) -> None:
        deadline = monotonic() + self._patience_seconds
        pause = 0.0002
        while not _try(descriptor):
            if monotonic() > deadline:
                raise StoreBusy(str(self._path), self._patience_seconds)
            time.sleep(pause)
            pause = min(0.01, pause * 2)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
