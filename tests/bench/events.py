"""What telling costs, in microseconds: `python tests/bench/events.py` from the repository's top.

Each figure is the best of several rounds; beside it stands the budget.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.events.audit import AuditTrail
from engine.events.bus import EventBus
from engine.events.catalogue import event_type_for
from engine.events.event import Event
from engine.events.line import from_line, to_line
from engine.events.poke import EVENTS, PokeListener, Poker

BATCH = 50


def event(seq: int) -> Event:
    """An event such as a run makes by the thousand."""
    ulid = f"01J8ZQ4W0V5X2M3N4P{seq:08}"
    return Event(
        f"evt_{ulid}", "2030-10-02T10:11:12.123456Z", "step_completed", "info", "task", f"task_{ulid}",
        "validating", "completed", "attempt_ended", None, "engine", f"run_{ulid}",
        {"step_id": "build", "attempt": 1, "exit_code": 0}, seq,
    )  # fmt: skip


def best(work: Callable[[], object], *, count: int = 5_000, rounds: int = 7) -> float:
    """The least microseconds a call took on average in one round."""
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(count):
            work()
        took.append((time.perf_counter() - begun) / count * 1e6)
    return min(took)


def figures(folder: Path) -> Iterator[tuple[str, float, float | None]]:
    one = event(1)
    facts = json.loads(to_line(one))
    yield "json.dumps of the same facts, to compare", best(lambda: json.dumps(facts)), None
    yield "to_line", best(lambda: to_line(one)), 6.0
    yield "from_line", best(lambda: from_line(to_line(one))), None
    yield "event_type_for", best(lambda: event_type_for("task", "queued", "running")), None
    yield from bus_figures(one)
    yield from audit_figures(folder)
    yield from poke_figures(folder / "wake")


def bus_figures(one: Event) -> Iterator[tuple[str, float, float | None]]:
    bus = EventBus()
    yield "publish, nobody listens", best(lambda: bus.publish(one)), 1.0
    bus.subscribe(lambda _: None, types=["run_failed"])
    yield "publish, a listener for another type", best(lambda: bus.publish(one)), None
    bus.subscribe(lambda _: None)
    yield "publish, a listener that hears it", best(lambda: bus.publish(one)), None


def audit_figures(folder: Path) -> Iterator[tuple[str, float, float | None]]:
    for size, budget in ((BATCH, 8.0), (1, None)):
        batches = iter([[event(n * size + k + 1) for k in range(size)] for n in range(3_600)])
        trail = AuditTrail(folder / f"events-of-{size}.jsonl", since=lambda _: [])
        took = best(lambda batches=batches, trail=trail: trail.append(next(batches)), count=500)  # type: ignore[misc]
        trail.close()
        yield f"append, an event of a batch of {size}", took / size, budget


def poke_figures(folder: Path) -> Iterator[tuple[str, float, float | None]]:
    poker = Poker(folder)
    yield "poke, no folder", best(lambda: poker.poke(EVENTS)), 15.0
    folder.mkdir()
    yield "poke, nobody listens, folder just changed", best(lambda: poker.poke(EVENTS)), 15.0
    os.utime(folder, (time.time() - 60,) * 2)
    yield "poke, nobody listens", best(lambda: poker.poke(EVENTS)), 15.0
    with PokeListener(folder, EVENTS) as listener:
        os.utime(folder, (time.time() - 60,) * 2)
        yield "poke and drain, one listener", best(lambda: (poker.poke(EVENTS), listener.drain())), None
    poker.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, took, budget in figures(Path(folder)):
            limit = f"  (budget {budget:g})" if budget else ""
            sys.stdout.write(f"{took:8.2f} µs  {name}{limit}\n")


if __name__ == "__main__":
    main()
