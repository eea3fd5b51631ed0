"""How soon the owner of a run acts on a command of another process: from the row written to its answer read.

The run is a real process with two slots and many short steps, or, with --idle, one long step. The asker writes the
row, pokes, and waits as `minipipe pause` does. Commands alternate between pause and resume.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from engine.api import open_engine
from engine.executor.control import Verb
from engine.orchestrator import Orchestrator
from tests.chaos.workshop import Workshop, wait_until

VERBS: tuple[Verb, Verb] = ("pause", "resume")


def measure(count: int, *, idle: bool = False) -> list[float]:
    """The seconds that each of so many commands took, sorted."""
    with TemporaryDirectory(prefix="minipipe-bench-") as folder:
        shop = Workshop(Path(folder))
        running = shop.start("run", str(_plan(shop, idle=idle)), "--json")
        try:
            wait_until(lambda: shop.records("start"))
            with open_engine(shop.root) as orchestrator:
                run_id = shop.run_id() or ""
                return sorted(_ask(orchestrator, run_id, VERBS[number % 2]) for number in range(count))
        finally:
            running.kill()
            shop.close()


def _plan(shop: Workshop, *, idle: bool) -> Path:
    if idle:
        return shop.plan(shop.step("long", seconds=300))
    # One long step keeps a pause from coming about, so that the owner stays.
    short = [shop.step(f"s{number}", seconds=0.02) for number in range(2000)]
    return shop.plan(shop.step("long", seconds=300, priority=1), *short, slots=2)


def _ask(orchestrator: Orchestrator, run_id: str, verb: Verb) -> float:
    began = perf_counter()
    answer = orchestrator.ask(run_id, verb)
    took = perf_counter() - began
    assert answer.state == "done", answer
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--idle", action="store_true")
    arguments = parser.parse_args()
    took = measure(arguments.count, idle=arguments.idle)
    p95 = took[int(len(took) * 0.95) - 1]
    for name, seconds in (("median", statistics.median(took)), ("p95", p95), ("max", took[-1])):
        print(f"{name:>7} {seconds * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
