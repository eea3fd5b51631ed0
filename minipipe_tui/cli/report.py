"""What a run came to, for people: a line a step, then the verdict and what to do next."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.clock import seconds_between, utc_now
from engine.states import RunStateMachine
from minipipe_tui.cli.arrival import arrival
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.listing import print_of_run
from minipipe_tui.cli.output import duration, print_lines, shows_unicode
from minipipe_tui.cli.table import Cell, print_table
from minipipe_tui.cli.theme import load_theme
from minipipe_tui.cli.wording import in_words, stats_text, waits_for

Document = Mapping[str, Any]

MANY_STEPS = 40
"""From more steps than these on, only those are listed that did not simply complete."""

_UNREMARKABLE = 9
_RANKS = {"failed": 0, "running": 1, "validating": 1, "retrying": 1, "canceled": 2, "completed": 3, "skipped": 4}
"""What is shown first where not even all remarkable steps have a place."""
_REACHED = ("committed", "superseded")


def print_report(
    document: Document, *, theme: str | None = None, every_step: bool = False, is_followed_by_more: bool = False
) -> None:
    """Everything worth knowing about a run, on stdout."""
    tasks = document["tasks"]
    shown = list(tasks) if every_step else remarkable(tasks)
    print_lines([heading(document), ""])
    if shown:
        print_steps(shown, document["patches"], theme=theme)
    _print_patches(document, theme=theme)
    if len(shown) < len(tasks):
        print_lines([*([""] if shown else []), counts(tasks), f"every step: minipipe show {document['run_id']} --all"])
    if arrived := list(arrival(document)):
        print_lines(["", *arrived])
    next_commands = [] if is_followed_by_more else list(what_next(document))
    if next_commands:
        print_lines(["", *next_commands])


def remarkable(tasks: Sequence[Document]) -> list[Document]:
    """All steps of a plan of ordinary size; of a longer one those that did not simply complete.

    Failures come first. Whatever else there is more of than fits is only counted: what a failure dragged along, or
    what has not begun, says little in a list.
    """
    if len(tasks) <= MANY_STEPS:
        return list(tasks)
    by_rank: dict[int, list[int]] = {}
    for place, task in enumerate(tasks):
        by_rank.setdefault(_rank(task), []).append(place)
    chosen = by_rank.pop(0, [])[:MANY_STEPS]
    by_rank.pop(_UNREMARKABLE, None)
    for _, places in sorted(by_rank.items()):
        if len(chosen) + len(places) <= MANY_STEPS:
            chosen += places
    return [tasks[place] for place in sorted(chosen)]


def _rank(task: Document) -> int:
    if task["state"] == "completed" and len(task["attempts"]) <= 1:
        return _UNREMARKABLE
    return _RANKS.get(task["state"], 5)


def counts(entities: Sequence[Document], name: str = "steps") -> str:
    """How many steps (or patches) are in which state, the most frequent first."""
    found = Counter(each["state"] for each in entities).most_common()
    return f"{len(entities)} {name}: " + ", ".join(f"{number} {state}" for state, number in found)


def _print_patches(document: Document, *, theme: str | None) -> None:
    """A row a patch, of very many only those that did not simply reach their end; then what is committed."""
    patches, stats = document["patches"], document["diff_stats"]
    if not patches:
        return
    shown = list(patches)
    if len(patches) > MANY_STEPS:
        shown = [patch for patch in patches if patch["state"] not in _REACHED][:MANY_STEPS]
    print_lines([""])
    if shown:
        print_of_run(shown, theme=theme)
    if len(shown) < len(patches):
        print_lines([f"{counts(patches, 'patches')}: minipipe patch list --run {document['run_id']}"])
    if any(stats.values()):
        print_lines([f"committed: {stats_text(stats)}"])


def heading(document: Document) -> str:
    """The run in one line: id, plan, state, how long, why."""
    took, why = run_took(document), in_words(document["reason"])
    if document["state"] == "running" and document["owner"] is None:
        why = "interrupted, nobody runs it"
    state = document["state"] + (f" after {took}" if took else "") + (f": {why}" if why else "")
    return inert_line("  ".join([document["run_id"], document["plan_name"] or document["plan_id"], state]))


def run_took(document: Document) -> str:
    """How long an ended run took; nothing for one that has not ended."""
    if not (document["started_at"] and document["ended_at"]):
        return ""
    return duration(seconds_between(document["started_at"], document["ended_at"]))


def print_steps(tasks: Iterable[Document], patches: Iterable[Document] = (), *, theme: str | None = None) -> None:
    """A row for each step: what became of it, how often it was tried, how long it took, and why."""
    newest = {patch["task_id"]: patch for patch in patches}
    rows = [_row(task, state_cell(task["state"], theme=theme), newest.get(task["task_id"])) for task in tasks]
    print_table(("STEP", "STATE", "TRIES", "TIME", "WHY"), rows, right=("TRIES", "TIME"))


def state_cell(state: str, *, theme: str | None = None) -> Cell:
    """A state as symbol and word, in its colour."""
    mark = load_theme(theme).mark(state)
    return f"{mark.text(unicode=shows_unicode(sys.stdout))} {state}", mark.style


def _row(task: Document, state: Cell, patch: Document | None) -> tuple[Cell, ...]:
    attempts = task["attempts"]
    seconds = [spent for attempt in attempts if (spent := _spent(attempt)) is not None]
    return (
        task["step_id"],
        state,
        str(len(attempts) or ""),
        duration(sum(seconds)) if seconds else "",
        why_of(task, patch),
    )


def _spent(attempt: Document) -> float | None:
    """How long an attempt took, or has taken so far."""
    if attempt["state"] == "running":
        return max(0.0, seconds_between(attempt["started_at"], utc_now()))
    seconds: float | None = attempt["duration_seconds"]
    return seconds


def why_of(task: Document, patch: Document | None = None) -> str:
    """Why a task is where it is, in a few words; `patch` is the newest of its changes."""
    if task["waiting_for"]:
        return f"waits for {task['waiting_for']}"
    if patch is not None and task["state"] == "validating" and waits_for(patch["state"]):
        return f"waits for {waits_for(patch['state'])}"
    if task["state"] == "completed":
        return ""
    last = task["attempts"][-1] if task["attempts"] else task
    why = in_words(task["reason"], last["message"])
    return f"{why} (not critical)" if task["state"] == "failed" and not task["critical"] else why


def what_next(document: Document) -> Iterator[str]:
    """The commands that make sense now."""
    run_id = document["run_id"]
    yield from _for_patches(document)
    by_weight = sorted(document["tasks"], key=lambda task: not task["critical"])
    telling = next((task["step_id"] for task in by_weight if _failed_and_told(task)), None)
    if telling:
        yield f"minipipe logs {run_id} {telling}"
    if document["state"] == "succeeded":
        return  # A retry would only carry everything over.
    is_asked = document["reason"] in ("pausing", "canceling")
    for action in document["available_actions"]:
        if not (action == "pause" and is_asked):
            yield f"minipipe {action} {run_id}"


def _for_patches(document: Document) -> Iterator[str]:
    """What a person can decide."""
    if RunStateMachine.is_terminal(document["state"]):
        return
    waiting = [patch["patch_id"] for patch in document["patches"] if "approve" in patch["available_actions"]]
    if len(waiting) > 1:
        yield f"minipipe review list --run {document['run_id']}"
    if waiting:
        yield f"minipipe review show {waiting[0]}"
        yield f"minipipe review approve {waiting[0]}"
    if document["state"] == "quarantined":
        held = [patch["patch_id"] for patch in document["patches"] if patch["state"] == "quarantined"]
        yield from (f"minipipe patch {action} {held[-1]}" for action in ("show", "release", "drop") if held)


def _failed_and_told(task: Document) -> bool:
    """Whether a step failed and printed something; one that printed nothing has an empty log, or none."""
    if task["state"] != "failed" or not task["attempts"]:
        return False
    path = Path(task["attempts"][-1]["log_path"])
    return path.exists() and path.stat().st_size > 0
