"""One node of a run and where it stands: the only thing in this room that changes for a node."""

from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from engine.scheduler.node import IS_SUCCESS, Node, Result

if TYPE_CHECKING:
    from engine.scheduler.lanes import Lane
    from engine.scheduler.queues import Queue

Key = tuple[int, float, int]
"""Sorts ready nodes: lowered priority, longest path to the end (negative), place in the plan."""


class Place(StrEnum):
    """Every node is in exactly one place."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    DELAYED = "delayed"
    ENDED = "ended"


class Verdict(Enum):
    """What the dependencies that ended so far mean for a node."""

    WAIT = "wait"
    RUN = "run"
    UNREACHABLE = "dependency_failed"
    NEEDLESS = "run_if"


class Entry:
    """A node with its links and its place."""

    __slots__ = (
        "dependencies",
        "dependents",
        "has_failed_dependency",
        "is_queued",
        "key",
        "lane",
        "node",
        "order",
        "path",
        "place",
        "queue",
        "reason",
        "result",
        "unmet",
    )

    lane: "Lane"
    queue: "Queue"

    def __init__(self, node: Node, order: int) -> None:
        self.node = node
        self.order = order
        self.dependencies: list[Entry] = []
        self.dependents: list[Entry] = []
        self.unmet = 0
        self.has_failed_dependency = False
        self.path = 0.0
        self.key: Key | None = None
        self.is_queued = False
        self.place = Place.WAITING
        self.result: Result | None = None
        self.reason = ""

    def hear(self, result: Result) -> Verdict:
        """A dependency ended."""
        self.unmet -= 1
        if result not in IS_SUCCESS:
            self.has_failed_dependency = True
        return self.verdict()

    def verdict(self) -> Verdict:
        run_if = "always" if self.node.is_finally else self.node.run_if
        if run_if == "success" and self.has_failed_dependency:
            return Verdict.UNREACHABLE
        if self.unmet:
            return Verdict.WAIT
        if run_if == "failure" and not self.has_failed_dependency:
            return Verdict.NEEDLESS
        return Verdict.RUN

    def count_unmet(self, *, is_finally_open: bool) -> int:
        """What `unmet` must be, counted anew."""
        closed = self.node.is_finally and not is_finally_open
        return sum(needed.place is not Place.ENDED for needed in self.dependencies) + closed
