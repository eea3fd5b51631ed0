"""What a run came to, for people: a line a step, then the verdict and what to do next."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.clock import seconds_between
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import duration, print_lines, shows_unicode
from minipipe_tui.cli.table import Cell, print_table
from minipipe_tui.cli.theme import load_theme

Document = Mapping[str, Any]


def print_report(document: Document, *, theme: str | None = None) -> None:
    """Everything worth knowing about a run, on stdout."""
    print_lines([heading(document), ""])
    print_steps(document["tasks"], theme=theme)
    if next_commands := list(what_next(document)):
        print_lines(["", *next_commands])


def heading(document: Document) -> str:
    """The run in one line: id, plan, state, how long, why."""
    took = run_took(document)
    parts = [
        document["run_id"],
        document["plan_name"] or document["plan_id"],
        document["state"] + (f" after {took}" if took else ""),
        document["reason"] or "",
    ]
    return inert_line("  ".join(part for part in parts if part))


def run_took(document: Document) -> str:
    """How long an ended run took; nothing for one that has not ended."""
    if not (document["started_at"] and document["ended_at"]):
        return ""
    return duration(seconds_between(document["started_at"], document["ended_at"]))


def print_steps(tasks: Iterable[Document], *, theme: str | None = None) -> None:
    """A row for each step: what became of it, how often it was tried, how long it took, and why."""
    rows = [_row(task, state_cell(task["state"], theme=theme)) for task in tasks]
    print_table(("STEP", "STATE", "TRIES", "TIME", "WHY"), rows, right=("TRIES", "TIME"))


def state_cell(state: str, *, theme: str | None = None) -> Cell:
    """A state as symbol and word, in its colour."""
    mark = load_theme(theme).mark(state)
    return f"{mark.text(unicode=shows_unicode(sys.stdout))} {state}", mark.style


def _row(task: Document, state: Cell) -> tuple[Cell, ...]:
    attempts = task["attempts"]
    seconds = [attempt["duration_seconds"] for attempt in attempts if attempt["duration_seconds"] is not None]
    return (
        task["step_id"],
        state,
        str(len(attempts) or ""),
        duration(sum(seconds)) if seconds else "",
        why(task),
    )


def why(task: Document) -> str:
    """Why a task is where it is, in a few words."""
    if task["waiting_for"]:
        return f"waits for {task['waiting_for']}"
    last = task["attempts"][-1] if task["attempts"] else None
    message = last["message"] if last and task["state"] != "completed" else None
    return str(message or task["reason"] or "")


def what_next(document: Document) -> Iterator[str]:
    """The commands that make sense now."""
    run_id = document["run_id"]
    failed = next((task for task in document["tasks"] if task["state"] == "failed" and task["attempts"]), None)
    if failed:
        yield f"minipipe logs {run_id} {failed['step_id']}"
    for action in document["available_actions"]:
        yield f"minipipe {action} {run_id}"
