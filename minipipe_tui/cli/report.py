"""What a run came to, for people: a line a step, then the verdict and what to do next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.clock import seconds_between, utc_now
from engine.states import RunStateMachine
from minipipe_tui.cli.arrival import arrival
from minipipe_tui.cli.excerpt import counts, remarkable_patches, remarkable_steps
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.listing import print_of_run
from minipipe_tui.cli.output import duration, print_lines
from minipipe_tui.cli.table import Cell, print_table, state_cell
from minipipe_tui.cli.wording import in_words, stats_text, waits_for

Document = Mapping[str, Any]


def print_report(
    document: Document, *, theme: str | None = None, is_whole: bool = False, is_followed_by_more: bool = False
) -> None:
    """Everything worth knowing about a run, on stdout; `is_whole` lists every step and patch, however many."""
    tasks, patches = document["tasks"], document["patches"]
    steps = list(tasks) if is_whole else remarkable_steps(tasks)
    changes = list(patches) if is_whole else remarkable_patches(patches)
    print_lines([heading(document)])
    if steps:
        print_lines([""])
        print_steps(steps, patches, theme=theme)
    _print_patches(changes, document, theme=theme)
    cut = [counts(tasks, "steps")] if len(steps) < len(tasks) else []
    cut += [counts(patches, "patches")] if len(changes) < len(patches) else []
    if cut:
        print_lines(["", *cut, f"all of them: minipipe show {document['run_id']} --all"])
    if arrived := list(arrival(document)):
        print_lines(["", *arrived])
    next_commands = [] if is_followed_by_more else list(what_next(document))
    if next_commands:
        print_lines(["", *next_commands])


def _print_patches(patches: Sequence[Document], document: Document, *, theme: str | None) -> None:
    """A row a patch, then how much is committed."""
    if patches:
        print_lines([""])
        print_of_run(patches, theme=theme)
    if any(document["diff_stats"].values()):
        print_lines([*([] if patches else [""]), f"committed: {stats_text(document['diff_stats'])}"])


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
