"""Runs as JSON documents: the shapes that `show`, `run`, `runs` and `status` print, and that others rely on.

Keys may be added; none is ever renamed or removed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import ownership
from engine.errors import ExitCode, NotFound
from engine.git.changes import DiffStats
from engine.states import PatchState, RunState, RunStateMachine, TaskState, TaskStateMachine
from engine.states.actions import available_actions, exit_code_of_run
from engine.store import patch_queries, queries
from engine.store.patch_documents import patch_documents
from engine.store.records import AttemptRecord, PatchRecord, RunRecord, TaskRecord

if TYPE_CHECKING:
    from engine.store.database import Database

_HELD = (RunState.PAUSED, RunState.QUARANTINED)

NO_CHANGES = {
    "files_added": 0,
    "files_modified": 0,
    "files_deleted": 0,
    "files_renamed": 0,
    "lines_added": 0,
    "lines_deleted": 0,
    "binary_files": 0,
}


def run_document(database: "Database", run_id: str) -> dict[str, Any]:
    """Everything about one run."""
    run = queries.find_run(database, run_id)
    if run is None:
        raise NotFound("run", run_id)
    attempts: dict[str, list[AttemptRecord]] = {}
    for attempt in queries.attempts_of(database, run_id):
        attempts.setdefault(attempt.task_id, []).append(attempt)
    tasks = queries.tasks_of(database, run_id)
    states = {task.step_id: task for task in tasks}
    owner = owner_of_run(database, run_id)
    has_untried = any(task.state == TaskState.FAILED and task.task_id not in attempts for task in tasks)
    refusals = queries.refusals_of(database, run_id) if has_untried else {}
    patches = patch_queries.patches_of(database, run_id)
    stats = _stats_by_task(patches)
    return {
        **_run_facts(run),
        "exit_code": exit_code(run),
        "diff_stats": run.diff_stats or NO_CHANGES,
        "target": run.target,
        "base_commit": run.base_commit,
        "head_commit": run.head_commit,
        "promotion": promotion_document(run),
        "variables": run.variables,
        "settings": run.settings,
        "tasks": [
            {
                **_task_document(task, attempts.get(task.task_id, ()), states, is_held=run.state in _HELD),
                "message": refusals.get(task.task_id),
                "diff_stats": stats.get(task.task_id, NO_CHANGES),
            }
            for task in tasks
        ],
        "patches": patch_documents(database, patches),
        "owner": {"pid": owner.pid, "host": owner.host} if owner else None,
        "available_actions": _actions(run, patches, is_owned=owner is not None),
    }


def exit_code(run: RunRecord) -> int | None:
    """What a command that waited for this run ends with: a success that did not arrive at its target is none."""
    is_refused = run.state == RunState.SUCCEEDED and promotion_document(run)["state"] == "refused"
    return int(ExitCode.FAILED) if is_refused else exit_code_of_run(run.state)


def promotion_document(run: RunRecord) -> dict[str, Any]:
    """Whether a run's changes have come to its target branch, and if not, why and what to do."""
    facts = run.promotion or {}
    state, reason, hint = facts.get("state", "none"), facts.get("reason"), facts.get("hint")
    if state == "pending":
        state, reason, hint = "none", "it is being promoted, or was interrupted", f"minipipe resume {run.run_id}"
    return {
        "state": state,
        "target": facts.get("target", run.target),
        "commit": facts.get("commit"),
        "reason": reason,
        "hint": hint,
        "branch": facts.get("branch"),
    }


def _stats_by_task(patches: Iterable[PatchRecord]) -> dict[str, dict[str, int]]:
    """What each task has changed: the sum over its committed patches."""
    found: dict[str, DiffStats] = {}
    for patch in patches:
        if patch.state == PatchState.COMMITTED:
            found[patch.task_id] = found.get(patch.task_id, DiffStats()) + DiffStats(**patch.diff_stats)
    return {task_id: stats.to_dict() for task_id, stats in found.items()}


def _actions(run: RunRecord, patches: Iterable[PatchRecord], *, is_owned: bool) -> list[str]:
    """What can be done with a run now, its promotion and roll back included."""
    actions = list(available_actions("run", run.state, is_owned=is_owned))
    if is_owned or not RunStateMachine.is_terminal(run.state):
        return actions
    promotion = run.promotion or {}
    if promotion.get("state") == "pending" or promotion.get("intent"):
        return ["resume", *actions]
    if promotion.get("state") == "refused":
        actions.insert(0, "promote")
    return actions + ["rollback"] * any(patch.state == PatchState.COMMITTED for patch in patches)


def list_document(rows: Iterable[Mapping[str, Any]], cursor: str | None) -> dict[str, Any]:
    """A page of runs."""
    return {"runs": [dict(row) for row in rows], "next": cursor}


def owner_of_run(database: "Database", run_id: str) -> ownership.Owner | None:
    """Who runs a run now; its lock lies beside the database."""
    return ownership.owner_of(Path(database.path).parent / "runs" / run_id)


def _run_facts(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "plan_id": run.plan_id,
        "plan_name": run.plan_name,
        "plan_path": run.plan_path,
        "project_id": run.project_id,
        "state": run.state,
        "reason": run.reason,
        "pause_reason": run.pause_reason,
        "orchestration_mode": run.orchestration_mode,
        "mode": run.mode,
        "retry_of": run.retry_of,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }


def _task_document(
    task: TaskRecord, attempts: Iterable[AttemptRecord], by_step: Mapping[str, TaskRecord], *, is_held: bool
) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "step_id": task.step_id,
        "kind": task.kind,
        "state": task.state,
        "reason": task.reason,
        "waiting_for": _waiting_for(task, by_step, is_held=is_held),
        "retry_at": task.retry_at,
        "depends_on": list(task.depends_on),
        "workstream": task.workstream,
        "role": task.role,
        "critical": bool(task.critical),
        "finally": bool(task.is_finally),
        "outputs": dict(task.outputs),
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "diff_stats": NO_CHANGES,
        "attempts": [_attempt_document(attempt) for attempt in attempts],
    }


def _attempt_document(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "attempt_id": attempt.attempt_id,
        "number": attempt.number,
        "state": attempt.state,
        "reason": attempt.reason,
        "tool_id": attempt.tool_id,
        "exit_code": attempt.exit_code,
        "outcome": attempt.outcome,
        "message": attempt.message,
        "duration_seconds": attempt.duration_seconds,
        "log_path": attempt.log_path,
        "patch_id": attempt.output_patch_id,
        "session_id": attempt.session_id,
        "diff_stats": attempt.diff_stats or NO_CHANGES,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
    }


def _waiting_for(task: TaskRecord, by_step: Mapping[str, TaskRecord], *, is_held: bool) -> str | None:
    """Why a task is not running, as far as the records tell."""
    if is_held and task.state in (TaskState.RETRYING, TaskState.QUEUED):
        return "the run to be resumed"
    if task.state == TaskState.RETRYING:
        return f"its next attempt at {task.retry_at}"
    if task.state == TaskState.QUEUED:
        return "a free slot, lock or resource"
    if task.state != TaskState.PENDING:
        return None
    missing = [step_id for step_id in task.depends_on if not TaskStateMachine.is_terminal(by_step[step_id].state)]
    if missing:
        return ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return "every other step" if task.is_finally else "the run to start"
