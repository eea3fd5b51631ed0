"""The short form of the sweep: kill points some way apart, beginning at another one each time."""

import time

import pytest

from tests.chaos.sweep import SCENARIOS, sweep

STRIDE = 20


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_at_any_boundary_loses_nothing_and_repeats_nothing(scenario: str) -> None:
    first = 1 + time.time_ns() % STRIDE
    kills, problems = sweep(scenario, first=first, stride=STRIDE)
    assert kills > 3
    assert not problems, f"first {first}, stride {STRIDE}\n" + "\n".join(problems)
