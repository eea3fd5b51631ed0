"""Who runs a run: an operating-system lock on a file, held by the owning process and released by the kernel.

The text in the file says who the owner is, for people; the lock alone decides. The file is never removed, so that
nobody can hold a lock on a file that others no longer see.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from engine import clock
from engine.errors import EnvironmentUnfit, RunOwned

LOCK_NAME = "owner.lock"

GIT_SECONDS = 60.0
"""How long a git may outlive the owner that started it, before the run counts as owned."""


class Owner(NamedTuple):
    """The process that owns a run."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class RunLock:
    """Ownership of one run, from `claim` to `release` or the death of this process."""

    def __init__(self, run_id: str, descriptor: int, owner: Owner) -> None:
        self.run_id = run_id
        self.owner = owner
        self._descriptor: int | None = descriptor

    @property
    def descriptor(self) -> int:
        """The locked file: programs that keep it open keep the run owned until they have ended."""
        assert self._descriptor is not None
        return self._descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def claim(run_id: str, folder: Path) -> RunLock:
    """Become the owner of a run whose files are in `folder`, or raise RunOwned with who is."""
    descriptor = _open(folder)
    if not _lock(descriptor):
        owner = _wait_for_name(descriptor)
        os.close(descriptor)
        raise RunOwned(run_id, str(owner))
    owner = Owner(os.getpid(), os.uname().nodename, clock.utc_now())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner._asdict()).encode(), 0)
    return RunLock(run_id, descriptor, owner)


def owner_of(folder: Path) -> Owner | None:
    """Who owns the run with these files now, if anybody does. A dead owner's git is nobody: `claim` waits for it."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _wait_for_name(descriptor)
        return owner if is_alive(owner) else None
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int) -> bool:
    # Whoever asks for the owner holds the lock for an instant: only one that stays taken has an owner.
    for _ in range(5):
        if _try_lock(descriptor):
            return True
        time.sleep(0.01)
    # A git that a dead owner has started holds it too: what it does is done in a moment, and must be seen.
    deadline = clock.monotonic() + GIT_SECONDS
    while not is_alive(_read(descriptor)) and clock.monotonic() < deadline:
        if _try_lock(descriptor):
            return True
        time.sleep(0.02)
    return False


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_alive(owner: Owner | None) -> bool:
    """Whether the process that an owner was is still there; somebody on another machine counts as there."""
    if owner is None or owner.host != os.uname().nodename:
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _open(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EnvironmentUnfit(f"cannot write in {folder}: {error.strerror}") from error


def _wait_for_name(descriptor: int) -> Owner:
    """Who holds the lock; one that has only just got it writes its name in the next instant."""
    for _ in range(20):
        if owner := _read(descriptor):
            return owner
        time.sleep(0.005)
    return Owner(0, "unknown", "")


def _read(descriptor: int) -> Owner | None:
    try:
        return Owner(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None
