"""The wall clock jumps between two owners of a run. Nothing waits for it, and nothing is ordered by it."""

import pytest

from tests.chaos.inspection import violations
from tests.chaos.workshop import Workshop, wait_until

DAY = 86_400
SHIFTED = ("-m", "tests.faults.shifted_clock")


@pytest.mark.parametrize("shift", [-DAY, DAY])
def test_a_run_goes_on_under_a_clock_that_jumped(shop: Workshop, shift: int) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.kill()
    shop.open_gate()
    run_id = shop.run_id() or ""
    resumed = shop.start("resume", run_id, program=SHIFTED, env={"SHIFT_SECONDS": str(shift)})
    assert resumed.finish() == 0
    assert violations(shop, run_id, "succeeded", {"first": "completed", "second": "completed"}) == []


def test_a_clock_set_back_makes_a_retry_wait_no_longer_than_its_delay(shop: Workshop) -> None:
    backoff = {"initial_seconds": 1, "max_seconds": 1, "jitter": 0.0}
    running = shop.start("run", str(shop.plan(shop.step("flaky", "flaky", retries=2, backoff=backoff))))
    wait_until(lambda: shop.rows("SELECT 1 FROM tasks WHERE state = 'retrying'"))
    running.kill()
    resumed = shop.start("resume", "last", program=SHIFTED, env={"SHIFT_SECONDS": str(-DAY)})
    assert resumed.finish(15) == 0


def test_the_attempts_of_a_step_are_shown_in_their_order_under_a_clock_set_back(shop: Workshop) -> None:
    running = shop.start("run", str(shop.plan(shop.step("first", "gated"))))
    shop.wait_for_start("first")
    running.kill()
    shop.open_gate()
    shop.start("resume", "last", program=SHIFTED, env={"SHIFT_SECONDS": str(-DAY)}).finish()
    (task,) = shop.document()["tasks"]
    assert [attempt["number"] for attempt in task["attempts"]] == [1, 2]
