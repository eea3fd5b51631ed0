"""Lanes: one mechanism for the three ways to order a run.

A run has lanes, a depth says how many nodes run at one time, and one lane has the turn. Sequential is one
lane of depth 1, parallel one lane as deep as there are slots, hybrid a lane for every workstream. The turn
stays while its lane has anything running, ready or delayed, then goes to the first lane, in the order of
the plan, that has. A lane keeps no work that only another lane's turn could end, so workstreams may depend
on each other in both directions.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

from engine.scheduler.entry import Entry, Place
from engine.scheduler.node import Limits, Node
from engine.scheduler.queues import Demand, Line, Queue


class Lane:
    """The queues of one workstream, or of the whole run."""

    __slots__ = ("busy", "is_listed", "line", "name", "number", "queues")

    def __init__(self, number: int, name: str | None) -> None:
        self.number = number
        self.name = name
        self.line = Line()
        self.queues: dict[Demand, Queue] = {}
        self.busy = 0
        """How many of its nodes are running, ready or delayed."""
        self.is_listed = False


class Lanes:
    """All lanes of a run, and whose turn it is."""

    def __init__(self, limits: Limits) -> None:
        self.depth = 1 if limits.mode == "sequential" else max(1, limits.slots)
        self._is_split = limits.mode == "hybrid"
        self._lanes: list[Lane] = []
        self._by_name: dict[str | None, Lane] = {}
        self._waiting: list[int] = []
        self._queue_count = 0
        self.active: Lane | None = None

    def place(self, node: Node, demand: Demand) -> tuple[Lane, Queue]:
        """Where a node with this demand will stand when it is ready."""
        name = node.workstream if self._is_split else None
        lane = self._by_name.get(name)
        if lane is None:
            lane = self._by_name[name] = Lane(len(self._lanes), name)
            self._lanes.append(lane)
        queue = lane.queues.get(demand)
        if queue is None:
            queue = lane.queues[demand] = Queue(self._queue_count, demand, lane.line)
            self._queue_count += 1
        return lane, queue

    def ask_for_turn(self, lane: Lane) -> None:
        """A node of this lane became ready."""
        if lane is not self.active and not lane.is_listed:
            lane.is_listed = True
            heappush(self._waiting, lane.number)

    def next_turn(self) -> Lane | None:
        """Whose turn it is, or would be if it passed on now."""
        if self.active is not None and self.active.busy:
            return self.active
        return next((self._lanes[number] for number in sorted(self._waiting) if self._lanes[number].busy), None)

    def turn(self) -> Lane | None:
        """Pass the turn on if its lane has nothing left to do; the lane that has it now, if any has work."""
        while self.active is None or not self.active.busy:
            if not self._waiting:
                return None
            self.active = self._lanes[heappop(self._waiting)]
            self.active.is_listed = False
        return self.active

    def validate(self, entries: Iterable[Entry]) -> None:
        """Assert that lanes know how busy they are and that a turn will find every ready node."""
        busy = dict.fromkeys(self._lanes, 0)
        for entry in entries:
            is_ready = entry.place is Place.READY
            busy[entry.lane] += is_ready or entry.place in (Place.RUNNING, Place.DELAYED)
            if is_ready:
                assert entry.queue.line is not None
                assert entry.queue in entry.queue.line.queues()
                assert entry.lane is self.active or entry.lane.number in self._waiting
        assert busy == {lane: lane.busy for lane in self._lanes}
