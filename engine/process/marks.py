"""Marks that tell which attempt a process belongs to, whatever it did to hide.

Two marks are given to every attempt. The first is `MINIPIPE_ATTEMPT_ID` in its environment; `env -i`
removes it, and it cannot be read of a zombie or of a set-uid program. The second is a number made from the
attempt's id, set as the soft limit for real-time CPU (RLIMIT_RTTIME, microseconds). The kernel hands limits
down through fork, setsid, exec and set-uid, and shows them to everybody in /proc/PID/limits, of zombies
too. Every mark is more than 70,000 years of real-time CPU, so the limit limits nothing; only a process that
raises its own limit and scrubs its environment is without marks.

The limit is ours for the moment of a start, and the child inherits it with its first instruction: setting
it on the child afterwards would leave it time to fork unmarked. What another thread starts in that moment
is marked as well; so a mark counts only together with a session that is not our own, and among the children
of the main thread.
"""

import hashlib
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.process.procfs import environment_entries, read_bytes

ATTEMPT_VARIABLE = "MINIPIPE_ATTEMPT_ID"

_LIMIT = getattr(resource, "RLIMIT_RTTIME", None)
_MARKED = 1 << 61
_LIMIT_LINE = b"Max realtime timeout"
_turns = threading.Lock()
"""Two starts at once would take each other's mark for what was there before, and leave it behind."""


def limit_mark(attempt_id: str) -> int:
    """The number that marks an attempt's processes; the same whoever computes it."""
    digest = hashlib.blake2b(attempt_id.encode(), digest_size=7).digest()
    return _MARKED | int.from_bytes(digest)


@contextmanager
def marked(mark: int) -> Iterator[None]:
    """While it lasts, what we start bears the mark."""
    if _LIMIT is None:
        yield
        return
    with _turns:
        soft, hard = resource.getrlimit(_LIMIT)
        if hard != resource.RLIM_INFINITY and hard < mark:
            yield
            return
        resource.setrlimit(_LIMIT, (mark, hard))
        try:
            yield
        finally:
            resource.setrlimit(_LIMIT, (soft, hard))


def read_limit_mark(pid: int) -> int | None:
    """The mark in a process's limits, if it bears one."""
    limits = read_bytes(f"/proc/{pid}/limits")
    start = limits.find(_LIMIT_LINE)
    if start < 0:
        return None
    soft = limits[start + len(_LIMIT_LINE) :].split(None, 1)[0]
    return int(soft) if soft.isdigit() and int(soft) & _MARKED else None


def read_environment_mark(pid: int) -> str | None:
    """The attempt that a process's environment names, if it may be read and names one."""
    prefix = f"{ATTEMPT_VARIABLE}=".encode()
    for entry in environment_entries(pid):
        if entry.startswith(prefix):
            return entry[len(prefix) :].decode(errors="replace")
    return None
