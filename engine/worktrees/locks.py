"""Locks on files, among processes: the kernel frees one when its last holder, a git of ours included, has ended.

The text in a lock file says who holds it, for people; the lock alone decides. A lock file is never removed.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engine import clock
from engine.errors import WorktreeUnavailable

PATIENCE_SECONDS = 300.0


class Holder(NamedTuple):
    """Who uses a worktree."""

    pid: int
    host: str
    run_id: str
    step_id: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id}, step {self.step_id} (process {self.pid} on {self.host})"


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether anybody holds a lock. Ask only with the pool's lock in hand: asking takes it for an instant."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def held(path: Path, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[int]:
    """Hold a lock, waiting for it; the descriptor is given, for programs that must hold it too."""
    descriptor = open_lock(path)
    try:
        _wait(descriptor, path, patience_seconds)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, patience_seconds: float) -> None:
    deadline = clock.monotonic() + patience_seconds
    pause = 0.0005
    while not try_lock(descriptor):
        if clock.monotonic() > deadline:
            raise WorktreeUnavailable(f"{path} stayed locked for {patience_seconds:g} s", retryable=True)
        time.sleep(pause)
        pause = min(0.02, pause * 2)


def write_holder(descriptor: int, run_id: str, step_id: str) -> None:
    holder = Holder(os.getpid(), os.uname().nodename, run_id, step_id, clock.utc_now())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder._asdict()).encode(), 0)


def read_holder(path: Path) -> Holder | None:
    """What a lock file says; nobody if it says nothing that can be understood."""
    try:
        return Holder(**json.loads(path.read_bytes()[:4096]))
    except (OSError, ValueError, TypeError):
        return None
