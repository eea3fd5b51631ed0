"""`python -m tests.chaos --kills 200 --seed N`: the long form of the random kills; `--sweep`: every kill point."""

import argparse
import sys
import time

from tests.chaos.attack import attack, attack_many


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="replays a series")
    parser.add_argument("--run-seed", type=int, default=None, help="replays one run of a series")
    arguments = parser.parse_args()
    began = time.monotonic()
    if arguments.run_seed is not None:
        kills, problems = attack(arguments.run_seed)
    else:
        kills, seed = arguments.kills, arguments.seed or time.time_ns() % 2**32
        print(f"seed {seed}", flush=True)
        problems = attack_many(kills, seed, tell=True)
    print(*problems, f"{kills} kills, {len(problems)} violations, {time.monotonic() - began:.0f} s", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
