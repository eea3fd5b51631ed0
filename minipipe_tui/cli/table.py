"""Tables for listings, without any library: aligned columns, inert cells.

A cell is text, or a pair of text and style (`style.py`). On a terminal the widest columns are cut until a
row fits; in a pipe nothing is cut and nothing is coloured.
"""

import sys
from collections.abc import Collection, Iterable, Sequence
from unicodedata import combining, east_asian_width

from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import is_terminal, print_lines, shows_unicode, terminal_width, wants_colour
from minipipe_tui.cli.style import paint

Cell = str | tuple[str, str]

_GAP = "  "
_NARROWEST = 4


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Collection[str] = (),
    rigid: Collection[str] = (),
) -> None:
    """A table on stdout; the columns whose headings are in `right` are aligned there (numbers)."""
    print_lines(table_for_stdout(headings, rows, right=right, rigid=rigid))


def table_for_stdout(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Collection[str] = (),
    rigid: Collection[str] = (),
) -> list[str]:
    """The lines of a table as they suit where stdout goes."""
    width = terminal_width(sys.stdout) if is_terminal(sys.stdout) else None
    return table_lines(headings, rows, right=right, rigid=rigid, width=width, colour=wants_colour(sys.stdout))


def table_lines(
    headings: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    right: Collection[str] = (),
    rigid: Collection[str] = (),
    width: int | None = None,
    colour: bool = False,
) -> list[str]:
    """The lines of a table, no wider than `width` where one is given; columns in `rigid` are cut last."""
    table = [[(heading, "bold") for heading in headings], *([_parts(cell) for cell in row] for row in rows)]
    widths = [max(cell_width(text) for text, _ in column) for column in zip(*table, strict=True)]
    if width is not None:
        is_soft = [heading not in rigid for heading in headings]
        widths = _fitted(widths, width - len(_GAP) * (len(widths) - 1), is_soft)
    on_right = [heading in right for heading in headings]
    return [_line(row, widths, on_right, colour=colour) for row in table]


def cell_width(text: str) -> int:
    """How many columns a terminal gives to this text."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def state_cell(state: str, *, theme: str | None = None) -> Cell:
    """A state as people see it, with symbol and style; in a pipe the bare word."""
    if not is_terminal(sys.stdout):
        return state
    from minipipe_tui.cli.theme import load_theme

    mark = load_theme(theme).mark(state)
    return f"{mark.text(unicode=shows_unicode(sys.stdout))} {state}", mark.style


def cut(text: str, width: int, *, mark: str = "…") -> str:
    """The text in at most so many columns, with a mark (one column) where something is missing."""
    if cell_width(text) <= width:
        return text
    room = width - 1
    for place, char in enumerate(text):
        room -= _char_width(char)
        if room < 0:
            return text[:place] + mark
    return text


def _char_width(char: str) -> int:
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def _parts(cell: Cell) -> tuple[str, str]:
    text, style = (cell, "") if isinstance(cell, str) else cell
    return inert_line(text), style


def _fitted(widths: list[int], room: int, is_soft: Sequence[bool]) -> list[int]:
    """Narrow the widest columns, evenly, until all fit, the soft ones first; none below what can still be read."""
    widths = list(widths)
    for places in ([place for place, soft in enumerate(is_soft) if soft], range(len(widths))):
        while sum(widths) > room and (widest := max(places, key=widths.__getitem__, default=None)) is not None:
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
    return widths


def _line(row: Sequence[tuple[str, str]], widths: Sequence[int], on_right: Sequence[bool], *, colour: bool) -> str:
    cells = []
    for (text, style), width, right in zip(row, widths, on_right, strict=True):
        text = cut(text, width, mark="…" if shows_unicode(sys.stdout) else "~")
        padding = " " * (width - cell_width(text))
        shown = paint(text, style) if colour else text
        cells.append(padding + shown if right else shown + padding)
    return _GAP.join(cells).rstrip()
