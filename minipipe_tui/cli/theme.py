"""How states look: a symbol, a word and a style for each, read from `themes/*.toml`.

The word is always shown; symbol and colour only help. A theme may extend another and change what it wants to.
`$MINIPIPE_THEME` names the one in use. What a style may say is in `style.py`.
"""

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from engine.errors import ConfigError
from minipipe_tui.cli.style import unknown_words
from minipipe_tui.resources import data_folder

DEFAULT = "dark"

_NAME = re.compile(r"[a-z][a-z0-9-]*")


class Mark(NamedTuple):
    """How one state looks."""

    symbol: str = "•"
    ascii: str = "*"
    style: str = ""

    def text(self, *, unicode: bool) -> str:
        """The symbol, as the place where it goes can show it."""
        return self.symbol if unicode else self.ascii


class Theme(NamedTuple):
    """The looks of all states, and the styles of a few other things (`heading`, `hint`, `error`, `added`)."""

    name: str
    description: str
    states: Mapping[str, Mark]
    styles: Mapping[str, str]

    def mark(self, state: str) -> Mark:
        return self.states.get(state, Mark())

    def style(self, part: str) -> str:
        return self.styles.get(part, "")


def theme_names() -> list[str]:
    return sorted(file.stem for file in data_folder("themes").glob("*.toml"))


@cache
def load_theme(name: str | None = None) -> Theme:
    """A theme by its name, or the one that the environment names."""
    return _theme(_document(name or os.environ.get("MINIPIPE_THEME") or DEFAULT))


def _document(name: str, *, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """A theme's file, with what it extends merged below it."""
    file = data_folder("themes") / f"{name}.toml"
    if not _NAME.fullmatch(name) or not file.is_file():
        raise ConfigError(f"there is no theme {name!r}", hint=f"choose one of {', '.join(theme_names())}")
    if name in above:
        raise ConfigError(f"theme {name} extends itself")
    # Only here: whoever shows things plainly never reads a theme.
    import tomllib

    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:  # broken TOML, or not UTF-8
        raise ConfigError(f"{file}: {error}") from error
    below = _document(str(document["extends"]), above=(*above, name)) if "extends" in document else {}
    return {**below, **document, **{part: _merged(below, document, part) for part in ("states", "styles")}}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], part: str) -> dict[str, Any]:
    lower, upper = below.get(part, {}), above.get(part, {})
    return {name: _over(lower.get(name), upper.get(name)) for name in {**lower, **upper}}


def _over(lower: Any, upper: Any) -> Any:
    if isinstance(lower, dict) and isinstance(upper, dict):
        return {**lower, **upper}
    return lower if upper is None else upper


def _theme(document: Mapping[str, Any]) -> Theme:
    if "name" not in document:
        raise ConfigError("a theme has no name", hint='its first line should be: name = "…"')
    name = document["name"]
    states = {state: _mark(name, state, fields) for state, fields in document["states"].items()}
    styles = {part: _checked(name, part, style) for part, style in document["styles"].items()}
    return Theme(name, document.get("description", ""), states, styles)


def _mark(theme: str, state: str, fields: Mapping[str, str]) -> Mark:
    unknown = sorted(set(fields) - set(Mark._fields))
    if unknown:
        raise ConfigError(f"theme {theme}: {state} has the unknown key {unknown[0]!r}")
    mark = Mark(**fields)
    _checked(theme, state, mark.style)
    return mark


def _checked(theme: str, part: str, style: str) -> str:
    unknown = unknown_words(style)
    if unknown:
        raise ConfigError(
            f"theme {theme}: {part} has the unknown style {unknown[0]!r}",
            hint="styles are bold, dim, italic, underline, reverse, bright_red, color(208) and so on",
        )
    return style
