"""`minipipe doctor`: is everything here that minipipe needs?"""

import argparse
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from engine.health import OK, Check, examine, is_healthy
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import arrow, is_terminal, print_json, print_lines, terminal_width, wants_colour
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.style import paint

_STYLES = {"ok": "green", "warn": "yellow", "problem": "bold red"}
_NAME_WIDTH = 18
_STATE_WIDTH = 7
_INDENT = " " * (_STATE_WIDTH + 2 + _NAME_WIDTH + 2)


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Look whether everything is here that minipipe needs, and say what to do where something is not. Nothing is "
        "changed. Exit code 1 if there is a problem; a warning is none.",
        examples=("minipipe doctor", "minipipe doctor --json"),
    )
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    checks = examine(Path.cwd())
    healthy = is_healthy(checks)
    if arguments.json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        print_lines(line for check in checks for line in _lines(check))
        print_lines(["", _verdict(checks)])
    return 0 if healthy else 1


def _lines(check: Check) -> Iterator[str]:
    state = f"{check.state:<{_STATE_WIDTH}}"
    shown = paint(state, _STYLES[check.state]) if wants_colour(sys.stdout) else state
    first, *more = _wrapped(check.message)
    yield f"{shown}  {check.name.replace('_', ' '):<{_NAME_WIDTH}}  {first}"
    yield from (_INDENT + line for line in more)
    if check.hint:
        first, *more = _wrapped(f"{arrow(sys.stdout)} {check.hint}")
        yield _INDENT + first
        yield from (f"{_INDENT}  {line}" for line in more)


def _wrapped(text: str) -> list[str]:
    """On a terminal no wider than it; elsewhere a line stays a line."""
    text = inert_line(text)
    if not is_terminal(sys.stdout):
        return [text]
    room = max(30, terminal_width(sys.stdout) - len(_INDENT) - 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _verdict(checks: Sequence[Check]) -> str:
    found = Counter(check.state for check in checks)
    if found[OK] == len(checks):
        return "everything is well"
    words = [f"{found[state]} {state}{'' if found[state] == 1 else 's'}" for state in ("problem", "warn")]
    return ", ".join(word.replace("warn", "warning") for word in words if not word.startswith("0 "))
