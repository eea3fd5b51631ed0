"""How long minipipe takes to start, beside a Python that does nothing.

    python tests/bench/start_up.py [REPETITIONS]

All command lines are run in turn, round after round, so that a busy machine disturbs them alike.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """\
import re
import sys
from minipipe_tui.cli.main import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        command_lines = working(candidates(Path(folder)))
        timings: dict[str, list[float]] = {name: [] for name in command_lines}
        for _ in range(repetitions):
            for name, command_line in command_lines.items():
                timings[name].append(seconds(command_line))
    show(timings)


def candidates(folder: Path) -> dict[str, list[str]]:
    script = console_script(folder)
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -m minipipe_tui --version": [sys.executable, "-m", "minipipe_tui", "--version"],
        "minipipe --version": [*script, "--version"],
        "minipipe --help": [*script, "--help"],
        "minipipe states --json": [*script, "states", "--json"],
        "minipipe status --json": [*script, "status", "--json"],
    }


def console_script(folder: Path) -> list[str]:
    """The installed script, or the same text as an installer writes."""
    installed = shutil.which("minipipe", path=sysconfig.get_path("scripts"))
    if installed:
        return [installed]
    script = folder / "minipipe"
    script.write_text(SCRIPT)
    return [sys.executable, str(script)]


def working(command_lines: dict[str, list[str]]) -> dict[str, list[str]]:
    """Those that this version has (this also warms the caches)."""
    return {name: line for name, line in command_lines.items() if run(line) == 0}


def seconds(command_line: list[str]) -> float:
    start = time.perf_counter()
    run(command_line)
    return time.perf_counter() - start


def run(command_line: list[str]) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command_line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode


def show(timings: dict[str, list[float]]) -> None:
    floor = timings["python -c pass"]
    print(f"{'':<34}{'min ms':>8}{'ratio':>8}{'median ms':>11}{'ratio':>8}")
    for name, values in timings.items():
        print(
            f"{name:<34}{min(values) * 1000:>8.1f}{min(values) / min(floor):>8.2f}"
            f"{median(values) * 1000:>11.1f}{median(values) / median(floor):>8.2f}"
        )


if __name__ == "__main__":
    main()
