"""Patches in a table: the columns that the ledger and the review queue choose from."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from engine.clock import seconds_between, utc_now
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import duration, is_terminal, print_lines, shows_unicode, terminal_width
from minipipe_tui.cli.table import Cell, cut, state_cell, table_for_stdout
from minipipe_tui.cli.wording import review_in_words, stats_text, why_of_patch

_WIDE = 110
_SHORT_ID = 18
"""Prefix, time, and twenty bits of chance: the beginning of an id is as good as the whole."""
_MANY_FILES = 3

Patch = Mapping[str, Any]


def is_narrow() -> bool:
    """Whether a table goes to a terminal in which not all has a place."""
    return is_terminal(sys.stdout) and terminal_width(sys.stdout) < _WIDE


def shown_id(entity_id: str) -> str:
    """The id; in a narrow terminal as much of it as names the thing."""
    return entity_id[:_SHORT_ID] if is_narrow() else entity_id


def shown_time(timestamp: str) -> str:
    """Date and time as the clock on the wall shows them."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M")


def print_queue(patches: Sequence[Patch]) -> None:
    """What waits for a person."""
    columns = ["PATCH", "STEP", *_run_column(patches), "WAITS", "CHANGES"]
    if any(patch["review"]["review_status"] != "pending" for patch in patches):
        columns.insert(2, "REVIEW")
    if is_narrow():
        print_lines(_with_reasons_below(patches, _table(patches, columns), _why_it_waits))
    else:
        print_lines(_table(patches, [*columns, "RISK", "FILES"]))


def print_ledger(patches: Sequence[Patch]) -> None:
    """Patches in any state."""
    columns = ["PATCH", "STEP", *_run_column(patches), "STATE", "CHANGES"]
    if is_narrow():
        print_lines(_with_reasons_below(patches, _table(patches, columns), why_of_patch))
    else:
        print_lines(_table(patches, [*columns, "WHY", "CREATED"]))


def print_of_run(patches: Sequence[Patch], *, theme: str | None = None) -> None:
    """The patches of one run, below its steps."""
    columns = ["PATCH", "STEP", "STATE", "CHANGES"]
    if is_narrow():
        print_lines(_with_reasons_below(patches, _table(patches, columns, theme=theme), why_of_patch))
    else:
        print_lines(_table(patches, [*columns, "WHY"], theme=theme))


def _with_reasons_below(
    patches: Sequence[Patch], lines: Sequence[str], reason: Callable[[Patch], str]
) -> Iterator[str]:
    """Where there is no room beside a row, its reason stands below it."""
    yield lines[0]
    for patch, line in zip(patches, lines[1:], strict=True):
        yield line
        if why := reason(patch):
            mark = "…" if shows_unicode(sys.stdout) else "~"
            yield cut(f"  {inert_line(why)}", terminal_width(sys.stdout), mark=mark)


def _run_column(patches: Sequence[Patch]) -> list[str]:
    """In a narrow terminal only where it tells something."""
    return [] if is_narrow() and len({patch["run_id"] for patch in patches}) == 1 else ["RUN"]


def _table(patches: Sequence[Patch], columns: Sequence[str], *, theme: str | None = None) -> list[str]:
    rows = [
        [state_cell(patch["state"], theme=theme) if column == "STATE" else _CELLS[column](patch) for column in columns]
        for patch in patches
    ]
    return table_for_stdout(columns, rows, right=("WAITS",), rigid=("PATCH", "RUN", "STATE", "WAITS", "CHANGES"))


def _why_it_waits(patch: Patch) -> str:
    """With the risk, where that is not the reason itself."""
    why, risk = why_of_patch(patch), patch["risk"]
    return why if why.startswith("risk ") or not risk["score"] else f"{why}; risk {_risk(patch)}"


def _risk(patch: Patch) -> str:
    """The score with its first reason."""
    return " ".join([str(patch["risk"]["score"]), *patch["risk"]["reasons"][:1]])


def _files(patch: Patch) -> str:
    paths = [file["path"] for file in patch["files"]]
    more = f" and {len(paths) - _MANY_FILES} more" if len(paths) > _MANY_FILES else ""
    return ", ".join(paths[:_MANY_FILES]) + more


_CELLS: Mapping[str, Callable[[Patch], Cell]] = {
    "PATCH": lambda patch: shown_id(patch["patch_id"]),
    "STEP": lambda patch: patch["step_id"],
    "RUN": lambda patch: shown_id(patch["run_id"]),
    "REVIEW": lambda patch: review_in_words(patch["review"]["review_status"]),
    "WAITS": lambda patch: duration(seconds_between(patch["created_at"], utc_now()), exact=False),
    "CHANGES": lambda patch: stats_text(patch["diff_stats"]),
    "RISK": _risk,
    "WHY": why_of_patch,
    "FILES": _files,
    "CREATED": lambda patch: shown_time(patch["created_at"]),
}
