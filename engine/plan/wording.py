"""Pydantic's complaints in plain sentences: what was wrong, and what would be right."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from engine.plan.finding import Finding, Path, did_you_mean, quote

# Keys that plans will have one day; saying so beats calling them unknown.
_LATER = {
    "include": "sub-plans come with a later version; write the steps out",
    "cache": "skipping unchanged steps comes with a later version; leave the key out",
}
# What others call our keys.
_ELSEWHERE = {
    "allow_failure": "critical",
    "args": "command",
    "cmd": "command",
    "continue_on_error": "critical",
    "dependencies": "depends_on",
    "environment": "env",
    "if": "when",
    "max_parallel": "max_concurrent_steps",
    "needs": "depends_on",
    "params": "variables",
    "requires": "depends_on",
    "run": "shell",
    "script": "shell",
    "timeout": "timeout_seconds",
    "vars": "variables",
    "working_directory": "cwd",
}
_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "an object",
}
_CUSTOM = {
    "scalar": "should be a text, a number in the usual range, true or false",
    "scalars": "should be a list of texts, numbers, true or false",
    "environment": "should be true, or the name of an environment variable",
}
_MISSING_HINTS = {
    "version": 'add "version": "1.0"',
    "id": 'every step and gate has one, such as "id": "build"',
    "plan_id": 'add a name for machines, such as "plan_id": "tidy"',
    "type": 'one of "LINT", "UNIT", "INTEGRATION", "SECURITY", "CUSTOM"',
}


def to_finding(error: ErrorDetails, path: Path, known_keys: Iterable[str]) -> Finding:
    """One complaint; `path` is where the checked value stands, `known_keys` what may stand beside the key."""
    place = path + tuple(part for part in error["loc"] if part != "[key]")
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(place, known_keys)
    if kind == "missing":
        key = str(place[-1])
        return Finding(place[:-1], f"{quote(key)} is missing", _MISSING_HINTS.get(key, ""))
    message, hint = _sentence(kind, error.get("ctx", {}), error["input"])
    return Finding(place, f"{_name(place)} {message}", _form_hint(place, error["input"]) or hint)


def _unknown_key(place: Path, known_keys: Iterable[str]) -> Finding:
    key = str(place[-1])
    known = list(known_keys)
    if key in _LATER:
        return Finding(place, f"{quote(key)} is not supported yet", _LATER[key], at_key=True)
    alike = _ELSEWHERE.get(key)
    hint = f"did you mean {quote(alike)}?" if alike in known else did_you_mean(key, known)
    return Finding(place, f"unknown key {quote(key)}", hint or f"known are {', '.join(known)}", at_key=True)


def _name(place: Path) -> str:
    """What the sentence is about: `"retries"`, or `command[2]`."""
    if not place:
        return "the plan"
    if isinstance(place[-1], str):
        return quote(place[-1])
    keys = [part for part in place if isinstance(part, str)]
    return f"{keys[-1]}[{place[-1]}]" if keys else str(place[-1])


def _sentence(kind: str, ctx: Mapping[str, Any], given: object) -> tuple[str, str]:
    shown = describe(given)
    if kind in _TYPES:
        return f"should be {_TYPES[kind]}, not {shown}", _type_hint(kind, given)
    if kind == "literal_error":
        return _choice(str(ctx["expected"]), given)
    for key, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if key in ctx:
            return f"should be {words} {ctx[key]:g}, not {shown}", ""
    if kind == "string_too_long":
        return f"is too long: at most {ctx['max_length']} characters", ""
    if kind in ("scalar", "scalars", "environment"):
        words = _CUSTOM[kind]
        is_inside = kind == "scalars" and isinstance(given, list)
        return words if is_inside else f"{words}, not {shown}", _type_hint(kind, given)
    return f"is not right: {shown}", ""


def _form_hint(place: Path, given: object) -> str:
    """What is meant where somebody wrote a shorter form that other formats have."""
    if place[-1:] == ("command",) and isinstance(given, str):
        words = given.split()
        shown = json.dumps(words, ensure_ascii=False) if len(given) <= 40 and words else '["pytest", "-q"]'
        return f'write one text for each argument: {shown}; or let "shell" take the line'
    if len(place) == 2 and place[0] == "variables" and isinstance(given, str | int | float):
        return f'write {{"default": {json.dumps(given, ensure_ascii=False)}}}' if len(str(given)) <= 40 else ""
    return ""


def _choice(expected: str, given: object) -> tuple[str, str]:
    choices = re.findall(r"'([^']*)'", expected)
    words = ", ".join(quote(choice) for choice in choices[:-1])
    words = f"{words} or {quote(choices[-1])}" if words else quote(choices[-1])
    if isinstance(given, str):
        hint = did_you_mean(given, choices)
    else:
        hint = "put it in double quotes" if str(given) in choices else ""
    return f"should be {words}, not {describe(given)}", hint


def _type_hint(kind: str, given: object) -> str:
    if given is None:
        return "leave the key out to get the default"
    if isinstance(given, str):
        return _unquote_hint(kind, given)
    if kind == "string_type" and not isinstance(given, list | dict):
        return "put it in double quotes"
    if kind == "bool_type" and given in (0, 1):
        return f"write {'true' if given else 'false'}"
    return ""


def _unquote_hint(kind: str, given: str) -> str:
    if kind in ("int_type", "float_type") and re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", given):
        return f"write {given} without quotes"
    if kind == "bool_type" and given.lower() in ("true", "false", "yes", "no"):
        return f"write {'true' if given.lower() in ('true', 'yes') else 'false'} without quotes"
    if kind in ("tuple_type", "list_type", "scalars"):
        return f"put it in brackets: [{quote(given)}]"
    return ""


def describe(value: object) -> str:
    """A JSON value in a few words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    if isinstance(value, int | float):
        digits = str(value)
        return f"the number {digits}" if len(digits) <= 30 else f"a number of {len(digits)} digits"
    return "a list" if isinstance(value, list | tuple) else "an object"
