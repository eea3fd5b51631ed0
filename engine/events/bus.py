"""Tells listeners in this process what happened.

Delivery is synchronous, on the publisher's thread, in the order of subscription; the events of one call
arrive in their order. A listener that fails is noted in `failures`, and forgotten when it keeps failing: it
never stops the others nor the publisher. A listener returns quickly and leaves longer work to its own thread.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from engine.events.event import Event

Listener = Callable[[Event], None]

_KEPT_FAILURES = 100


@dataclass(frozen=True, slots=True)
class ListenerFailure:
    """One exception of one listener; `dropped` if it was the last that we bore."""

    listener: str
    event_type: str
    error: str
    dropped: bool


class _Subscription:
    """A listener, what it wants to hear, and how often in a row it has failed."""

    __slots__ = ("failed_in_a_row", "listener", "types")

    def __init__(self, listener: Listener, types: Collection[str] | None) -> None:
        self.listener = listener
        self.types = None if types is None else frozenset(types)
        self.failed_in_a_row = 0


class EventBus:
    """Publishes events to whoever subscribed. Safe to use from any thread, also from within a listener."""

    def __init__(self, *, max_failures: int = 5) -> None:
        self.failures: deque[ListenerFailure] = deque(maxlen=_KEPT_FAILURES)
        self._max_failures = max_failures
        self._lock = threading.Lock()
        # Replaced, never changed: a publisher walks the tuple that it found, without a lock.
        self._subscriptions: tuple[_Subscription, ...] = ()

    def subscribe(self, listener: Listener, *, types: Collection[str] | None = None) -> Callable[[], None]:
        """Call the listener for every event (of these types); the answer ends the subscription."""
        subscription = _Subscription(listener, types)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return lambda: self._remove(subscription)

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if subscription.types is None or event.event_type in subscription.types:
                self._deliver(subscription, event)

    def publish_all(self, events: Sequence[Event]) -> None:
        if self._subscriptions:
            for event in events:
                self.publish(event)

    def _deliver(self, subscription: _Subscription, event: Event) -> None:
        try:
            subscription.listener(event)
        # The boundary between the engine and whoever listens: no fault of theirs may reach a run.
        except Exception as error:  # noqa: BLE001
            self._note(subscription, event, error)
        else:
            subscription.failed_in_a_row = 0

    def _note(self, subscription: _Subscription, event: Event, error: Exception) -> None:
        subscription.failed_in_a_row += 1
        dropped = subscription.failed_in_a_row >= self._max_failures
        if dropped:
            self._remove(subscription)
        # Text, not the exception: its traceback would keep the listener's world alive.
        text = f"{type(error).__name__}: {error}"
        self.failures.append(ListenerFailure(_name_of(subscription.listener), event.event_type, text, dropped))

    def _remove(self, subscription: _Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)


def _name_of(listener: Listener) -> str:
    name = getattr(listener, "__qualname__", type(listener).__qualname__)
    return f"{getattr(listener, '__module__', '?')}.{name}"
