"""The bell of a running loop."""

import select
import threading

from engine.executor.control import Control


def is_ringing(control: Control) -> bool:
    return bool(select.select([control], [], [], 0)[0])


def test_a_request_rings_until_it_is_taken(control: Control) -> None:
    control.ask("pause", operator="me")
    assert is_ringing(control)
    assert [(request.verb, request.operator) for request in control.take()] == [("pause", "me")]
    assert not is_ringing(control)
    assert control.take() == []


def test_requests_keep_their_order(control: Control) -> None:
    control.ask("pause")
    control.ask("cancel")
    assert [request.verb for request in control.take()] == ["pause", "cancel"]


def test_a_ring_without_a_request_stops_ringing(control: Control) -> None:
    control.ring()
    assert is_ringing(control)
    assert control.take() == []
    assert not is_ringing(control)


def test_more_rings_than_the_bell_can_hold_are_no_harm(control: Control) -> None:
    for _ in range(70_000):
        control.ring()
    control.take()
    assert not is_ringing(control)


def test_no_request_of_another_thread_is_lost_and_no_ring_remains(control: Control) -> None:
    def ask() -> None:
        for _ in range(2000):
            control.ask("retry")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    taken = 0
    while any(thread.is_alive() for thread in threads):
        taken += len(control.take())
    taken += len(control.take())
    assert taken == 4000
    control.take()
    assert not is_ringing(control)
