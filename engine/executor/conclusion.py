"""How a run ends, from how its tasks ended."""

from engine.executor.runbook import Runbook
from engine.executor.workstreams import succeeded
from engine.states import RunState
from engine.store.records import TaskRecord


def final_state(book: Runbook) -> tuple[RunState, str | None]:
    """The state that a run ends in, and why where it is not a success."""
    if book.is_canceling:
        return RunState.CANCELED, "canceled"
    failures = [task for task in book.tasks.values() if task.critical and not succeeded(task)]
    if not failures:
        return RunState.SUCCEEDED, None
    return RunState.FAILED, _blame(failures)


def _blame(failures: list[TaskRecord]) -> str:
    """The steps that failed by themselves, not those that were only dragged along."""
    culprits = [task for task in failures if task.state == "failed"] or failures
    names = ", ".join(task.step_id for task in culprits[:5])
    more = f" and {len(culprits) - 5} more" if len(culprits) > 5 else ""
    return f"failed: {names}{more}"
