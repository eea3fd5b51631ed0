"""How long the files and lines of a patch of 10 MB take to count, beside `git apply --numstat` on the same file.

Run: python tests/bench/diff_stats.py [MEGABYTES] [--unidiff]. Ends with 1 if a patch of ordinary edits takes more than
twice as long as git. unidiff's figure is that of a twentieth of the patch, times twenty.
"""

import argparse
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from engine.git.changes import DiffStats
from engine.patches.diff_stats import compute_diff_stats
from tests.bench.table import alternate, print_table

BUDGET = 2.0
ROUNDS = 9
SHAPES = {"edits": (24, 15, False), "one small edit a file": (1, 15, False), "new files": (1, 200, True)}
"""Hunks a file, lines a hunk, and whether the files are new."""


def patch_text(megabytes: float, hunks: int, lines: int, *, is_new: bool) -> bytes:
    """A patch as git writes it, of about this size."""
    chance = random.Random(1)
    pieces: list[bytes] = []
    size = number = 0
    while size < megabytes * 1e6:
        pieces.append(b"".join(_file(chance, number, hunks, lines, is_new=is_new)))
        size += len(pieces[-1])
        number += 1
    return b"".join(pieces)


def _file(chance: random.Random, number: int, hunks: int, lines: int, *, is_new: bool) -> Iterator[bytes]:
    path = b"src/part_%d/module_%d.py" % (number % 50, number)
    yield b"diff --git a/%b b/%b\n" % (path, path)
    yield (
        b"new file mode 100644\nindex 0000000..89abcde\n--- /dev/null\n"
        if is_new
        else (b"index 0123456..89abcde 100644\n--- a/%b\n" % path)
    )
    yield b"+++ b/%b\n" % path
    for hunk in range(hunks):
        marks = [b"+" if is_new else chance.choice([b" ", b" ", b"+", b"-"]) for _ in range(lines)]
        old, new = lines - marks.count(b"+"), lines - marks.count(b"-")
        yield b"@@ -%d,%d +%d,%d @@ class Part:\n" % (hunk * 40 + (not is_new), old, hunk * 40 + 1, new)
        yield from (mark + b"    value" + b" = other" * chance.randint(0, 9) + b"\n" for mark in marks)


def git_seconds(patch: Path) -> float:
    begun = perf_counter()
    subprocess.run(["git", "apply", "--numstat", str(patch)], cwd=patch.parent, capture_output=True, check=True)
    return perf_counter() - begun


def our_seconds(patch: bytes) -> float:
    begun = perf_counter()
    compute_diff_stats(patch)
    return perf_counter() - begun


def git_stats(patch: Path) -> tuple[int, int]:
    told = subprocess.run(["git", "apply", "--numstat", str(patch)], cwd=patch.parent, capture_output=True, check=True)
    rows = [row.split(b"\t") for row in told.stdout.splitlines()]
    return sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows)


def unidiff_seconds(patch: bytes) -> float:
    from unidiff import PatchSet

    text = patch.decode()
    begun = perf_counter()
    PatchSet(text)
    return perf_counter() - begun


def measure(folder: Path, name: str, megabytes: float, *, with_unidiff: bool) -> list[object]:
    hunks, lines, is_new = SHAPES[name]
    patch, file = patch_text(megabytes, hunks, lines, is_new=is_new), folder / "patch"
    file.write_bytes(patch)
    stats: DiffStats = compute_diff_stats(patch)
    assert (stats.lines_added, stats.lines_deleted) == git_stats(file), "git counts otherwise"
    contenders: dict[str, Callable[[], float]] = {
        "git": partial(git_seconds, file),
        "ours": partial(our_seconds, patch),
    }
    took = alternate(contenders, rounds=ROUNDS)
    row: list[object] = [name, stats.file_count, took["git"] * 1e3, took["ours"] * 1e3, took["ours"] / took["git"]]
    if with_unidiff:
        row.append(20 * 1e3 * unidiff_seconds(patch_text(megabytes / 20, hunks, lines, is_new=is_new)))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("megabytes", nargs="?", type=float, default=10)
    parser.add_argument("--unidiff", action="store_true")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="minipipe-bench-") as folder:
        rows = [measure(Path(folder), name, arguments.megabytes, with_unidiff=arguments.unidiff) for name in SHAPES]
    headings = ["shape", "files", "git ms", "ours ms", "ratio", *(["unidiff ms"] if arguments.unidiff else [])]
    print_table(f"diff stats of {arguments.megabytes:g} MB (budget for edits: {BUDGET:g} times git)", headings, rows)
    ratio = rows[0][4]
    assert isinstance(ratio, float)
    sys.exit(int(ratio > BUDGET))


if __name__ == "__main__":
    main()
