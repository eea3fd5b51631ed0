"""What one event sets off while it spreads through the graph, collected until it is told."""

from dataclasses import dataclass, field

from engine.scheduler.entry import Entry, Place
from engine.scheduler.node import NOTHING, Consequences


@dataclass(slots=True)
class Ripple:
    """`pending` ended, and their dependents have not heard of it yet."""

    pending: list[Entry]
    ready: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    abort: list[str] = field(default_factory=list)

    def consequences(self) -> Consequences:
        if not (self.ready or self.skipped or self.abort):
            return NOTHING
        # A node may have become ready and then been given up for good, all in one ripple.
        ready = tuple(entry.node.id for entry in self.ready if entry.place is Place.READY)
        return Consequences(ready, tuple(self.skipped), tuple(self.abort))
