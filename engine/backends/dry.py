"""A backend that starts nothing and remembers what it would have started."""

import selectors

from engine.backends.contract import AttemptEnd, EndedBy, ProcessFacts, WorkOrder


class DryBackend:
    """Every order succeeds at once, and is kept in `orders` for whoever wants to show it."""

    def __init__(self, slots: int) -> None:
        self.orders: list[WorkOrder] = []
        self._slots = slots
        self._selector = selectors.DefaultSelector()
        self._ends: list[AttemptEnd] = []

    def free_slots(self) -> int:
        """How many more orders may be given before the next wait."""
        return max(self._slots - len(self._ends), 0)

    def start(self, order: WorkOrder) -> None:
        """Keep the order."""
        self.orders.append(order)
        self._ends.append(AttemptEnd(order.attempt_id, EndedBy.EXIT, 0, 0.0, "dry run"))

    def wait(self, timeout: float | None) -> list[AttemptEnd]:
        """The ends of all orders since the last wait; without any, wait as every backend does."""
        if not self._ends and (timeout is not None or self._selector.get_map()):
            self._selector.select(timeout)
        ends, self._ends = self._ends, []
        return ends

    def abort(self, attempt_id: str, *, now: bool = False) -> None:
        """Nothing runs: it has ended already."""

    def watch(self, descriptor: int) -> None:
        """Let `wait` return early when this descriptor becomes readable."""
        if descriptor not in self._selector.get_map():
            self._selector.register(descriptor, selectors.EVENT_READ)

    def process_facts(self, attempt_id: str) -> ProcessFacts | None:
        """There is no process."""
        return None

    def close(self) -> None:
        """Let go of the selector."""
        self._selector.close()
