"""`python -m tests.chaos --kills 200 --seed N`: the long form of the random kills; `--sweep`: every kill point.

`--sweep` takes about half an hour; `--only NAME` sweeps one scenario, and `--kind git`, `orphan` or `late` kills
git itself, or the engine alone while its git goes on.
"""

import argparse
import sys
import time

from tests.chaos.attack import attack, attack_many
from tests.chaos.boundaries import KINDS
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.sweep import sweep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="replays a series")
    parser.add_argument("--run-seed", type=int, default=None, help="replays one run of a series")
    parser.add_argument("--sweep", action="store_true", help="kill at every boundary instead of at random moments")
    parser.add_argument("--stride", type=int, default=1, help="with --sweep: at every N-th boundary")
    parser.add_argument("--first", type=int, default=1, help="with --sweep: from this boundary on")
    parser.add_argument("--only", metavar="NAME", action="append", choices=sorted(SCENARIOS), help="with --sweep")
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0], help="with --sweep: what is killed")
    arguments = parser.parse_args()
    began = time.monotonic()
    if arguments.sweep:
        kills, problems = _sweep(arguments)
    elif arguments.run_seed is not None:
        kills, problems = attack(arguments.run_seed)
    else:
        kills, seed = arguments.kills, arguments.seed or time.time_ns() % 2**32
        print(f"seed {seed}", flush=True)
        problems = attack_many(kills, seed, tell=True)
    print(*problems, f"{kills} kills, {len(problems)} violations, {time.monotonic() - began:.0f} s", sep="\n")
    return 1 if problems else 0


def _sweep(arguments: argparse.Namespace) -> tuple[int, list[str]]:
    kills = 0
    problems: list[str] = []
    for name in arguments.only or SCENARIOS:
        count, found = sweep(name, kind=arguments.kind, first=arguments.first, stride=arguments.stride, tell=True)
        print(f"{name}: {count} kill points, {len(found)} violations", flush=True)
        kills, problems = kills + count, problems + found
    return kills, problems


if __name__ == "__main__":
    sys.exit(main())
