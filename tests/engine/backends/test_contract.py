"""What every backend promises, whatever it does with an order."""

import os
from collections.abc import Iterator

import pytest

from engine.backends.contract import Backend, EndedBy, ScriptedEnd
from engine.backends.dry import DryBackend
from engine.backends.local import LocalBackend
from engine.backends.scripted import ScriptedBackend
from engine.clock import monotonic

FAILS = [ScriptedEnd(exit_code=3)]
HANGS = [ScriptedEnd(seconds=float("inf"))]


@pytest.fixture(params=["local", "dry", "scripted"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made: dict[str, Backend] = {
        "local": LocalBackend(slots=2),
        "dry": DryBackend(slots=2),
        "scripted": ScriptedBackend({"fails": FAILS, "hangs": HANGS}, slots=2),
    }
    yield made[request.param]
    for each in made.values():
        each.close()


@pytest.fixture(params=["local", "scripted"])
def acting(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """The backends under which an attempt can fail, hang and be stopped."""
    backend: Backend = (
        LocalBackend(slots=2)
        if request.param == "local"
        else ScriptedBackend({"fails": FAILS, "hangs": HANGS}, slots=2)
    )
    yield backend
    backend.close()


def test_a_started_order_takes_a_slot_until_its_end_was_given(backend, make_order, wait_all):
    assert backend.free_slots() == 2
    order = make_order()
    backend.start(order)
    assert backend.free_slots() == 1
    (end,) = wait_all(backend, 1)
    assert (end.attempt_id, end.ended_by, end.exit_code) == (order.attempt_id, EndedBy.EXIT, 0)
    assert backend.free_slots() == 2


def test_every_order_ends_exactly_once(backend, make_order, wait_all):
    orders = [make_order() for _ in range(2)]
    for order in orders:
        backend.start(order)
    ends = wait_all(backend, 2)
    assert sorted(end.attempt_id for end in ends) == sorted(order.attempt_id for order in orders)
    assert backend.wait(0.0) == []


def test_an_idle_wait_lasts_as_long_as_was_said(backend):
    began = monotonic()
    assert backend.wait(0.05) == []
    assert 0.045 <= monotonic() - began < 1


def test_a_wait_for_nothing_at_all_does_not_last_for_ever(backend):
    assert backend.wait(None) == []


def test_a_readable_watched_descriptor_ends_an_idle_wait(backend):
    reader, writer = os.pipe()
    backend.watch(reader)
    os.write(writer, b"x")
    began = monotonic()
    assert backend.wait(5.0) == []
    assert monotonic() - began < 2
    assert os.read(reader, 1) == b"x"
    os.close(writer)
    os.close(reader)


def test_an_unknown_attempt_can_be_aborted_without_effect(backend):
    backend.abort("att_unknown")
    assert backend.process_facts("att_unknown") is None


def test_a_failure_is_a_value(acting, make_order, wait_all):
    acting.start(make_order("exit 3", step_id="fails"))
    (end,) = wait_all(acting, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.EXIT, 3)


def test_an_aborted_attempt_ends_by_cancel(acting, make_order, wait_all):
    order = make_order("exec sleep 60", step_id="hangs")
    acting.start(order)
    acting.abort(order.attempt_id)
    (end,) = wait_all(acting, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.CANCEL, -15)


def test_an_attempt_aborted_at_once_is_killed(acting, make_order, wait_all):
    order = make_order("trap '' TERM; sleep 60", step_id="hangs")
    acting.start(order)
    acting.abort(order.attempt_id, now=True)
    (end,) = wait_all(acting, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.CANCEL, -9)


def test_an_attempt_ends_by_its_timeout(acting, make_order, wait_all):
    acting.start(make_order("exec sleep 60", step_id="hangs", timeout_seconds=0.1))
    (end,) = wait_all(acting, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.TIMEOUT, -15)
    assert 0.1 <= end.duration_seconds < 5
