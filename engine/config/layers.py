"""Collects settings, layer after layer.

A later value wins, and everything that is wrong is kept, to be said at once.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from engine.config.keys import ALIASES, SECTIONS, SETTINGS, Setting
from engine.errors import ConfigError

Reader = Callable[[Setting, Any], Any]

_NAMES = (*SETTINGS, *ALIASES, *SECTIONS)


class Layers:
    """Values by key and problems, so far."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._problems: list[str] = []

    def add(self, source: str, name: str, value: object, read: Reader) -> None:
        """Take a value for a setting, if it is one and the value fits it."""
        setting = setting_named(name)
        if setting is None:
            self.refuse(source, name, _NAMES)
            return
        try:
            self._values[setting.key] = read(setting, value)
        except ValueError as error:
            self.complain(source, str(error))

    def refuse(self, source: str, name: str, known: Iterable[str]) -> None:
        """Note a name that is no setting, and which one may have been meant."""
        self.complain(source, f"{name} is not a setting{_suggestion(name, tuple(known))}")

    def complain(self, source: str, problem: str) -> None:
        self._problems.append(f"{source}: {problem}")

    def checked(self) -> dict[str, Any]:
        """The values, if nothing was wrong."""
        if not self._problems:
            return self._values
        text = "; ".join(self._problems)
        if len(self._problems) > 1:
            text = f"{len(self._problems)} problems in the configuration: {text}"
        raise ConfigError(text, hint="correct the configuration, then try again")


def setting_named(name: str) -> Setting | None:
    """The setting with this key, or with this older name."""
    return SETTINGS.get(ALIASES.get(name, name))


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    if name in SECTIONS:
        return f": it is a group of them, written as [{name}]"
    in_a_section = [key for key in known if key.endswith(f".{name}")]
    likely = in_a_section or get_close_matches(name, known, n=1)
    return f"; did you mean {' or '.join(likely)}?" if likely else ""
