"""Processes that outlived the engine that started them: found again by their marks, and ended.

They are nobody's children any more, so a pid may change hands while we look: a process is signalled through
a descriptor that was opened before it was recognised. We, and the processes that we run in, are never
survivors, even where an attempt started us.
"""

import os
import select
import signal
from collections.abc import Collection, Sequence

from engine.clock import monotonic
from engine.process.facts import ProcessFacts
from engine.process.marks import limit_mark, read_environment_mark, read_limit_mark
from engine.process.procfs import ProcessStat, all_pids, boot_id, descendant_stats, read_stat

_ROUNDS = 20
_DEATH_SECONDS = 5.0


def find_survivors(attempt_ids: Collection[str], known: Sequence[ProcessFacts] = ()) -> list[int]:
    """The living processes of these attempts: by mark, or known themselves or by their session; and all below them."""
    if not attempt_ids and not known:
        return []
    marks = {limit_mark(attempt_id) for attempt_id in attempt_ids}
    sessions = {facts.pid for facts in known if _is_same(facts)}
    spared = _own_line()
    found = [
        stat.pid
        for pid in all_pids()
        if pid not in spared
        and (stat := read_stat(pid)) is not None
        and stat.state not in "ZX"
        and (stat.session in sessions or stat.pid in sessions or _is_marked(pid, attempt_ids, marks))
    ]
    # Below an engine that a step started are processes that bear the marks of its own attempts.
    below = [stat.pid for pid in found for stat in descendant_stats(pid) if stat.state not in "ZX"]
    return list(dict.fromkeys(found + below))


def end_survivors(
    attempt_ids: Collection[str], known: Sequence[ProcessFacts] = (), *, grace_seconds: float
) -> list[int]:
    """End all survivors and what they start meanwhile; the pids that could not be ended."""
    for _ in range(_ROUNDS):
        held = _open_all(find_survivors(attempt_ids, known))
        if not held:
            return []
        try:
            recognised = set(find_survivors(attempt_ids, known))
            _end_held({pid: held[pid] for pid in held if pid in recognised}, grace_seconds)
        finally:
            _close_all(held)
        grace_seconds = 0.0
    return find_survivors(attempt_ids, known)


def end_processes(pids: Collection[int], grace_seconds: float) -> None:
    """Ask processes to end, kill them after the grace, and wait until they are gone."""
    held = _open_all(pids)
    try:
        _end_held(held, grace_seconds)
    finally:
        _close_all(held)


def _is_same(facts: ProcessFacts) -> bool:
    stat = read_stat(facts.pid)
    return stat is not None and stat.started == facts.started and facts.boot_id == boot_id()


def _is_marked(pid: int, attempt_ids: Collection[str], marks: Collection[int]) -> bool:
    return read_limit_mark(pid) in marks or read_environment_mark(pid) in attempt_ids


def _own_line() -> set[int]:
    """This process and its ancestors."""
    line: set[int] = set()
    stat: ProcessStat | None = read_stat(os.getpid())
    while stat is not None and stat.pid not in line:
        line.add(stat.pid)
        stat = read_stat(stat.parent)
    return line


def _open_all(pids: Collection[int]) -> dict[int, int]:
    held = {}
    for pid in pids:
        try:
            held[pid] = os.pidfd_open(pid)
        except OSError:
            continue  # Gone by itself.
    return held


def _close_all(held: dict[int, int]) -> None:
    for descriptor in held.values():
        os.close(descriptor)


def _end_held(held: dict[int, int], grace_seconds: float) -> None:
    living = set(held.values())
    if grace_seconds > 0:
        _signal_all(living, signal.SIGTERM)
        _signal_all(living, signal.SIGCONT)
        living = _outlive(living, grace_seconds)
    _signal_all(living, signal.SIGKILL)
    _outlive(living, _DEATH_SECONDS)


def _signal_all(descriptors: Collection[int], number: signal.Signals) -> None:
    for descriptor in descriptors:
        try:
            signal.pidfd_send_signal(descriptor, number)
        except (ProcessLookupError, PermissionError):
            continue


def _outlive(descriptors: Collection[int], seconds: float) -> set[int]:
    """Those whose process is still there after the time, or as soon as none is."""
    living = set(descriptors)
    poll = select.poll()
    for descriptor in living:
        poll.register(descriptor, select.POLLIN)
    until = monotonic() + seconds
    while living and (left := until - monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            living.discard(descriptor)
            poll.unregister(descriptor)
    return living
