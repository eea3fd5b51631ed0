"""How long a plan of 10,000 steps takes from text to order, beside plain `json.loads` of the same text.

Run: python tests/bench/plan_load.py [STEPS]
"""

import json
import sys
import tracemalloc
from collections.abc import Callable
from time import perf_counter

from engine.plan.expansion import expand
from engine.plan.load import parse_plan
from engine.plan.order import topological_order
from engine.plan.plan import Plan, Step, Values
from engine.plan.variables import bind_variables

ROUNDS = 5


def plan_text(count: int) -> str:
    """Layers of steps that wait for two of the layer before, as a generator of plans would write them."""
    steps = [
        {
            "id": f"step-{number:05}",
            "name": f"Work on part {number}",
            "kind": "command",
            "command": ["tool", "--target", "${TARGET}", f"part-{number}"],
            "depends_on": [f"step-{number - back:05}" for back in (50, 51) if number >= back],
            "retries": 2,
            "timeout_seconds": 600,
        }
        for number in range(count)
    ]
    head = {"version": "1.0", "plan_id": "large", "variables": {"TARGET": {"default": "src"}}}
    return json.dumps(head | {"steps": steps}, indent=1)


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the best of several rounds."""

    def once() -> float:
        start = perf_counter()
        work()
        return perf_counter() - start

    return min(once() for _ in range(ROUNDS))


def peak_mib(work: Callable[[], object]) -> float:
    """How much memory one round needs at most."""
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return peak / 1024 / 1024


def whole(text: str) -> list[str]:
    """Everything that happens before a run can start."""
    plan = parse_plan(text)
    return topological_order(expand(plan, bind_variables(plan, {}, {})))


def table(text: str) -> list[tuple[str, float]]:
    """What was measured, with seconds."""
    plan: Plan = parse_plan(text)
    values: Values = bind_variables(plan, {}, {})
    steps: tuple[Step, ...] = expand(plan, values)
    return [
        ("json.loads alone", fastest(lambda: json.loads(text))),
        ("parse_plan (read, check)", fastest(lambda: parse_plan(text))),
        ("expand", fastest(lambda: expand(plan, values))),
        ("topological_order", fastest(lambda: topological_order(steps))),
        ("all of it", fastest(lambda: whole(text))),
    ]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    text = plan_text(count)
    rows = table(text)
    print(f"{count:,} steps, {len(text) / 1e6:.1f} MB of JSON, best of {ROUNDS}")
    for name, seconds in rows:
        print(f"  {name:<26}{seconds * 1e3:8.1f} ms  {seconds / rows[0][1]:5.1f} x")
    print(f"  memory at most            {peak_mib(lambda: whole(text)):8.1f} MiB")


if __name__ == "__main__":
    main()
