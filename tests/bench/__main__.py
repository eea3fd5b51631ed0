"""Every benchmark, one after the other: `python -m tests.bench [--quick] [NAME …]`.

Each prints a table that compares two things measured in the same run. None of them is a test: a busy machine makes
every figure worse, and only the ratios mean something.
"""

import argparse
import runpy
import sys

NAMES = (
    *("steps", "journal", "start_up", "plan_load", "scheduler", "spawn", "events", "commands"),
    *("worktrees", "diff_stats", "capture", "concurrency"),
)
QUICK = {"steps", "journal", "worktrees", "capture", "concurrency"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="small and rough, where a benchmark knows how")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name!r}")
        print(f"\n=== {name}", flush=True)
        sys.argv = [name, *(["--quick"] if arguments.quick and name in QUICK else [])]
        try:
            runpy.run_module(f"tests.bench.{name}", run_name="__main__")
        except SystemExit as stop:
            # A benchmark that is over its budget says so and ends with 1; the others still have their turn.
            if stop.code not in (0, None):
                print(f"  ({name} ended with {stop.code})")


if __name__ == "__main__":
    main()
