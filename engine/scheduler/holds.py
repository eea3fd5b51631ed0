"""Locks, cpu and memory: who holds them, and who stands in line for them.

A queue that cannot start stands in the line of the first thing it lacks and is not looked at again until
that is given back; then the best of each line is called, and the next one only if that one left something
over.

A queue that wants much could be passed over for ever by others that want little. After `PATIENCE` starts it
is favoured: nothing it wants is given to another queue until it has started. One queue at a time is
favoured, so two of them cannot wait for each other, and whatever runs ends some day.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from math import inf

from engine.scheduler.node import Limits, Node
from engine.scheduler.queues import Demand, Line, Queue, Want

PATIENCE = 64


class Holds:
    """What running nodes hold, and the queues that wait for it."""

    def __init__(self, limits: Limits) -> None:
        # Thousandths of a cpu: whole numbers come back exactly when they are added and taken away again.
        self._capacity: dict[str, float] = {"cpu": _thousandths(limits.cpu), "memory": limits.memory_mb}
        self._free = dict(self._capacity)
        self._holders: dict[str, str] = {}
        self._lines: dict[Want, Line] = {}
        self._sizes: dict[str, list[Want]] = {"cpu": [], "memory": []}
        """For everything counted, the different amounts that were ever waited for."""
        self._starts = 0
        self._parked: deque[tuple[int, Queue]] = deque()
        self.favoured: Queue | None = None
        self._kept: frozenset[tuple[str, str]] = frozenset()

    def demand(self, node: Node) -> Demand:
        """What a node takes, never more than there is: one that asks for too much runs with all of it."""
        if not (node.locks or node.cpu or node.memory_mb):
            return ()
        wants = [Want("lock", name) for name in sorted(set(node.locks))]
        cpu = min(_thousandths(node.cpu), self._capacity["cpu"])
        memory = min(node.memory_mb, self._capacity["memory"])
        if cpu > 0 and self._capacity["cpu"] < inf:
            wants.append(Want("cpu", amount=int(cpu)))
        if memory > 0 and self._capacity["memory"] < inf:
            wants.append(Want("memory", amount=int(memory)))
        return tuple(wants)

    def lacking(self, queue: Queue) -> Want | None:
        """The first thing that a queue wants and cannot have now."""
        for want in queue.demand:
            if not self._is_free(want, queue):
                return want
        return None

    def holder(self, lock: str) -> str | None:
        return self._holders.get(lock)

    def line_up(self, queue: Queue) -> None:
        """Let a queue stand where it will be tried, or in line for what it lacks already."""
        want = self.lacking(queue)
        if want is None:
            queue.home.add(queue)
        else:
            self.park(queue, want)

    def park(self, queue: Queue, want: Want) -> None:
        """Let a queue wait for what it lacks."""
        line = self._lines.get(want)
        if line is None:
            line = self._lines[want] = Line()
            if want.kind != "lock":
                self._sizes[want.kind].append(want)
        line.add(queue)
        if queue.parked_at is None:
            queue.parked_at = self._starts
            self._parked.append((self._starts, queue))
        self._call_next(queue)

    def take(self, queue: Queue, node_id: str) -> None:
        """The best node of a queue starts, with everything it wants."""
        for want in queue.demand:
            if want.kind == "lock":
                self._holders[want.name] = node_id
            else:
                self._free[want.kind] -= want.amount
        self._starts += 1
        if queue.demand:
            self._settle(queue)
        if self._parked:
            self._favour_the_patient()

    def give_back(self, demand: Demand) -> None:
        """A node stopped running."""
        for want in demand:
            if want.kind == "lock":
                del self._holders[want.name]
            else:
                self._free[want.kind] += want.amount
        self._call_all(demand)

    def withdraw(self, queue: Queue) -> None:
        """A node of this queue is not ready any more, without having been started."""
        if queue.clean() and queue.line is not None:
            queue.line.add(queue)
            self._call_next(queue)
        else:
            queue.leave_line()
            self._settle(queue)

    def is_kept(self, want: Want, queue: Queue | None) -> bool:
        """Whether a thing is kept for another queue."""
        return queue is not self.favoured and want.thing in self._kept

    def validate(self, running: Mapping[str, Demand]) -> None:
        """Assert that the books agree with what runs, and that nobody waits for what is to be had."""
        wants = [want for demand in running.values() for want in demand]
        holders = {want.name: name for name, demand in running.items() for want in demand if want.kind == "lock"}
        assert self._holders == holders, (self._holders, holders)
        assert len(holders) == sum(want.kind == "lock" for want in wants), "a lock is held twice"
        for kind, capacity in self._capacity.items():
            used = sum(want.amount for want in wants if want.kind == kind)
            assert self._free[kind] == capacity - used, (kind, self._free[kind], capacity, used)
            assert self._free[kind] >= 0, (kind, self._free[kind])
        for want, line in self._lines.items():
            for queue in line.queues():
                assert queue.nodes, "an empty queue waits"
                is_called = any(other.called_by == want for other in queue.home.queues())
                assert not self._is_free(want, queue) or is_called, (want, "is free, and nobody was called")

    def _is_free(self, want: Want, queue: Queue | None) -> bool:
        if self._kept and self.is_kept(want, queue):
            return False
        if want.kind == "lock":
            return want.name not in self._holders
        return want.amount <= self._free[want.kind]

    def _settle(self, queue: Queue) -> None:
        """A queue waits no longer: others may have what it was called for or what was kept for it."""
        queue.parked_at = None
        if queue is self.favoured:
            queue.is_favoured = False
            self.favoured, self._kept = None, frozenset()
            self._call_all(queue.demand)
        self._call_next(queue)

    def _call_next(self, queue: Queue) -> None:
        want, queue.called_by = queue.called_by, None
        if want is not None:
            self._call(want)

    def _call_all(self, demand: Iterable[Want]) -> None:
        for want in demand:
            if self._kept and want.thing in self._kept:
                self._call_favoured()
            elif want.kind == "lock":
                self._call(want)
            else:
                for size in self._sizes[want.kind]:
                    self._call(size)

    def _call_favoured(self) -> None:
        if self.favoured is not None and self.favoured.line is not self.favoured.home:
            self.favoured.home.add(self.favoured)

    def _call(self, want: Want) -> None:
        """Let the best queue that waits for exactly this try again, if it is to be had."""
        line = self._lines.get(want)
        if line is None or not self._is_free(want, None):
            return
        queue = line.pop()
        if queue is not None:
            queue.called_by = want
            queue.home.add(queue)

    def _favour_the_patient(self) -> None:
        """Favour the queue that has waited longest, once it has waited too long."""
        if self.favoured is not None:
            return
        while self._parked and self._parked[0][1].parked_at != self._parked[0][0]:
            self._parked.popleft()
        if self._parked and self._starts - self._parked[0][0] >= PATIENCE:
            _, queue = self._parked.popleft()
            self.favoured, queue.is_favoured = queue, True
            self._kept = frozenset(want.thing for want in queue.demand)
            queue.home.add(queue)


def _thousandths(cpu: float) -> float:
    return cpu if cpu == inf else round(cpu * 1000)
