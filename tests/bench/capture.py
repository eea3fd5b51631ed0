"""What a changed file costs from the step to the commit, beside the git commands that a person would script for it.

Both run the same steps, one after the other; each writes one file. The script takes the change with a private index,
commits it, keeps it by a ref, merges it into the head and moves the head; it judges nothing, writes nothing down, and
works in one working tree that it never resets. "durable" is the same script with git told to wait for the disk, as the
engine tells it. minipipe's start-up is taken out, by the difference between a long and a short plan. How many times
git is started is counted by a stand-in for it, in runs of their own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.table import alternate, print_table
from tests.bench.worktrees import make_repository

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 2.5

SCRIPT = """
set -e
head=$(git rev-parse HEAD)
for number in $(seq "$1"); do
  (cd "$TREE" && /bin/sh -c "echo $number > made$number.txt")
  cp "$INDEX" own.index
  GIT_INDEX_FILE=$PWD/own.index git --work-tree="$TREE" add -A
  tree=$(GIT_INDEX_FILE=$PWD/own.index git write-tree)
  commit=$(git commit-tree -p "$head" -m "step $number" "$tree")
  git update-ref "refs/scripted/$RUN/$number" "$commit"
  merged=$(git merge-tree --write-tree "$head" "$commit")
  next=$(git commit-tree -p "$head" -m "step $number" "$merged")
  $GATE
  git update-ref "refs/scripted/$RUN/head" "$next"
  head=$next
done
"""
"""The whole of it: what it must not do without is seven commands a step."""

_fresh = count()


class Place:
    """A repository, and both ways to run steps in it."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder = folder
        self.root = folder / "repository"
        make_repository(self.root, files)
        self.tree = folder / "tree"
        self._git("worktree", "add", "--quiet", "--detach", str(self.tree))
        self.index = Path(self._git("-C", str(self.tree), "rev-parse", "--git-path", "index"))
        for name in ("user.name", "user.email"):
            self._git("config", name, "bench@example.invalid")

    def _git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def script(self, steps: int, *, gate: bool, durable: bool = False, git: Path | None = None) -> float:
        """The seconds of the script."""
        for path in self.tree.glob("made*.txt"):
            path.unlink()
        settings = {"core.fsync": "all", "core.fsyncMethod": "batch"} if durable else {}
        environment = {
            **self._environment(git),
            "TREE": str(self.tree),
            "INDEX": str(self.index),
            "RUN": str(next(_fresh)),
            "GATE": "/bin/true" if gate else ":",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for place, (key, value) in enumerate(settings.items()):
            environment |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
        return self._timed(["/bin/sh", "-c", SCRIPT, "script", str(steps)], environment)

    def minipipe(self, steps: int, *, gate: bool, git: Path | None = None) -> float:
        """The seconds of the command; its target stays where it is, so that every run begins alike."""
        plan = self.folder / f"plan{next(_fresh)}.json"
        plan.write_text(json.dumps(plan_of(steps, gate=gate)))
        words = ["-m", "minipipe_tui", "run", str(plan), "--no-ui", "--target", "none"]
        return self._timed([sys.executable, *words], self._environment(git))

    def _environment(self, git: Path | None) -> dict[str, str]:
        path = os.environ["PATH"] if git is None else f"{git}:{os.environ['PATH']}"
        state = str(self.folder / "state")
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": state}

    def _timed(self, argv: Sequence[str], environment: dict[str, str]) -> float:
        began = time.perf_counter()
        subprocess.run(argv, cwd=self.root, env=environment, check=True, capture_output=True)
        return time.perf_counter() - began

    def starts_of_git(self, run: Callable[[int, Path], object], *, more: int = 5) -> float:
        """How often git is started for one more step."""
        stand_in = self.folder / f"bin{next(_fresh)}"
        stand_in.mkdir()
        log = stand_in / "log"
        (stand_in / "git").write_text(f'#!/bin/sh\necho "$1" >> "{log}"\nexec "{shutil.which("git")}" "$@"\n')
        (stand_in / "git").chmod(0o700)
        found = []
        for steps in (1, 1 + more):
            log.write_text("")
            run(steps, stand_in)
            found.append(len(log.read_text().splitlines()))
        return (found[1] - found[0]) / more


def plan_of(steps: int, *, gate: bool) -> dict[str, object]:
    """Steps in a row, each of which writes a file of its own."""
    return {
        "version": "1.0",
        "plan_id": "bench",
        "globals": {"max_concurrent_steps": 1},
        "gates": [{"id": "ok", "type": "CUSTOM", "command": ["/bin/true"]}] if gate else [],
        "steps": [
            {
                "id": f"s{number}",
                "kind": "code_edit",
                "command": ["/bin/sh", "-c", f"echo {number} > made{number}.txt"],
                "depends_on": [f"s{number - 1}"] if number else [],
                "gates": ["ok"] if gate else [],
            }
            for number in range(steps)
        ],
    }


def measure(place: Place, name: str, steps: int, *, rounds: int, gate: bool) -> list[object]:
    place.minipipe(1, gate=gate)  # The pool's first worktree is made here.
    few, many = 2, steps + 2
    seconds = alternate(
        {
            "script": partial(place.script, steps, gate=gate),
            "durable": partial(place.script, steps, gate=gate, durable=True),
            "few": partial(place.minipipe, few, gate=gate),
            "many": partial(place.minipipe, many, gate=gate),
        },
        rounds=rounds,
    )
    script, durable = seconds["script"] / steps, seconds["durable"] / steps
    step = (seconds["many"] - seconds["few"]) / steps
    starts = [
        place.starts_of_git(lambda number, git: place.script(number, gate=gate, git=git)),
        place.starts_of_git(lambda number, git: place.minipipe(number, gate=gate, git=git)),
    ]
    return [name, script * 1e3, durable * 1e3, step * 1e3, step / script, step / durable, *starts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough")
    options = parser.parse_args()
    steps, rounds = (10, 1) if options.quick else (30, 5)
    rows = []
    for files in (50, 1_000) if options.quick else (50, 10_000):
        with TemporaryDirectory(prefix="minipipe-bench-") as folder:
            place = Place(Path(folder), files)
            for gate in (False, True):
                name = f"{files:,} files, {'a gate' if gate else 'no gate'}"
                rows.append(measure(place, name, steps, rounds=rounds, gate=gate))
    print_table(
        "a step that changes a file, captured, judged, applied and committed; ms (budget 2.5 × on a small repository)",
        ("", "script", "durable", "minipipe", "×", "× durable", "gits of the script", "gits of minipipe"),
        rows,
    )


if __name__ == "__main__":
    main()
