"""One attempt while it is a process of ours: start, watch, ask, kill, and report when nothing of it is left.

An attempt is over when its leader has ended and no process of its family is left; until then it is tended
at the times it names in `due`. Asking comes before killing, once each in this order, and both are bounded
in time: what cannot be killed (a set-uid program, a broken disk) is named in the end instead of being
waited for.
"""

import math
import selectors
import signal
from collections.abc import Callable

from engine.backends.contract import AttemptEnd, EndedBy, WorkOrder
from engine.clock import monotonic
from engine.process.family import Family, adopt_orphans
from engine.process.leader import POLL_SECONDS, Leader
from engine.process.logs import CappedLog, SpareLogs
from engine.process.marks import limit_mark
from engine.process.pipes import MaskedPipe
from engine.process.spawn import spawn

_STRAY_GRACE_SECONDS = 1.0
_SWEEP_SECONDS = 0.01
_GIVE_UP_SECONDS = 5.0

Selector = selectors.BaseSelector
Wake = Callable[[], None]


class RunningAttempt:
    """A started work order; SpawnFailed or OSError (its log) if it cannot be started."""

    def __init__(self, order: WorkOrder, selector: Selector, leaders: set[int], spares: SpareLogs) -> None:
        self.order = order
        self._selector = selector
        self._leaders = leaders
        self._started = monotonic()
        self._log = CappedLog(order.log_path, order.log_cap_bytes, spares)
        self._pipe = MaskedPipe(self._log.descriptor, order.secrets) if order.secrets else None
        self._leader = self._start()
        self._family = Family(order.attempt_id, self._leader.pid, leaders)
        self._ended_by = EndedBy.EXIT
        self._stray_count = 0
        self._was_asked = False
        self._kill_at = math.inf
        self._timeout_at = self._started + (math.inf if order.timeout_seconds is None else order.timeout_seconds)
        self.due = self._next_due(self._started)
        """When the attempt must be tended next, by the monotonic clock."""

    @property
    def pid(self) -> int:
        """The process that executes the order."""
        return self._leader.pid

    def stop(self, why: EndedBy, *, grace_seconds: float) -> None:
        """Ask everyone to end, and kill them after the grace; the first reason given stays."""
        if self._ended_by is EndedBy.EXIT and not self._leader.has_ended():
            self._ended_by = why
        self._end_family(monotonic(), grace_seconds)

    def tend(self, now: float) -> AttemptEnd | None:
        """Do what is due; the end, if nothing is left."""
        left = len(self._family.strays())
        if self._leader.has_ended():
            if left == 0:
                return self._end(now)
            self._stray_count = max(self._stray_count, left)
            self._end_family(now, min(self.order.grace_seconds, _STRAY_GRACE_SECONDS))
        elif now >= self._timeout_at and self._kill_at == math.inf:
            self.stop(EndedBy.TIMEOUT, grace_seconds=self.order.grace_seconds)
        if now >= self._kill_at + _GIVE_UP_SECONDS:
            return self._end(now, unkillable=left + (not self._leader.has_ended()))
        if now >= self._kill_at:
            self._family.kill()
        self._log.trim()
        self.due = self._next_due(now)
        return None

    def _end_family(self, now: float, grace_seconds: float) -> None:
        if not self._was_asked and grace_seconds > 0:
            self._was_asked = True
            self._family.signal(signal.SIGTERM)
        if grace_seconds <= 0:
            self._family.kill()
        self._kill_at = min(self._kill_at, now + grace_seconds)
        self.due = now

    def _next_due(self, now: float) -> float:
        if self._leader.has_ended() or now >= self._kill_at:
            return now + _SWEEP_SECONDS
        poll = math.inf if self._leader.descriptor is not None else now + POLL_SECONDS
        deadline = self._timeout_at if self._kill_at == math.inf else self._kill_at
        return min(deadline, poll, now + self._log.pause)

    def _start(self) -> Leader:
        order = self.order
        output = self._log.descriptor if self._pipe is None else self._pipe.writer
        mark = limit_mark(order.attempt_id)
        try:
            leader = Leader(spawn(order.argv, cwd=order.cwd, env=order.env, output=output, mark=mark))
        except BaseException:
            self._close_output()
            raise
        self._leaders.add(leader.pid)
        if leader.descriptor is not None:
            self._selector.register(leader.descriptor, selectors.EVENT_READ, self._wake)
        if self._pipe is not None:
            self._pipe.close_writer()
            self._selector.register(self._pipe.reader, selectors.EVENT_READ, self._pump)
        return leader

    def _wake(self) -> None:
        self.due = 0.0

    def _pump(self) -> None:
        assert self._pipe is not None
        self._pipe.pump()
        if self._pipe.is_at_end:
            self._selector.unregister(self._pipe.reader)  # It would be readable for ever.

    def _end(self, now: float, *, unkillable: int = 0) -> AttemptEnd:
        self._let_go()
        exit_code = self._leader.reap()
        return AttemptEnd(
            attempt_id=self.order.attempt_id,
            ended_by=self._ended_by,
            exit_code=exit_code,
            duration_seconds=now - self._started,
            message=self._message(exit_code, unkillable),
        )

    def _let_go(self) -> None:
        if not adopt_orphans():
            self._family.kill()  # Strays cannot be seen here: the group is all that can be ended.
        self._leaders.discard(self._leader.pid)
        if self._leader.descriptor is not None:
            self._selector.unregister(self._leader.descriptor)
        if self._pipe is not None and not self._pipe.is_at_end:
            self._selector.unregister(self._pipe.reader)
        self._close_output()

    def _close_output(self) -> None:
        if self._pipe is not None:
            self._pipe.finish()
        self._log.finish()

    def _message(self, exit_code: int | None, unkillable: int) -> str:
        facts = []
        if self._ended_by is EndedBy.TIMEOUT:
            facts.append(f"no end within {self.order.timeout_seconds:g} s")
        if unkillable:
            facts.append(f"{_processes(unkillable)} could not be ended")
        elif exit_code is None:
            facts.append("its exit code was taken by other code of this process")
        elif self._stray_count and self._ended_by is EndedBy.EXIT:
            facts.append(f"{_processes(self._stray_count)} left behind, ended")
        return "; ".join(facts)


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
