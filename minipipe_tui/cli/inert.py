"""Makes any text harmless for a terminal: whatever a step printed is shown, and never obeyed.

Controls become caret notation (`^[`, `M-^[`; newline and tab stay), what cannot be seen becomes `<U+202E>`,
bytes that are not UTF-8 become `\\xNN`, over-long lines and piles of combining marks are cut with a visible
mark. Plain text comes back unchanged, and so does what is inert already. Plain ASCII is the fast path.
"""

import codecs
import re
import unicodedata
from functools import cache

LINE_LIMIT = 4096
LINE_CUT = "…[line cut]"
MARKS_LIMIT = 4
MARKS_CUT = "<marks cut>"

_CONTROLS = bytes([*range(9), *range(11, 32), 127])

# C0, DEL and C1; lone surrogates; line and paragraph separators, interlinear annotation; and all that Unicode
# calls default ignorable: bidi controls, zero-width characters, fillers, variation selectors, tags.
# Two patterns, because a character class is only fast as long as all of it is below U+10000.
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
)
_ACTIVE_ASTRAL = re.compile("[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")


def inert(text: str, *, line_limit: int = LINE_LIMIT) -> str:
    """The text with everything visible and nothing active; line breaks and tabs stay."""
    return _cut_lines(_neutral(text), line_limit)


def inert_line(text: str, *, line_limit: int = LINE_LIMIT) -> str:
    """The same on one line, for table cells and messages: line breaks and tabs become spaces."""
    return inert(text.replace("\n", " ").replace("\t", " "), line_limit=line_limit)


def inert_bytes(data: bytes, *, line_limit: int = LINE_LIMIT) -> str:
    """Inert text of what is supposed to be UTF-8."""
    return inert(data.decode("utf-8", "backslashreplace"), line_limit=line_limit)


class InertStream:
    """`inert_bytes` for data that comes in pieces, as when a log is followed; they add up to the same text.

    What is fed comes back at once, unfinished lines too, except for bytes and marks that the next may change.
    """

    def __init__(self, *, line_limit: int = LINE_LIMIT) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._line_limit = line_limit
        self._column = 0
        self._held = ""

    def feed(self, data: bytes) -> str:
        return self._show(self._decoder.decode(data), final=False)

    def close(self) -> str:
        """What was held back. The stream is then as new."""
        text = self._show(self._decoder.decode(b"", final=True), final=True)
        self._decoder.reset()
        self._column = 0
        return text

    def _show(self, text: str, *, final: bool) -> str:
        text = self._held + text
        pile = "" if final else _pile_at_end(text)
        # One mark over the limit is all that has to be remembered of a pile, however high.
        self._held = pile[: MARKS_LIMIT + 1]
        return self._cut(_neutral(text.removesuffix(pile)))

    def _cut(self, text: str) -> str:
        """Cut lines, knowing how much of the first one was given out before."""
        if not text:
            return ""
        first, newline, rest = text.partition("\n")
        shown = self._cut_first(first)
        if newline:
            shown += "\n" + _cut_lines(rest, self._line_limit)
            self._column = len(text) - text.rindex("\n") - 1
        return shown

    def _cut_first(self, piece: str) -> str:
        before, self._column = self._column, self._column + len(piece)
        if self._column <= self._line_limit:
            return piece
        # Only the piece that crosses the limit carries the mark; the rest of that line is silent.
        return piece[: self._line_limit - before] + LINE_CUT if before <= self._line_limit else ""


def _neutral(text: str) -> str:
    if text.isascii():
        data = text.encode("ascii")
        if len(data.translate(None, _CONTROLS)) == len(data):
            return text
        return _ACTIVE.sub(_visible, text)
    highest = max(set(text))
    text = _ACTIVE.sub(_visible, text)
    if highest > "\uffff":
        text = _ACTIVE_ASTRAL.sub(_visible, text)
    # Combining marks begin at U+0300; most text ends below that.
    if highest < "\u0300" or not _mark().search(text):
        return text
    return _mark_pile().sub(rf"\1{MARKS_CUT}", text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x80:
        return "^" + chr(code ^ 0x40)
    if code < 0xA0:
        return "M-^" + chr(code - 0x40)
    # How Python carries a byte that it could not decode.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"<U+{code:04X}>"


def _cut_lines(text: str, limit: int) -> str:
    if len(text) <= limit or max(map(len, text.split("\n"))) <= limit:
        return text
    return "\n".join(line if len(line) <= limit else line[:limit] + LINE_CUT for line in text.split("\n"))


def _pile_at_end(text: str) -> str:
    """The combining marks that a text ends with."""
    if not text or text[-1] < "\u0300":
        return ""
    found = _marks_at_end().search(text)
    return found[0] if found else ""


@cache
def _mark() -> re.Pattern[str]:
    """One combining mark, from this Python's own Unicode data."""
    characters = map(chr, range(0x300, 0x1F000))
    marks = "".join(c for c in characters if unicodedata.category(c) in ("Mn", "Me") and not _ACTIVE.match(c))
    first_astral = next(place for place, mark in enumerate(marks) if mark > "\uffff")
    return re.compile(f"[{marks[:first_astral]}]|(?=[\U00010000-\U0001ffff])[{marks[first_astral:]}]")


@cache
def _mark_pile() -> re.Pattern[str]:
    mark = f"(?:{_mark().pattern})"
    return re.compile(f"({mark}{{{MARKS_LIMIT}}}){mark}+")


@cache
def _marks_at_end() -> re.Pattern[str]:
    return re.compile(f"(?:{_mark().pattern})+$")
