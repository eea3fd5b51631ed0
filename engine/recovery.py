"""Taking over a run whose owner is gone: end what it left running, close what it left open.

Called by the new owner, who holds the run's lock; so it happens once, however many processes try. Finished tasks are
not touched. An attempt that the crash interrupted is closed as `orphaned`, and its task is tried again uncharged.
"""

from collections.abc import Sequence

from engine.backends.contract import ProcessFacts
from engine.executor.attempts import Attempts
from engine.executor.runbook import Runbook
from engine.process.survivors import end_survivors
from engine.states import AttemptState, GateState, TaskState
from engine.states.outcomes import Outcome
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.records import AttemptRecord, GateRecord


def end_leftovers(attempts: Sequence[AttemptRecord | GateRecord], *, grace_seconds: float = 1.0) -> list[int]:
    """End every process that attempts and gates of a dead owner left behind; answer those that could not be ended."""
    if not attempts:
        return []
    known = [
        ProcessFacts(attempt.pid, attempt.process_started, attempt.boot_id)
        for attempt in attempts
        if attempt.pid is not None and attempt.process_started is not None and attempt.boot_id is not None
    ]
    return end_survivors({attempt.id for attempt in attempts}, known, grace_seconds=grace_seconds)


def open_work(database: Database, run_id: str) -> list[AttemptRecord | GateRecord]:
    """The attempts and gates of a run that are recorded as running."""
    gates = patch_queries.gates_of(database, run_id=run_id, states=(GateState.RUNNING,))
    return [*queries.attempts_of(database, run_id, state=AttemptState.RUNNING), *gates]


def close_orphans(book: Runbook, attempts: Attempts, orphans: list[AttemptRecord]) -> None:
    """Close the attempts that a crash interrupted, and put their tasks back in line."""
    for attempt in orphans:
        book.adopt(attempt)
        book.end_attempt(
            attempt.attempt_id,
            AttemptState.FAILED,
            reason=str(Outcome.ORPHANED),
            outcome=str(Outcome.ORPHANED),
            message="minipipe ended while it ran",
            ended_at=book.now(),
        )
    # A task whose change was captured goes on from there.
    with_patch = {patch.task_id for patch in patch_queries.patches_of(book.journal.database, book.run.run_id)}
    for step_id, task in book.tasks.items():
        if task.state == TaskState.RUNNING or (task.state == TaskState.VALIDATING and task.task_id not in with_patch):
            _try_again(book, attempts, step_id)


def _try_again(book: Runbook, attempts: Attempts, step_id: str) -> None:
    decision = attempts.decide_retry(book.script.steps[step_id], Outcome.ORPHANED)
    if decision.retry:
        attempts.put_off(step_id, decision, reason=str(Outcome.ORPHANED))
    else:
        book.move_task(step_id, TaskState.FAILED, trigger="recovery", reason=decision.reason, ended_at=book.now())
