"""How an error is shown: one line and a hint on stderr, or one JSON document on stdout.

A plan's error shows everything that is wrong with the plan at once, each with its place in the file.
"""

import sys
import traceback
from collections.abc import Iterator
from typing import Any

from engine.errors import MinipipeError, PlanError, Problem
from minipipe_tui.cli.inert import inert, inert_line
from minipipe_tui.cli.output import arrow, print_json, say

_DEBUG_HINT = "--debug shows where"


def show(error: Exception, *, as_json: bool) -> int:
    """Tell the user what went wrong; the exit code that it ends with."""
    if as_json:
        print_json(document(error))
    else:
        say("\n".join(lines(error)))
    return int(error.exit_code) if isinstance(error, MinipipeError) else 1


def show_traceback(error: Exception) -> None:
    say(inert("".join(traceback.format_exception(error))).rstrip("\n"))


def lines(error: Exception) -> Iterator[str]:
    """What a person reads."""
    if isinstance(error, PlanError):
        for problem in error.problems:
            yield _place(problem, error.source) + inert_line(f"{problem.path}: {problem.message}")
            yield from _hint(problem.hint)
        count = len(error.problems)
        yield f"minipipe: {inert_line(error.source)}: {count} problem{'' if count == 1 else 's'}"
    elif isinstance(error, MinipipeError):
        yield f"minipipe: {inert_line(error.message)}"
        yield from _hint(error.hint)
    else:
        yield f"minipipe: {inert_line(_unexpected(error))}"
        yield from _hint(_DEBUG_HINT)


def document(error: Exception) -> dict[str, Any]:
    """The same for programs."""
    if not isinstance(error, MinipipeError):
        return {"error": {"code": "Unexpected", "message": _unexpected(error), "hint": _DEBUG_HINT}}
    shown: dict[str, Any] = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    if isinstance(error, PlanError):
        shown["valid"] = False
        shown["errors"] = [_problem(problem) for problem in error.problems]
    return shown


def _problem(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("path", "line", "column", "message", "hint")}


def _place(problem: Problem, source: str) -> str:
    """`file:line:column: `, as far as it is known, in the form that editors jump to."""
    numbers = [str(number) for number in (problem.line, problem.column) if number is not None]
    return ":".join([inert_line(source), *numbers]) + ": "


def _hint(hint: str) -> Iterator[str]:
    if hint:
        yield f"  {arrow(sys.stderr)} {inert_line(hint)}"


def _unexpected(error: Exception) -> str:
    text = str(error)
    return f"unexpected {type(error).__name__}{': ' if text else ''}{text}"
