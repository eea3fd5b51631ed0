"""Who is told about committed events besides the bus: the audit trail, and followers in other processes."""

from engine.events.audit import AuditTrail
from engine.events.event import Event
from engine.events.poke import EVENTS, Poker

PUT_OFF_EVENTS = 256


class AuditAudience:
    """Hands events to the audit trail in larger portions: the file may lag behind, it never loses anything.

    The first time it settles it also makes up for what a process that was killed could not hand over any more.
    """

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._put_off: list[Event] = []
        self._has_settled = False

    def tell(self, events: list[Event]) -> None:
        self._put_off += events
        if len(self._put_off) >= PUT_OFF_EVENTS:
            self.settle()

    def settle(self) -> None:
        if self._put_off or not self._has_settled:
            events, self._put_off = self._put_off, []
            self._trail.append(events)
            self._has_settled = True


class PokeAudience:
    """Wakes whoever follows the journal from another process."""

    def __init__(self, poker: Poker) -> None:
        self._poker = poker

    def tell(self, events: list[Event]) -> None:
        self._poker.poke(EVENTS)

    def settle(self) -> None:
        """Nothing is put off."""
