"""What LocalBackend adds to a bare loop that starts the same commands: run it, read the table.

Both sides start /bin/true in its own session with output to a file. The repetitions alternate and the
medians are compared within one run, because the machine's speed changes from minute to minute.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.backends.contract import WorkOrder
from engine.backends.local import LocalBackend
from engine.ids import new_id

COMMAND = ("/bin/true",)


def bare(count: int, slots: int, folder: Path) -> None:
    """The loop to compare with: start what fits, wait for one."""
    running: set[int] = set()
    for number in range(count):
        if len(running) == slots:
            running.discard(os.waitpid(-1, 0)[0])
        with open(folder / f"{number}.log", "ab") as log:  # noqa: PTH123
            process = subprocess.Popen(
                COMMAND, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        process.returncode = 0
        running.add(process.pid)
    while running:
        running.discard(os.waitpid(-1, 0)[0])


def local(count: int, slots: int, folder: Path) -> None:
    """The same through the backend."""
    backend = LocalBackend(slots)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    left = started = 0
    while started < count or left:
        while started < count and backend.free_slots():
            backend.start(_order(started, folder, env))
            started, left = started + 1, left + 1
        left -= len(backend.wait(None))
    backend.close()


def _order(number: int, folder: Path, env: dict[str, str]) -> WorkOrder:
    attempt_id = new_id("attempt")
    return WorkOrder(
        attempt_id=attempt_id,
        run_id="run",
        step_id=str(number),
        number=1,
        argv=COMMAND,
        cwd=folder,
        env=env | {"MINIPIPE_ATTEMPT_ID": attempt_id},
        log_path=folder / f"{number}.log",
    )


def measure(work: Callable[[int, int, Path], None], count: int, slots: int) -> tuple[float, float]:
    """Microseconds per command: wall time, and processor time of this process alone."""
    with tempfile.TemporaryDirectory() as folder:
        began, cpu_began = time.perf_counter(), time.process_time()
        work(count, slots, Path(folder))
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        return wall / count * 1e6, cpu / count * 1e6


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    print(f"{'shape':<10}{'bare µs':>10}{'local µs':>10}{'ratio':>8}{'bare cpu':>10}{'local cpu':>11}")
    for shape, slots in (("2 slots", 2), ("chain", 1)):
        pairs = [
            (*measure(bare, options.count, slots), *measure(local, options.count, slots)) for _ in range(options.repeat)
        ]
        bare_wall, bare_cpu, local_wall, local_cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(pair[2] / pair[0] for pair in pairs)
        print(f"{shape:<10}{bare_wall:>10.0f}{local_wall:>10.0f}{ratio:>8.2f}{bare_cpu:>10.0f}{local_cpu:>11.0f}")


if __name__ == "__main__":
    main()
