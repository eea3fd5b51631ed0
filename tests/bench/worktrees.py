"""What a step waits for its working tree: a warm claim of the pool against `git worktree add`, in the same repository.

Each claim goes to another commit than the last, a few files apart, after a step that changed files, added some and
ran a build; so a claim is a whole reset. They take turns with plain git, in one run.
"""

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.worktrees.places import place_of
from engine.worktrees.pool import WorktreePool
from tests.bench.table import alternate, print_table

BUDGET = 0.25
IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0")


def git(cwd: Path, *words: str | Path) -> str:
    return subprocess.run(
        ["git", *IDENTITY, *words], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


def make_repository(root: Path, count: int) -> list[str]:
    """A repository of so many files, 20 a folder; its two commits."""
    root.mkdir()
    git(root, "init", "--quiet")
    for number in range(count):
        path = root / f"part{number // 400:03}" / f"room{number // 20 % 20:02}" / f"file{number:05}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n" * 20)
    commits = []
    for text in ("one", "two"):
        (root / "part000" / "room00" / "file00000.py").write_text(f"{text}\n")
        (root / f"{text}.txt").write_text(text)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "-m", text)
        commits.append(git(root, "rev-parse", "HEAD"))
    return commits


def add_worktree(root: Path, places: Iterator[Path], commit: str) -> float:
    """The seconds of `git worktree add`. None is removed: making files is slow just after deleting many."""
    began = time.perf_counter()
    git(root, "worktree", "add", "--quiet", "--detach", next(places), commit)
    return time.perf_counter() - began


class Claims:
    """Claims one after the other, as the steps of a run make them, each followed by some work."""

    def __init__(self, pool: WorktreePool, commits: list[str], work: Callable[[Path], None]) -> None:
        self._pool = pool
        self._commits = commits
        self._work = work

    def __call__(self) -> float:
        self._commits.reverse()
        began = time.perf_counter()
        worktree = self._pool.claim(self._commits[0], run_id="bench", step_id="step")
        took = time.perf_counter() - began
        self._work(worktree.path)
        worktree.release()
        return took


def edit(tree: Path) -> None:
    """What a step does: a few edits, a few new files, a build of a hundred."""
    for number in range(5):
        (tree / "part001" / "room01" / f"file{420 + number:05}.py").write_text("changed\n")
        (tree / f"new{number}.py").write_text("new\n")
    (tree / "build").mkdir()
    for number in range(100):
        (tree / "build" / f"{number}.o").write_text("x" * 100)


def rest(_: Path) -> None:
    """A step that changes nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    count, rounds = (1_000, 3) if options.quick else (options.files, options.rounds)
    with TemporaryDirectory(prefix="minipipe-bench-") as folder:
        root = Path(folder) / "repository"
        commits = make_repository(root, count)
        pool = WorktreePool(root / ".git", place_of(Path(folder) / "trees", root / ".git"))
        places = (Path(folder) / f"plain{number}" for number in itertools.count())
        contenders: dict[str, Callable[[], float]] = {
            "git worktree add": partial(add_worktree, root, places, commits[0]),
            "warm claim": Claims(pool, list(commits), rest),
            "warm claim after edits and a build": Claims(pool, list(commits), edit),
        }
        for run in contenders.values():
            run()  # The first claim makes a worktree; it is not a warm one.
        time.sleep(1.1)  # git compares the content of what is as young as its index, by the second.
        for run in contenders.values():
            run()
        seconds = alternate(contenders, rounds=rounds)
    base = seconds["git worktree add"]
    rows = [(name, took * 1000, took / base) for name, took in seconds.items()]
    print_table(f"A working tree of {count:,} files", ("", "ms", "ratio"), rows)
    worst = max(took / base for name, took in seconds.items() if name.startswith("warm"))
    print(f"  budget {BUDGET}: {'held' if worst <= BUDGET else 'BROKEN'} ({worst:.2f})")
    sys.exit(0 if worst <= BUDGET or options.quick else 1)


if __name__ == "__main__":
    main()
