"""The bell of a running loop."""

import select

import pytest

from engine.executor.control import Control


def is_ringing(control: Control) -> bool:
    return bool(select.select([control], [], [], 0)[0])


@pytest.fixture
def control() -> Control:
    return Control()


def test_taking_silences_a_bell_that_was_rung_without_a_request(control: Control) -> None:
    control.ring()
    assert is_ringing(control)
    assert control.take() == []
    assert not is_ringing(control)


def test_requests_are_taken_once_and_in_their_order(control: Control) -> None:
    control.ask("pause")
    control.ask("cancel", operator="SIGINT")
    assert [request.verb for request in control.take()] == ["pause", "cancel"]
    assert control.take() == []
    assert not is_ringing(control)


def test_a_bell_that_was_rung_ten_thousand_times_is_silenced(control: Control) -> None:
    for _ in range(100_000):
        control.ring()
    control.take()
    assert not is_ringing(control)
