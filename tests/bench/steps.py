"""What the engine adds to a step that does nothing, beside a bare loop, make and ninja.

Each contender runs the same commands (`/bin/true`) in the same order with the same number of slots. The bare loop
starts them as the engine does: a session of its own, output to a file of its own. `minipipe` is the whole process,
start-up, plan check and report included; `engine` is the run alone; "a step" takes start-up out, by the difference
between a large plan and a small one.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from tests.bench.table import alternate, print_table

ROOT = Path(__file__).resolve().parents[2]
Graph = dict[str, list[str]]
_fresh = count()


def independent(size: int) -> Graph:
    return {f"s{number}": [] for number in range(size)}


def chain(size: int) -> Graph:
    return {f"s{number}": [f"s{number - 1}"] if number else [] for number in range(size)}


def layered(size: int, *, width: int = 50) -> Graph:
    graph: Graph = {}
    for number in range(size):
        below, place = number - number % width - width, number % width
        graph[f"s{number}"] = sorted({f"s{below + place}", f"s{below + (place + 7) % width}"}) if below >= 0 else []
    return graph


SHAPES: dict[str, Callable[[int], Graph]] = {"independent": independent, "chain": chain, "layered": layered}


def bare_loop(graph: Graph, slots: int, folder: Path) -> float:
    """Start what may start, wait for one: nothing is checked, nothing is kept."""
    logs = folder / f"bare{next(_fresh)}"
    logs.mkdir()
    missing = {name: len(needs) for name, needs in graph.items()}
    users: dict[str, list[str]] = {name: [] for name in graph}
    for name, needs in graph.items():
        for need in needs:
            users[need].append(name)
    ready = [name for name, number in missing.items() if not number]
    running: dict[int, str] = {}
    began = time.perf_counter()
    while ready or running:
        while ready and len(running) < slots:
            name = ready.pop()
            running[_start(logs / f"{name}.log")] = name
        for user in users[running.pop(os.waitpid(-1, 0)[0])]:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    return time.perf_counter() - began


def _start(log: Path) -> int:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    process = subprocess.Popen(
        ["/bin/true"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    os.close(output)
    process.returncode = 0
    return process.pid


def whole_minipipe(graph: Graph, slots: int, folder: Path) -> float:
    """The command, from its start to its end."""
    place = _workspace(graph, slots, folder)
    return _timed([sys.executable, "-m", "minipipe_tui", "run", "plan.json", "--no-ui"], place)


def engine_alone(graph: Graph, slots: int, folder: Path) -> float:
    """The run alone, in a process of its own, everything imported and the plan read."""
    place = _workspace(graph, slots, folder)
    script = (
        "import time, pathlib\n"
        "from engine.api import open_engine\n"
        "with open_engine(pathlib.Path.cwd()) as engine:\n"
        "    run_id = engine.create_run('plan.json')\n"
        "    began = time.perf_counter()\n"
        "    assert engine.execute_run(run_id).state == 'succeeded'\n"
        "    print(time.perf_counter() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place, env=_environment(), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def ninja(graph: Graph, slots: int, folder: Path) -> float:
    place = _place(folder)
    lines = ["rule t", "  command = /bin/true"]
    lines += [f"build {name}: t {' '.join(needs)}" for name, needs in graph.items()]
    (place / "build.ninja").write_text("\n".join(lines) + "\n")
    return _timed(["ninja", "-j", str(slots), "--quiet"], place)


def make(graph: Graph, slots: int, folder: Path) -> float:
    place = _place(folder)
    rules = [f"{name}: {' '.join(needs)}\n\t@/bin/true" for name, needs in graph.items()]
    (place / "Makefile").write_text(f"all: {' '.join(graph)}\n" + "\n".join(rules) + "\n")
    return _timed(["make", "-s", "-j", str(slots)], place)


def _workspace(graph: Graph, slots: int, folder: Path) -> Path:
    place = _place(folder)
    steps = [{"id": name, "command": ["/bin/true"], "depends_on": needs} for name, needs in graph.items()]
    settings = {"isolation": "none", "max_concurrent_steps": slots}
    plan = {"version": "1.0", "plan_id": "bench", "globals": settings, "steps": steps}
    (place / "plan.json").write_text(json.dumps(plan))
    return place


def _place(folder: Path) -> Path:
    place = folder / f"place{next(_fresh)}"
    place.mkdir()
    return place


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _timed(argv: Sequence[str], place: Path) -> float:
    began = time.perf_counter()
    subprocess.run(argv, cwd=place, env=_environment(), check=True, capture_output=True)
    return time.perf_counter() - began


def measure(shape: str, size: int, slots: int, *, rounds: int, folder: Path) -> list[object]:
    """One row: seconds of each contender, and the ratios that the budget speaks of."""
    graph, small = SHAPES[shape](size), SHAPES[shape](1)
    contenders: dict[str, Callable[[], float]] = {
        "bare": lambda: bare_loop(graph, slots, folder),
        "engine": lambda: engine_alone(graph, slots, folder),
        "minipipe": lambda: whole_minipipe(graph, slots, folder),
        "start": lambda: whole_minipipe(small, slots, folder),
    }
    for name, contender in (("make", make), ("ninja", ninja)):
        if shutil.which(name):
            contenders[name] = lambda contender=contender: contender(graph, slots, folder)  # type: ignore[misc]
    found = alternate(contenders, rounds=rounds)
    bare = found["bare"]
    step = (found["minipipe"] - found["start"]) / (size - 1)
    others = [found[name] / bare if name in found else "-" for name in ("make", "ninja")]
    return [
        f"{shape} {size}",
        bare * 1e6 / size,
        step * 1e6,
        found["engine"] / bare,
        step * size / bare,
        found["minipipe"] / bare,
        *others,
    ]


def run(*, quick: bool = False) -> None:
    size, rounds = (200, 1) if quick else (1000, 5)
    with tempfile.TemporaryDirectory(prefix="minipipe-bench-") as scratch:
        folder = Path(scratch)
        rows = [measure(shape, size, 2, rounds=rounds, folder=folder) for shape in SHAPES]
        sizes = (100, 300) if quick else (100, 10_000)
        rows += [measure("independent", other, 2, rounds=1, folder=folder) for other in sizes]
        print_table(
            "steps that do nothing, 2 slots (ratios to the bare loop; budget 1.5)",
            ("shape", "bare µs", "a step µs", "engine ×", "a step ×", "minipipe ×", "make ×", "ninja ×"),
            rows,
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"  memory of the largest run: {peak} MB (budget 150 MB at 10,000 steps)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough")
    run(quick=parser.parse_args().quick)
