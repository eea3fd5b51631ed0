"""The short form of the random kills; a failure names the seeds: `python -m tests.chaos --run-seed N` replays one."""

import time

from tests.chaos.attack import attack_many


def test_a_run_killed_again_and_again_ends_as_if_nothing_had_happened() -> None:
    seed = time.time_ns() % 2**32
    problems = attack_many(12, seed)
    assert not problems, f"seed {seed}\n" + "\n".join(problems)
