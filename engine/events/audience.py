"""Who is told about committed events besides the bus: the audit trail, and followers in other processes."""

from engine.clock import monotonic
from engine.events.audit import AuditTrail
from engine.events.event import Event
from engine.events.poke import EVENTS, Poker

PUT_OFF_EVENTS = 256
POKE_PAUSE_SECONDS = 0.01


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
    """Wakes whoever follows the journal from another process, at once but not more often than they can look."""

    def __init__(self, poker: Poker) -> None:
        self._poker = poker
        self._poked_at = 0.0
        self._is_put_off = False

    def tell(self, events: list[Event]) -> None:
        self._is_put_off = True
        if monotonic() - self._poked_at >= POKE_PAUSE_SECONDS:
            self.settle()

    def settle(self) -> None:
        if self._is_put_off:
            self._is_put_off = False
            self._poked_at = monotonic()
            self._poker.poke(EVENTS)
