"""Ten runs at once in one repository, each a process of its own, beside the same ten one after the other.

Every step changes a file and then waits a little, each as long as it likes, as a step does that asks a model. Told are:
what worktrees, indexes, refs, objects and records take on the disk beside the checkouts themselves; how long anybody
waited for the store's write lock, from each process's own view, and for the locks around the pool of worktrees; and
the time that it took.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.api import open_engine
from engine.store.database import Database
from engine.worktrees import locks
from engine.worktrees.places import home_at, place_of
from tests.bench.table import print_table
from tests.bench.worktrees import make_repository

ROOT = Path(__file__).resolve().parents[2]
RUNS = 10
DISK_BUDGET, WAIT_BUDGET_MS = 0.10, 10.0


# -- one run, in a process of its own ----------------------------------------------------------------------


class Waits:
    """How long this process had to wait: to get into a lock, and, once in, for a transaction to be on the disk."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {
            "write lock": [],
            "transaction once in": [],
            "pool lock": [],
            "admin lock": [],
        }

    def watch(self) -> None:
        transaction, held = Database.transaction, locks.held

        @contextmanager
        def timed_transaction(database: Database, **settings: Any) -> Iterator[Any]:
            began = time.perf_counter()
            with transaction(database, **settings) as cursor:
                entered = time.perf_counter()
                self.found["write lock"].append(entered - began)
                yield cursor
            self.found["transaction once in"].append(time.perf_counter() - entered)

        def timed_lock(path: Path, *rest: Any) -> AbstractContextManager[int]:
            return self._timed(held(path, *rest), f"{path.stem} lock")

        Database.transaction = timed_transaction  # type: ignore[method-assign,assignment]
        locks.held = timed_lock  # type: ignore[assignment]

    @contextmanager
    def _timed(self, lock: AbstractContextManager[int], name: str) -> Iterator[int]:
        began = time.perf_counter()
        with lock as descriptor:
            self.found[name].append(time.perf_counter() - began)
            yield descriptor


def execute(plan: str) -> None:
    """Make a run, say so, execute it once a line comes in, and tell how it went."""
    waits = Waits()
    with open_engine(Path.cwd()) as engine:
        run_id = engine.create_run(plan, target="none")
        print("ready", flush=True)
        sys.stdin.readline()
        waits.watch()
        began = time.perf_counter()
        state = engine.execute_run(run_id).state
        print(json.dumps({"state": state, "seconds": time.perf_counter() - began, "waits": waits.found}), flush=True)


class Run:
    """A process that executes one run when it is told to."""

    def __init__(self, plan: Path, root: Path, state: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.concurrency", "--execute", str(plan)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(state)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        assert self._lines.readline() == "ready\n"

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines.readline())
        self._process.communicate()
        assert found["state"] == "succeeded", found
        return found


# -- all of them ---------------------------------------------------------------------------------------------


class Site:
    """A repository, and the runs in it."""

    def __init__(self, folder: Path, files: int, steps: int, wait: float) -> None:
        self.root = folder / "repository"
        self._state = folder / "state"
        make_repository(self.root, files)
        self._plans = []
        for number in range(RUNS):
            self._plans.append(folder / f"plan{number}.json")
            self._plans[-1].write_text(json.dumps(_plan(number, steps, wait)))
        self.git_before = disk_bytes(self.root / ".git")

    @property
    def home(self) -> Path:
        return home_at(place_of(self._state / "minipipe" / "worktrees", self.root / ".git"), self.root / ".git").path

    def runs(self) -> list[Run]:
        return [Run(plan, self.root, self._state) for plan in self._plans]

    def at_once(self) -> tuple[float, list[dict[str, Any]]]:
        runs = self.runs()
        began = time.perf_counter()
        for run in runs:
            run.begin()
        results = [run.result() for run in runs]
        return time.perf_counter() - began, results

    def one_after_the_other(self) -> tuple[float, list[dict[str, Any]]]:
        results = []
        for run in self.runs():
            run.begin()
            results.append(run.result())
        return sum(result["seconds"] for result in results), results

    def disk(self) -> list[tuple[str, int]]:
        pool = self.home / "pool"
        trees = [path for path in pool.iterdir() if path.is_dir()]
        return [
            (f"{len(trees)} checkouts", sum(map(disk_bytes, trees))),
            ("the pool's own files", disk_bytes(self.home) - sum(map(disk_bytes, trees))),
            ("git: objects, refs, worktrees' folders", disk_bytes(self.root / ".git") - self.git_before),
            ("records, logs and diffs", disk_bytes(self.root / ".minipipe")),
        ]


def _plan(run: int, steps: int, wait: float) -> dict[str, object]:
    pauses = random.Random(run)
    return {
        "version": "1.0",
        "plan_id": f"bench{run}",
        "globals": {"max_concurrent_steps": 1},
        "steps": [
            {
                "id": f"s{number}",
                "kind": "code_edit",
                "command": [
                    "/bin/sh",
                    "-c",
                    f"echo {number} > run{run}-{number}.txt; sleep {pauses.uniform(0.5, 1.5) * wait:.3f}",
                ],
                "depends_on": [f"s{number - 1}"] if number else [],
            }
            for number in range(steps)
        ],
    }


def disk_bytes(folder: Path) -> int:
    """What a folder takes on the disk, itself included."""
    found = [folder.lstat(), *(path.lstat() for path in folder.rglob("*"))]
    return sum(status.st_blocks for status in found) * 512


def waits_of(results: Iterable[dict[str, Any]], name: str) -> list[float]:
    return sorted(wait * 1e3 for result in results for wait in result["waits"][name])


def p95(values: Sequence[float]) -> float:
    return values[min(len(values) - 1, int(len(values) * 0.95))] if values else 0.0


def report(site: Site, measured: dict[str, tuple[float, list[dict[str, Any]]]]) -> None:
    (checkouts, base), *others = site.disk()
    over = sum(size for _, size in others)
    rows = [(name, size / 1e6, size / base) for name, size in [(checkouts, base), *others, ("over all", over)]]
    print_table(f"disk of {RUNS} runs (budget: {DISK_BUDGET:.2f} over the checkouts)", ("", "MB", "share"), rows)
    table = []
    for how, (_, results) in measured.items():
        for name in results[0]["waits"]:
            waits = waits_of(results, name)
            if waits:
                table.append((f"{name}, {how}", len(waits), statistics.median(waits), p95(waits), waits[-1]))
    title = f"waiting, ms (budget: p95 of the write lock ≤ {WAIT_BUDGET_MS:.0f})"
    print_table(title, ("", "times", "median", "p95", "longest"), table)
    alone = measured["one after the other"][0]
    print_table(
        "seconds of all", ("", "s", "ratio"), [(how, took, took / alone) for how, (took, _) in measured.items()]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough")
    parser.add_argument("--execute", metavar="PLAN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.execute:
        execute(options.execute)
        return
    files, steps = (1_000, 3) if options.quick else (10_000, 10)
    with TemporaryDirectory(prefix="minipipe-bench-") as folder:
        site = Site(Path(folder), files, steps, wait=0.5)
        ways: dict[str, Callable[[], tuple[float, list[dict[str, Any]]]]] = {
            "one after the other": site.one_after_the_other,
            "at once": site.at_once,
        }
        site.at_once()  # The pool's worktrees are made here: a run waits for that only once.
        report(site, {how: run() for how, run in ways.items()})


if __name__ == "__main__":
    main()
