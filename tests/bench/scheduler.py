"""What a whole life of a node costs in the scheduler: `python -m tests.bench.scheduler [count…]`.

Microseconds a node, from building the scheduler to the end of the last node; it must not grow with the
number of nodes, whatever the shape of the graph. Exits with 1 where a shape costs more than the budget.
"""

import sys
from collections.abc import Callable
from time import process_time

from engine.scheduler import Limits, Node, Result, Scheduler

BUDGET_MICROSECONDS = 15.0
COUNTS = (1_000, 10_000, 50_000)


def independent(count: int) -> list[Node]:
    return [Node(f"n{i}") for i in range(count)]


def chain(count: int) -> list[Node]:
    return [Node(f"n{i}", (f"n{i - 1}",) if i else ()) for i in range(count)]


def layered(count: int) -> list[Node]:
    """Layers of 50, every node after three of the layer before."""
    return [
        Node(f"n{i}", tuple(f"n{i // 50 * 50 - 50 + (i + k) % 50}" for k in range(3)) if i >= 50 else ())
        for i in range(count)
    ]


def one_lock(count: int) -> list[Node]:
    return [Node(f"n{i}", locks=("db",)) for i in range(count)]


def own_locks(count: int) -> list[Node]:
    """No two nodes want the same, but all want one lock."""
    return [Node(f"n{i}", locks=("db", f"item-{i}")) for i in range(count)]


def counted(count: int) -> list[Node]:
    """A few sizes of cpu and memory, more than there is."""
    return [Node(f"n{i}", cpu=1 + i % 4, memory_mb=100 * (i % 5)) for i in range(count)]


Shape = Callable[[int], list[Node]]
BUDGETED: tuple[Shape, ...] = (independent, chain, layered, one_lock)
CONTENDED: tuple[Shape, ...] = (own_locks, counted)
"""Shown for comparison: their cost must not grow with the number of nodes either."""


def drive(nodes: list[Node]) -> float:
    """Run all nodes through, four at a time; microseconds of processor time a node."""
    started = process_time()
    scheduler = Scheduler(nodes, Limits(slots=4, cpu=4, memory_mb=1_000))
    scheduler.begin()
    running: list[str] = []
    while not scheduler.is_done:
        running += scheduler.take(4 - len(running))
        scheduler.finish(running.pop(0), Result.SUCCEEDED)
    return (process_time() - started) / len(nodes) * 1e6


def main(counts: tuple[int, ...]) -> int:
    print(f"{'µs a node':<12}" + "".join(f"{count:>10,}" for count in counts))
    worst = 0.0
    for shape in BUDGETED + CONTENDED:
        costs = [min(drive(shape(count)) for _ in range(3)) for count in counts]
        worst = max(worst, *costs) if shape in BUDGETED else worst
        print(f"{shape.__name__:<12}" + "".join(f"{cost:>10.1f}" for cost in costs))
    return int(worst > BUDGET_MICROSECONDS)


if __name__ == "__main__":
    sys.exit(main(tuple(int(text) for text in sys.argv[1:]) or COUNTS))
