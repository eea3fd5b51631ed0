"""`python -m tests.chaos --kills 200 --seed N`: the long form of the random kills; `--sweep`: every kill point."""

import argparse
import sys
import time

from tests.chaos.attack import attack, attack_many
from tests.chaos.sweep import SCENARIOS, sweep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="replays a series")
    parser.add_argument("--run-seed", type=int, default=None, help="replays one run of a series")
    parser.add_argument("--sweep", action="store_true", help="kill at every boundary instead of at random moments")
    parser.add_argument("--stride", type=int, default=1, help="with --sweep: at every N-th boundary")
    arguments = parser.parse_args()
    began = time.monotonic()
    if arguments.sweep:
        kills, problems = _sweep(arguments.stride)
    elif arguments.run_seed is not None:
        kills, problems = attack(arguments.run_seed)
    else:
        kills, seed = arguments.kills, arguments.seed or time.time_ns() % 2**32
        print(f"seed {seed}", flush=True)
        problems = attack_many(kills, seed, tell=True)
    print(*problems, f"{kills} kills, {len(problems)} violations, {time.monotonic() - began:.0f} s", sep="\n")
    return 1 if problems else 0


def _sweep(stride: int) -> tuple[int, list[str]]:
    kills = 0
    problems: list[str] = []
    for name in SCENARIOS:
        count, found = sweep(name, stride=stride, tell=True)
        print(f"{name}: {count} kill points, {len(found)} violations", flush=True)
        kills, problems = kills + count, problems + found
    return kills, problems


if __name__ == "__main__":
    sys.exit(main())
