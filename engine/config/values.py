"""One value for one setting: typed as files give it, or text as the environment and flags do.

What does not fit raises ValueError with a sentence that says what would.
"""

import math
import shlex
from typing import Any

from engine.config.keys import Setting

_WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def typed_value(setting: Setting, value: object) -> Any:
    """The value as the setting's type, if it already is of that type."""
    if setting.limits.is_command and isinstance(value, str):
        return _command(setting, value)
    if setting.type is bool and type(value) is bool:
        return value
    if setting.type is int and type(value) is int:
        return _within(setting, value)
    if setting.type is float and type(value) in (int, float):
        return _within(setting, float(value))  # type: ignore[arg-type]
    if setting.type is str and isinstance(value, str):
        return value
    if setting.type == tuple[str, ...] and _is_texts(value):
        return tuple(value)  # type: ignore[arg-type]
    raise _misfit(setting, value)


def value_of_text(setting: Setting, text: str) -> Any:
    """The value that a text stands for."""
    if setting.limits.is_command:
        return _command(setting, text)
    if setting.type is bool and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if setting.type in (int, float):
        return _number(setting, text)
    if setting.type is str:
        return text
    if setting.type == tuple[str, ...]:
        return tuple(item.strip() for item in text.split(",") if item.strip())
    raise _misfit(setting, text)


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _number(setting: Setting, text: str) -> Any:
    try:
        number = setting.type(text)
    except ValueError:
        raise _misfit(setting, text) from None
    return _within(setting, number)


def _command(setting: Setting, text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(f"{setting.key} is not a command: {error}") from None


def _within(setting: Setting, number: float) -> float:
    if not math.isfinite(number):
        raise _misfit(setting, number)
    if setting.limits.low is not None and number < setting.limits.low:
        raise ValueError(f"{setting.key} must be at least {setting.limits.low:g}, not {number}")
    if setting.limits.high is not None and number > setting.limits.high:
        raise ValueError(f"{setting.key} must be at most {setting.limits.high:.0f}, not {number}")
    return number


def _misfit(setting: Setting, value: object) -> ValueError:
    return ValueError(f"{setting.key} must be {setting.type_name}, not {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
