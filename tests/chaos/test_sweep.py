"""The short form of the sweep: a kill point of every few scenarios, others each time (all: `python -m tests.chaos`)."""

import time
from random import Random

import pytest

from tests.chaos.boundaries import KINDS
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.sweep import sweep

SEED = time.time_ns() // 10**9
"""Whatever fails says how to repeat it: no two sessions take the same points."""

SAMPLE = 9
CROSSINGS = 50
"""What nearly every scenario has; beyond its last one a scenario is played without a kill."""


@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_kill_at_any_boundary_loses_nothing_and_repeats_nothing(number: int) -> None:
    random = Random(SEED + number)
    name = random.choice(sorted(SCENARIOS))
    kind, first = random.choice(("engine", *KINDS)), random.randint(1, CROSSINGS)
    _, problems = sweep(name, kind=kind, first=first, stride=1000)
    replay = f"python -m tests.chaos --sweep --only {name} --kind {kind} --first {first} --stride 1000"
    assert not problems, f"{replay}\n" + "\n".join(problems)
