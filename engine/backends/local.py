"""Attempts as processes of this machine.

One thread, no signal handler: every child's end, every masked pipe and every watched descriptor is in one
selector, and the time to wait is the earliest of what the caller gave and what the attempts need. Without
attempts nothing is ever due.
"""

import math
import selectors

from engine.backends.attempt import RunningAttempt
from engine.backends.contract import AttemptEnd, EndedBy, ProcessFacts, WorkOrder
from engine.clock import monotonic
from engine.errors import SpawnFailed
from engine.process.family import adopt_orphans
from engine.process.logs import SpareLogs
from engine.process.procfs import process_facts


class LocalBackend:
    """The backend that really runs what it is given; used from one thread."""

    def __init__(self, slots: int) -> None:
        adopt_orphans()
        self._slots = slots
        self._selector = selectors.DefaultSelector()
        self._watched: set[int] = set()
        self._attempts: dict[str, RunningAttempt] = {}
        self._leaders: set[int] = set()
        self._ends: list[AttemptEnd] = []
        self._spares = SpareLogs()

    def free_slots(self) -> int:
        """How many more attempts may be started now."""
        return max(self._slots - len(self._attempts), 0)

    def start(self, order: WorkOrder) -> None:
        """Start the program; what cannot be started ends at the next wait."""
        began = monotonic()
        try:
            self._attempts[order.attempt_id] = RunningAttempt(order, self._selector, self._leaders, self._spares)
        except SpawnFailed as error:
            self._end_unstarted(order, began, error.message)
        except OSError as error:
            self._end_unstarted(order, began, f"cannot open the log {order.log_path}: {error.strerror}")

    def wait(self, timeout: float | None) -> list[AttemptEnd]:
        """Block until an attempt ended, a watched descriptor is readable or time is over; all ends so far."""
        until = math.inf if timeout is None else monotonic() + timeout
        while self._attempts or self._watched or until < math.inf or self._ends:
            is_called = self._look(0.0 if self._ends else until)
            self._tend_due()
            if self._ends or is_called or monotonic() >= until:
                break
        ends, self._ends = self._ends, []
        return ends

    def abort(self, attempt_id: str, *, now: bool = False) -> None:
        """Ask an attempt to stop, or kill it."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None:
            attempt.stop(EndedBy.CANCEL, grace_seconds=0.0 if now else attempt.order.grace_seconds)

    def watch(self, descriptor: int) -> None:
        """Let `wait` return early when this descriptor becomes readable; reading it is the caller's."""
        if descriptor not in self._watched:
            self._watched.add(descriptor)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def process_facts(self, attempt_id: str) -> ProcessFacts | None:
        """Which process executes an attempt, while it runs."""
        attempt = self._attempts.get(attempt_id)
        return None if attempt is None else process_facts(attempt.pid)

    def close(self) -> None:
        """Kill whatever is left and let go of every resource."""
        for attempt_id in self._attempts:
            self.abort(attempt_id, now=True)
        while self._attempts:
            self._look(math.inf)
            self._tend_due()
        self._spares.clear()
        self._selector.close()

    def _look(self, until: float) -> bool:
        """Wait for the first thing to happen or to be due; whether a watched descriptor is readable."""
        until = min(until, min((attempt.due for attempt in self._attempts.values()), default=math.inf))
        pause = None if until == math.inf else max(until - monotonic(), 0.0)
        is_called = False
        for key, _ in self._selector.select(pause):
            if key.data is None:
                is_called = True
            else:
                key.data()
        return is_called

    def _tend_due(self) -> None:
        now = monotonic()
        due = [attempt for attempt in self._attempts.values() if attempt.due <= now]
        for attempt in sorted(due, key=lambda attempt: attempt.due):
            end = attempt.tend(now)
            if end is not None:
                del self._attempts[attempt.order.attempt_id]
                self._ends.append(end)

    def _end_unstarted(self, order: WorkOrder, began: float, message: str) -> None:
        self._ends.append(AttemptEnd(order.attempt_id, EndedBy.SPAWN, None, monotonic() - began, message))
