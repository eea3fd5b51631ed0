"""One table for every benchmark: what was measured, beside what, in the same run."""

import statistics
from collections.abc import Callable, Mapping, Sequence


def alternate(contenders: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, float]:
    """The median of each contender's seconds; they take turns, so that a change of the machine's speed hits all."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(run())
    return {name: statistics.median(found) for name, found in seconds.items()}


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """The rows under their headings, aligned."""
    cells = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    print(f"\n{title}")
    for line in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  " + "  ".join([line[0].ljust(len(first)), *rest]), flush=True)


def _text(cell: object) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)
