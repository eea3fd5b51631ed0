"""What the rules find wrong, before anybody has looked up where in the text it stands.

A rule names the place by its path in the document; `position.py` turns paths into lines and columns, and
only when there is something to report.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
STAND_IN = "\0"
"""How a stand-in for a name that could not be read begins; no name in a text holds this character."""

_LONGEST_QUOTE = 60
_MOST_CANDIDATES = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `at_key`: the key itself is, so that is what the position points at."""

    path: Path
    message: str
    hint: str = ""
    at_key: bool = False


def path_text(path: Path) -> str:
    """A path as people write it: `$.steps[3].depends_on[0]`."""
    return "$" + "".join(_part_text(part) for part in path)


def _part_text(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if len(part) <= _LONGEST_QUOTE and _PLAIN_KEY.fullmatch(part):
        return f".{part}"
    return f"[{quote(part)}]"


def quote(text: str) -> str:
    """A text from outside, fit for one line of a message: quoted, shortened, nothing unprintable."""
    shown = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown) + '"'


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint with the known name that `given` was probably meant to be, or nothing."""
    if len(given) > 2 * _LONGEST_QUOTE:
        return ""
    # Comparing is slow, and a plan may have 10,000 ids: look only at names of about this length.
    close = islice((name for name in known if abs(len(name) - len(given)) <= 3), _MOST_CANDIDATES)
    by_folded = {name.casefold(): name for name in close}
    matches = get_close_matches(given.casefold(), by_folded, n=1, cutoff=0.7)
    return f'did you mean "{by_folded[matches[0]]}"?' if matches else ""
