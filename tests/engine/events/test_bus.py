"""The bus reaches everybody who listens, and nobody can break it."""

import threading
from collections.abc import Callable

from engine.events import Event, EventBus

MakeEvent = Callable[..., Event]


def test_a_listener_hears_events_in_order_until_it_unsubscribes(make_event: MakeEvent) -> None:
    bus, heard = EventBus(), []
    unsubscribe = bus.subscribe(lambda event: heard.append(event.seq))
    bus.publish_all([make_event(1), make_event(2)])
    bus.publish(make_event(3))
    unsubscribe()
    unsubscribe()
    bus.publish(make_event(4))
    assert heard == [1, 2, 3]


def test_a_listener_hears_only_the_types_it_asked_for(make_event: MakeEvent) -> None:
    bus, heard = EventBus(), []
    bus.subscribe(lambda event: heard.append(event.event_type), types=["run_failed", "run_paused"])
    for name in ("run_started", "run_paused", "step_failed", "run_failed"):
        bus.publish(make_event(event_type=name))
    assert heard == ["run_paused", "run_failed"]


def test_a_failing_listener_stops_neither_the_others_nor_the_publisher(make_event: MakeEvent) -> None:
    bus, heard = EventBus(), []

    def fails(event: Event) -> None:
        raise ValueError(f"no {event.seq}")

    bus.subscribe(fails)
    bus.subscribe(lambda event: heard.append(event.seq))
    bus.publish(make_event(7))
    assert heard == [7]
    (failure,) = bus.failures
    assert "fails" in failure.listener
    assert (failure.error, failure.event_type, failure.dropped) == ("ValueError: no 7", "step_started", False)


def test_a_listener_that_keeps_failing_is_dropped(make_event: MakeEvent) -> None:
    bus, calls = EventBus(max_failures=3), []

    def fails(event: Event) -> None:
        calls.append(event.seq)
        raise RuntimeError

    bus.subscribe(fails)
    bus.publish_all([make_event(seq) for seq in range(10)])
    assert calls == [0, 1, 2]
    assert [failure.dropped for failure in bus.failures] == [False, False, True]


def test_a_success_in_between_forgives_earlier_failures(make_event: MakeEvent) -> None:
    bus, calls = EventBus(max_failures=2), []

    def fails_every_other_time(event: Event) -> None:
        calls.append(event.seq)
        if event.seq % 2:
            raise RuntimeError

    bus.subscribe(fails_every_other_time)
    bus.publish_all([make_event(seq) for seq in range(8)])
    assert len(calls) == 8


def test_failures_are_kept_in_bounds(make_event: MakeEvent) -> None:
    bus = EventBus(max_failures=1_000)
    bus.subscribe(lambda event: 1 / 0)  # type: ignore[arg-type]
    bus.publish_all([make_event(seq) for seq in range(500)])
    assert len(bus.failures) == 100


def test_a_listener_may_publish_subscribe_and_unsubscribe_itself(make_event: MakeEvent) -> None:
    bus = EventBus()
    heard: list[int] = []

    def once(event: Event) -> None:
        unsubscribe()
        bus.subscribe(lambda later: heard.append(later.seq))
        bus.publish(make_event(2))

    unsubscribe = bus.subscribe(once)
    bus.publish(make_event(1))
    assert heard == [2]


def test_many_threads_may_publish_and_subscribe_at_once(make_event: MakeEvent) -> None:
    bus, heard = EventBus(), []
    bus.subscribe(lambda event: heard.append(event.seq))

    def work() -> None:
        for seq in range(200):
            end = bus.subscribe(lambda event: None)
            bus.publish(make_event(seq))
            end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == sorted(list(range(200)) * 4)
    assert not bus.failures
