"""What commands write: data to stdout, talk to stderr.

Text from outside is made inert (`inert.py`) by whoever prints it; tables and JSON do it themselves. Colour
and cutting are for terminals: a pipe gets everything, plainly.
"""

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO


def print_json(document: Any) -> None:
    """One JSON document, indented for people. Pure ASCII: lossless, and harmless on a terminal."""
    import json

    print(json.dumps(document, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Data, a line at a time."""
    for line in lines:
        print(line)


def say(text: str) -> None:
    """Talk to the person."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # Nobody listens; that changes nothing in what the command does.
        pass


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def wants_colour(stream: TextIO | None) -> bool:
    """Whether colour suits where this goes."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("dumb", "")
    return is_terminal(stream) and not plain


def shows_unicode(stream: TextIO | None) -> bool:
    """Whether symbols beyond ASCII can be written there."""
    return "utf" in (getattr(stream, "encoding", None) or "").lower()


def duration(seconds: float, *, exact: bool = True) -> str:
    """A length of time in few characters: `0.3 s` (`0 s` where not exact), `42 s`, `2m 05s`, `1h 02m`."""
    if exact and seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds) if exact else int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def arrow(stream: TextIO | None) -> str:
    return "→" if shows_unicode(stream) else "->"


def terminal_width(stream: TextIO | None, *, fallback: int = 80) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream is not None else 0
    except (OSError, ValueError):
        columns = 0
    return columns or fallback
