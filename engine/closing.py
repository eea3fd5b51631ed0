"""Ending a run without running it: what is still open in it is closed with it, in one transaction.

Called by whoever holds the run's lock, and knows that nobody else works on it.
"""

from engine.executor.open_patches import BEFORE_APPLIED, IN_FLIGHT
from engine.executor.workstreams import WorkstreamFollower
from engine.recovery import end_leftovers, open_work
from engine.states import AttemptState, GateState, PatchState, TaskState, TaskStateMachine
from engine.states.outcomes import Outcome
from engine.store import patch_queries, queries
from engine.store.journal import Journal
from engine.store.records import RunRecord


def close_run(
    journal: Journal, run: RunRecord, state: str, *, trigger: str, reason: str | None, operator: str | None = None
) -> None:
    """Move a run to a final state; its open attempts, patches and tasks end with it, its workstreams follow."""
    attempts = queries.attempts_of(journal.database, run.run_id, state=AttemptState.RUNNING)
    end_leftovers(open_work(journal.database, run.run_id))
    with journal.group():
        journal.move(run, state, trigger=trigger, operator=operator, reason=reason, ended_at=journal.now())
        for attempt in attempts:
            orphaned = str(Outcome.ORPHANED)
            journal.move(
                attempt,
                AttemptState.FAILED,
                trigger=trigger,
                reason=orphaned,
                metadata={"step_id": attempt.step_id},
                outcome=orphaned,
                ended_at=journal.now(),
            )
        _close_patches(journal, run, trigger)
        _cancel_tasks(journal, run, trigger)


def _close_patches(journal: Journal, run: RunRecord, trigger: str) -> None:
    """What is not committed will not be; what stands in quarantine can still be released."""
    for patch in patch_queries.patches_of(journal.database, run.run_id, states=(*BEFORE_APPLIED, *IN_FLIGHT)):
        state = PatchState.ROLLED_BACK if patch.state in IN_FLIGHT else PatchState.DROPPED
        journal.move(patch, state, trigger=trigger, reason="canceled")
    for gate in patch_queries.gates_of(journal.database, run_id=run.run_id, states=("pending", "running")):
        journal.move(gate, GateState.CANCELED, trigger=trigger, reason="orphaned", ended_at=journal.now())


def _cancel_tasks(journal: Journal, run: RunRecord, trigger: str) -> None:
    tasks = {task.step_id: task for task in queries.tasks_of(journal.database, run.run_id)}
    follower = WorkstreamFollower(journal, queries.workstreams_of(journal.database, run.run_id), tasks)
    for step_id, task in tasks.items():
        if not TaskStateMachine.is_terminal(task.state):
            tasks[step_id] = journal.move(
                task,
                TaskState.CANCELED,
                trigger=trigger,
                reason="canceled",
                metadata={"step_id": step_id},
                ended_at=journal.now(),
            )
            follower.follow(tasks[step_id], tasks)
