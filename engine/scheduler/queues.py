"""Ready nodes that want the same things stand in one queue; queues stand in lines.

When the best of a queue cannot start, nobody behind it can: one look at a queue answers for all in it. A
queue that may be tried stands in its lane's line; one that lacks something stands in the line of what it
lacks. A queue stands in one line at a time; an empty one in none.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from sys import maxsize
from typing import Literal, NamedTuple

from engine.scheduler.entry import Entry, Key, Place

_FIRST: Key = (-maxsize, 0.0, -1)


class Want(NamedTuple):
    """One thing that a node holds while it runs: a lock, or an amount of something counted."""

    kind: Literal["lock", "cpu", "memory"]
    name: str = ""
    amount: int = 1

    @property
    def thing(self) -> tuple[str, str]:
        return (self.kind, self.name)


Demand = tuple[Want, ...]


class Line:
    """Queues, those with the best node first."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[Key, int, int, Queue]] = []

    def add(self, queue: "Queue") -> None:
        """Put a queue where its best node belongs; wherever it stood before, it stands there no more."""
        queue.line = self
        queue.listing += 1
        heappush(self._heap, (queue.key, queue.number, queue.listing, queue))

    def pop(self) -> "Queue | None":
        while self._heap:
            _, _, listing, queue = heappop(self._heap)
            if queue.listing == listing:
                queue.leave_line()
                return queue
        return None

    def queues(self) -> "list[Queue]":
        """Who stands here, in no particular order."""
        return [queue for _, _, listing, queue in self._heap if queue.listing == listing]


@dataclass(slots=True, eq=False)
class Queue:
    """The ready nodes of one lane with the same demand."""

    number: int
    demand: Demand
    home: Line
    """The lane's line, where queues stand that may be tried."""
    line: Line | None = None
    listing: int = 0
    """Grows with every move, so that what older moves left in a line's heap is known to be stale."""
    called_by: Want | None = None
    """What became free and called this queue ahead of the others that wait for it."""
    parked_at: int | None = None
    """How many nodes had been started when its best node first had to wait for something."""
    is_favoured: bool = False

    nodes: list[tuple[Key, Entry]] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return _FIRST if self.is_favoured else self.nodes[0][0]

    def push(self, key: Key, entry: Entry) -> bool:
        """Add a ready node; True if it is the best one now."""
        if not entry.is_queued:
            entry.is_queued = True
            heappush(self.nodes, (key, entry))
        return self.nodes[0][1] is entry

    def pop(self) -> Entry:
        """Take the best node out."""
        _, entry = heappop(self.nodes)
        entry.is_queued = False
        self.clean()
        return entry

    def clean(self) -> bool:
        """Drop nodes that are not ready any more from the front; True if any node is left."""
        while self.nodes and self.nodes[0][1].place is not Place.READY:
            _, entry = heappop(self.nodes)
            entry.is_queued = False
        return bool(self.nodes)

    def leave_line(self) -> None:
        self.line = None
        self.listing += 1
