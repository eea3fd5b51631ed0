"""From the bytes of a plan file to one JSON object, or everything that is wrong with the text.

Valid text takes the fast way through `json.loads`, whose hooks only notice that something is odd; what and
where it is, `position.py` finds out. No input may hang, recurse to death or end in a traceback.
A UTF-8 byte order mark is dropped, as some editors write one; every other encoding is refused.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from engine.errors import PlanError, Problem, UserError
from engine.plan.limits import MAX_DEPTH, MAX_KEYS, MAX_TEXT_BYTES, MAX_VALUES
from engine.plan.position import crowded_findings, hidden_findings, line_and_column, to_problems

# May be innocent (an escaped backslash before it), so it only asks for the slow look.
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def read_file(path: Path) -> bytes:
    """The bytes of a plan file, never more than a plan may have."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            os.set_blocking(file.fileno(), True)
            return file.read(MAX_TEXT_BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"there is no plan file {path}", hint="minipipe plan new writes one") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a plan file", hint="name a .json file in it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read the plan file {str(path)!r}: {why}") from None


def _open_at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to is empty, instead of a wait for somebody who may never come."""
    return os.open(path, flags | os.O_NONBLOCK)


def decode(raw: str | bytes, source: str) -> str:
    """The text, which is known to be writable as UTF-8."""
    try:
        size = len(raw if isinstance(raw, bytes) else raw.encode())
        if size > MAX_TEXT_BYTES:
            raise _refused(f"the plan is larger than {MAX_TEXT_BYTES // 1024 // 1024} MiB", source)
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeError:
        raise _refused("the plan is not UTF-8 text", source, "save the file as UTF-8") from None
    return text.removeprefix("\ufeff")


def read_object(text: str, source: str) -> dict[str, Any]:
    """The one JSON object that the text holds."""
    if text.count(",") > MAX_VALUES:
        raise _refused(f"the plan has more than {MAX_VALUES:,} values", source)
    hooks = _Hooks()
    try:
        data = json.loads(text, object_pairs_hook=hooks.take_object, parse_constant=hooks.take_constant)
    except json.JSONDecodeError as error:
        raise PlanError([_syntax_problem(error)], source=source) from None
    except (ValueError, RecursionError):
        # Too many digits for Python, or too deep for its stack.
        data = None
        hooks.is_odd = True
    if hooks.is_odd or _ODD_ESCAPE.search(text):
        _refuse_hidden(text, data, source)
    if not isinstance(data, dict):
        hint = 'begin with {"version": "1.0", "plan_id": …, "steps": […]}'
        raise PlanError([Problem("$", "a plan should be one JSON object", hint, 1, 1)], source=source)
    return data


class _Hooks:
    """What the parser calls on the way: notices oddities, decides nothing."""

    def __init__(self) -> None:
        self.is_odd = False

    def take_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs) or len(pairs) > MAX_KEYS:
            self.is_odd = True
        return result

    def take_constant(self, _: str) -> None:
        self.is_odd = True


def _refuse_hidden(text: str, data: object, source: str) -> None:
    findings = hidden_findings(text) or crowded_findings(data)
    if findings:
        raise PlanError(to_problems(findings, text), source=source)
    if data is None:
        raise _refused(f"the plan is nested more than {MAX_DEPTH} levels deep", source)


def _syntax_problem(error: json.JSONDecodeError) -> Problem:
    if not error.doc.strip():
        return Problem("$", "the plan is empty", "minipipe plan new writes one", 1, 1)
    message, hint = _SYNTAX.get(error.msg, (error.msg[:1].lower() + error.msg[1:], ""))
    if _is_after_last_comma(error):
        message, hint = _AFTER_COMMA
    line, column = line_and_column(error.doc, error.pos)
    hint = next((meant for sign, meant in _NOT_JSON if error.doc.startswith(sign, error.pos)), hint)
    return Problem("$", f"not valid JSON: {message}", hint, line, column)


def _is_after_last_comma(error: json.JSONDecodeError) -> bool:
    before, after = error.doc[: error.pos].rstrip(_BLANK), error.doc[error.pos :][:1]
    return before.endswith(",") and after in ("}", "]")


_BLANK = " \t\r\n"
_UNQUOTED = "Expecting property name enclosed in double quotes"
_AFTER_COMMA = ("something should follow the comma", "remove the comma before the closing bracket")
_NOT_JSON = (
    ("'", "texts stand in double quotes in JSON"),
    ("//", 'JSON has no comments; use "description"'),
    ("#", 'JSON has no comments; use "description"'),
)
"""What other formats allow at the place where JSON ends."""
_SYNTAX = {
    _UNQUOTED: ("a key in double quotes should stand here", ""),
    "Expecting ',' delimiter": (
        "a comma or a closing bracket should stand here",
        "is there one missing before?",
    ),
    "Expecting ':' delimiter": ("a colon should stand here", ""),
    "Expecting value": ("a value should stand here", "is there a comma too many, or a text without quotes?"),
    "Extra data": ("the plan ended before this", "remove what follows the last }"),
    "Illegal trailing comma before end of object": _AFTER_COMMA,
    "Unterminated string starting at": ("this text has no closing quote", ""),
    "Invalid control character at": (
        "a text may not hold a line break or control character",
        "write it as \\n or \\t",
    ),
    "Invalid \\escape": ("no such escape", "write a backslash as \\\\"),
    "Invalid \\uXXXX escape": ("\\u needs four hexadecimal digits", ""),
}


def _refused(message: str, source: str, hint: str = "") -> PlanError:
    return PlanError([Problem("$", message, hint)], source=source)
