"""All processes of one attempt: the leader that was started and whatever descends from it, however it hides.

The engine is made a subreaper, so whatever loses its parent below us becomes our child and stands in one
small file; an attempt without leftovers costs one read of it. A child of ours belongs to an attempt if it
is in the leader's session, bears one of the attempt's marks, or was seen below the attempt before.
Everything else belongs to other code of this process: it is neither signalled nor reaped. The leader stays
unreaped until the end, so that the numbers of its group and session cannot become somebody else's.
"""

import ctypes
import os
import signal
from collections.abc import Container
from functools import cache

from engine.process.marks import limit_mark, read_environment_mark, read_limit_mark
from engine.process.procfs import ProcessStat, adopted_pids, descendant_stats, read_stat, shows_children

_PR_SET_CHILD_SUBREAPER = 36
_KILL_ROUNDS = 20
_LOOKS = 20


@cache
def adopt_orphans() -> bool:
    """Make this process the one that is given the orphans below it, for ever; whether it is."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        is_adopting = libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):  # Not Linux.
        return False
    return bool(is_adopting) and shows_children()


class Family:
    """The processes of one attempt; asked and signalled by whoever runs it."""

    def __init__(self, attempt_id: str, leader: int, leaders: Container[int]) -> None:
        """`leaders` are the pids that need no look, because they lead attempts that still run."""
        self.leader = leader
        self._attempt_id = attempt_id
        self._leaders = leaders
        self._seen: dict[int, int] = {}

    def strays(self) -> list[ProcessStat]:
        """What is left besides the leader and has lost its parent; those that are dead already are reaped."""
        strays: list[ProcessStat] = []
        for _ in range(_LOOKS):
            adopted = [pid for pid in adopted_pids() if pid not in self._leaders]
            strays = [stat for pid in adopted if (stat := self._of_ours(pid)) is not None]
            living = [stat for stat in strays if not _reaped(stat)]
            # One that died after the list was read may have left children that were not in it yet.
            if living or not strays:
                return living
        return strays  # They fork and die faster than we look: somebody is left.

    def signal(self, number: signal.Signals) -> None:
        """Signal everyone once; a stopped process is woken, so that it can obey."""
        numbers = [number] if number is signal.SIGKILL else [number, signal.SIGCONT]
        for one in numbers:
            _signal_group(self.leader, one)
        for stat in self._outside_the_group():
            for one in numbers:
                send(stat, one)

    def kill(self) -> None:
        """Kill everyone, and those whom they start meanwhile, as far as a bounded number of rounds goes."""
        self.signal(signal.SIGKILL)
        for _ in range(_KILL_ROUNDS):
            strays = self.strays()
            if not strays:
                return
            for stat in strays:
                send(stat, signal.SIGKILL)

    def _outside_the_group(self) -> list[ProcessStat]:
        roots = self.strays()
        everyone = [*roots, *descendant_stats(self.leader)]
        for root in roots:
            everyone += descendant_stats(root.pid)
        self._seen = {stat.pid: stat.started for stat in everyone}
        return [stat for stat in everyone if stat.group != self.leader]

    def _of_ours(self, pid: int) -> ProcessStat | None:
        stat = read_stat(pid)
        if stat is None or stat.session == os.getsid(0):
            return None
        is_ours = (
            stat.session == self.leader
            or self._seen.get(pid) == stat.started
            or read_limit_mark(pid) == limit_mark(self._attempt_id)
            or read_environment_mark(pid) == self._attempt_id
        )
        return stat if is_ours else None


def send(stat: ProcessStat, number: signal.Signals) -> None:
    """Signal exactly this process, never one that got its pid later."""
    try:
        descriptor = os.pidfd_open(stat.pid)
    except OSError:
        return
    try:
        present = read_stat(stat.pid)
        if present is not None and present.started == stat.started:
            signal.pidfd_send_signal(descriptor, number)
    except OSError:
        pass  # Gone in the meantime, or set-uid and not ours to signal.
    finally:
        os.close(descriptor)


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        pass


def _reaped(stat: ProcessStat) -> bool:
    """Whether a child was dead; if so, it is no longer in the list of processes either."""
    if stat.state != "Z":
        return False
    try:
        os.waitpid(stat.pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return True
