"""Ctrl-C, cancel and pause at awkward moments, and a kill in the middle of each."""

import signal

from tests.chaos.inspection import violations
from tests.chaos.workshop import Workshop, wait_until

CANCELED = 130


def run_reason(shop: Workshop) -> object:
    return shop.rows("SELECT reason FROM runs")[0][0]


def test_ctrl_c_ends_the_wait_for_a_retry(shop: Workshop) -> None:
    backoff = {"initial_seconds": 60, "jitter": 0.0}
    plan = shop.plan(shop.step("fails", "failing", retries=3, backoff=backoff), final=[shop.step("final")])
    running = shop.start("run", str(plan))
    wait_until(lambda: shop.rows("SELECT 1 FROM tasks WHERE state = 'retrying'"))
    running.signal(signal.SIGINT)
    assert running.finish(5) == CANCELED
    run_id = shop.run_id() or ""
    assert violations(shop, run_id, "canceled", {"fails": "canceled", "final": "completed"}) == []


def test_ctrl_c_kills_a_step_that_does_not_listen(shop: Workshop) -> None:
    plan = shop.plan(shop.step("deaf", "stubborn", 60), final=[shop.step("final")])
    running = shop.start("run", str(plan))
    shop.wait_for_start("deaf")
    running.signal(signal.SIGINT)
    assert running.finish(5) == CANCELED
    assert violations(shop, shop.run_id() or "", "canceled", {"deaf": "canceled", "final": "completed"}) == []


def test_a_second_ctrl_c_ends_the_final_steps_too(shop: Workshop) -> None:
    plan = shop.plan(
        shop.step("first", seconds=60), final=[shop.step("final", "stubborn", 60), shop.step("later")], slots=1
    )
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.signal(signal.SIGINT)
    shop.wait_for_start("final")
    running.signal(signal.SIGINT)
    assert running.finish(5) == CANCELED
    expected = {"first": "canceled", "final": "canceled", "later": "canceled"}
    assert violations(shop, shop.run_id() or "", "canceled", expected) == []


def test_ctrl_c_in_a_final_step_lets_it_finish(shop: Workshop) -> None:
    running = shop.start("run", str(shop.plan(shop.step("first"), final=[shop.step("final", seconds=0.5)])))
    shop.wait_for_start("final")
    running.signal(signal.SIGINT)
    assert running.finish(5) == CANCELED
    assert violations(shop, shop.run_id() or "", "canceled", {"first": "completed", "final": "completed"}) == []


def test_a_run_whose_owner_was_killed_can_be_canceled(shop: Workshop) -> None:
    plan = shop.plan(
        shop.step("first", "forking", 60), shop.step("second", depends_on=["first"]), final=[shop.step("final")]
    )
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.kill()
    assert shop.minipipe("cancel", "last").code == 0
    expected = {"first": "canceled", "second": "canceled", "final": "completed"}
    assert violations(shop, shop.run_id() or "", "canceled", expected) == []


def test_a_run_killed_while_it_was_canceled_goes_on_being_canceled(shop: Workshop) -> None:
    plan = shop.plan(
        shop.step("deaf", "stubborn", 60), shop.step("next", depends_on=["deaf"]), final=[shop.step("final")]
    )
    running = shop.start("run", str(plan))
    shop.wait_for_start("deaf")
    running.signal(signal.SIGINT)
    wait_until(lambda: run_reason(shop) == "canceling")
    running.kill()
    assert shop.minipipe("resume", "last").code == CANCELED
    expected = {"deaf": "canceled", "next": "canceled", "final": "completed"}
    assert violations(shop, shop.run_id() or "", "canceled", expected) == []
    assert len(shop.records("start")) == 2


def test_a_paused_run_is_resumed_and_repeats_nothing(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    assert shop.minipipe("pause", "last").code == 0
    shop.open_gate()
    assert running.finish(5) == 3
    assert shop.run_state() == "paused"
    assert shop.minipipe("resume", "last").code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed", "second": "completed"}) == []
    assert len(shop.records("start")) == 2


def test_a_run_killed_while_it_was_about_to_pause_is_resumed(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    assert shop.minipipe("pause", "last").code == 0
    assert run_reason(shop) == "pausing"
    running.kill()
    shop.open_gate()
    assert shop.minipipe("resume", "last").code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed", "second": "completed"}) == []


def test_a_killed_run_that_is_paused_and_then_resumed_ends_what_was_left(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "scrubbing", 60, when="${FAST} == no"), variables={"FAST": {"default": "no"}})
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.kill()
    assert shop.minipipe("pause", "last").code == 0
    assert shop.run_state() == "paused"
    assert shop.minipipe("cancel", "last").code == 0
    assert violations(shop, shop.run_id() or "", "canceled", {"first": "canceled"}) == []
