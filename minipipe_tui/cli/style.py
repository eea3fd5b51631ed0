"""Styles: words that both Rich and this module understand.

They are `bold`, `dim`, `italic`, `underline`, `reverse`, the sixteen colours of the terminal (`cyan`,
`bright_red`) and `color(0)` to `color(255)`, in any combination.
"""

from functools import cache

_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7"}
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_CODES = {
    **_ATTRIBUTES,
    **{name: str(30 + number) for number, name in enumerate(_COLOURS)},
    **{f"bright_{name}": str(90 + number) for number, name in enumerate(_COLOURS)},
    **{f"color({number})": f"38;5;{number}" for number in range(256)},
}


def paint(text: str, style: str) -> str:
    """The text in a style, for a terminal."""
    return f"\x1b[{_code(style)}m{text}\x1b[0m" if style else text


def unknown_words(style: str) -> list[str]:
    """What in a style means nothing."""
    return [word for word in style.split() if word not in _CODES]


@cache
def _code(style: str) -> str:
    return ";".join(_CODES[word] for word in style.split())
