"""What the kernel says about processes, read from /proc.

Every answer is about one moment: a process may be gone before it is read, and its pid may belong to another
one later. So a missing process is an ordinary answer (None, empty), and whoever keeps a pid keeps its start
time too. Where there is no /proc, nothing is known and nothing is found.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.process.facts import ProcessFacts

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """The few facts of /proc/PID/stat that say whose process it is."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    started: int
    """Clock ticks since boot: with the pid it names one process for ever (of this boot)."""


def read_bytes(path: str) -> bytes:
    """A small kernel file, whole; empty if it is gone or not ours to read. Half the cost of `open`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        content = chunk = os.read(descriptor, _CHUNK)
        while chunk:
            chunk = os.read(descriptor, _CHUNK)
            content += chunk
        return content
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def read_stat(pid: int) -> ProcessStat | None:
    """What a process is now; None if there is no such process."""
    # The program's name stands in parentheses and may hold anything, parentheses and blanks included.
    fields = read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    return ProcessStat(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        started=int(fields[19]),
    )


def adopted_pids() -> list[int]:
    """The children of our main thread, to which the kernel gives the orphans of all our descendants."""
    pid = os.getpid()
    return [int(child) for child in read_bytes(f"/proc/{pid}/task/{pid}/children").split()]


def shows_children() -> bool:
    """Whether this kernel lists a process's children."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def descendant_stats(pid: int) -> list[ProcessStat]:
    """Everything below a process, parents before children."""
    found: dict[int, ProcessStat] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop(0)
        for child in _child_pids(parent):
            stat = read_stat(child)
            if stat is not None and stat.parent == parent and child not in found:
                found[child] = stat
                waiting.append(child)
    return list(found.values())


def all_pids() -> Iterator[int]:
    """Every process on the machine that we can see."""
    try:
        names = [entry.name for entry in os.scandir("/proc")]
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def environment_entries(pid: int) -> list[bytes]:
    """The `NAME=value` entries that a process was started with; empty if they may not be read."""
    return read_bytes(f"/proc/{pid}/environ").split(b"\0")


@cache
def boot_id() -> str:
    """Which boot of the machine this is; empty where the kernel does not say."""
    return read_bytes("/proc/sys/kernel/random/boot_id").decode().strip()


def process_facts(pid: int) -> ProcessFacts | None:
    """What finds this very process again later; None if it is gone."""
    stat = read_stat(pid)
    return None if stat is None else ProcessFacts(pid=pid, started=stat.started, boot_id=boot_id())


def _child_pids(pid: int) -> list[int]:
    try:
        threads = [entry.name for entry in os.scandir(f"/proc/{pid}/task")]
    except OSError:
        return []
    lists = (read_bytes(f"/proc/{pid}/task/{thread}/children") for thread in threads)
    return [int(child) for children in lists for child in children.split()]
