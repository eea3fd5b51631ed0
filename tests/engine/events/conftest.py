"""Events to speak of, a journal to ask, and a way to wait."""

import time
from collections.abc import Callable, Iterator

import pytest

from engine.events.event import Event


def _event(seq: int = 0, **facts: object) -> Event:
    given = {
        "event_id": f"evt_{seq:026}",
        "timestamp": "2030-01-02T03:04:05.000006Z",
        "event_type": "step_started",
        "severity": "info",
        "entity_type": "task",
        "entity_id": "task_1",
        "from_state": "queued",
        "to_state": "running",
        "run_id": "run_1",
        "metadata": {"number": seq},
        "seq": seq,
        **facts,
    }
    return Event(**given)  # type: ignore[arg-type]


class Journal:
    """What the store would say: events in order, and how often it was asked."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked: list[int] = []

    def commit(self, count: int, *, prefix: str = "evt") -> list[Event]:
        first = self.events[-1].seq + 1 if self.events else 1
        fresh = [_event(seq, event_id=f"{prefix}_{seq:026}") for seq in range(first, first + count)]
        self.events += fresh
        return fresh

    def since(self, seq: int) -> Iterator[Event]:
        self.asked.append(seq)
        return iter([event for event in self.events if event.seq > seq])


def _wait_until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


@pytest.fixture
def make_event() -> Callable[..., Event]:
    return _event


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    return _wait_until
