"""From what is on record to a run that can go on: its script, its book and its scheduler."""

import math
from collections.abc import Mapping

from engine.executor.creation import kept_variables
from engine.executor.runbook import Runbook, RunScript
from engine.executor.settings import RunSettings
from engine.executor.workstreams import UNREACHED, WorkstreamFollower
from engine.plan.expansion import expand
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables
from engine.scheduler import Limits, Node, Result, Scheduler
from engine.states import TaskState
from engine.store import queries
from engine.store.journal import Journal
from engine.store.records import RunRecord, TaskRecord
from engine.workspace import Workspace

SHORTEST_SECONDS = 0.125
"""What a step is expected to take at least: among shorter ones the plan decides the order."""

_RESULTS = {
    TaskState.COMPLETED: Result.SUCCEEDED,
    TaskState.FAILED: Result.FAILED,
    TaskState.CANCELED: Result.CANCELED,
}


def read_script(
    run: RunRecord, plan: Plan, workspace: Workspace, given: Mapping[str, str], environ: Mapping[str, str]
) -> RunScript:
    """What a run does, from the plan that it was started with; secrets come from outside again."""
    values = bind_variables(plan, {**kept_variables(run, plan), **given}, environ)
    steps = {step.id: step for step in expand(plan, values)}
    return RunScript(plan, steps, values, RunSettings.from_dict(run.settings), workspace)


def open_book(journal: Journal, run: RunRecord, script: RunScript) -> Runbook:
    """The run as the store has it; from here on its secrets are masked in everything that is written."""
    journal.hide(script.values.secrets)
    tasks = {task.step_id: task for task in queries.tasks_of(journal.database, run.run_id)}
    workstreams = queries.workstreams_of(journal.database, run.run_id)
    follower = WorkstreamFollower(journal, workstreams, tasks) if workstreams else None
    return Runbook(journal, script, run, tasks, follower)


def build_scheduler(book: Runbook, durations: Mapping[str, float]) -> Scheduler:
    """A scheduler that knows what has ended already."""
    settings = book.script.settings
    limits = Limits(
        slots=settings.max_concurrent,
        mode=settings.orchestration_mode,
        cpu=settings.cpu,
        memory_mb=settings.memory_mb,
        fail_fast=settings.fail_fast,
    )
    ended = {step_id: result for step_id, task in book.tasks.items() if (result := _result(task)) is not None}
    return Scheduler(_nodes(book.script, durations), limits, ended)


def _nodes(script: RunScript, durations: Mapping[str, float]) -> list[Node]:
    return [
        Node(
            id=step.id,
            depends_on=step.depends_on,
            run_if=step.run_if,
            is_finally=step.is_finally,
            critical=step.critical,
            priority=step.priority,
            locks=step.locks,
            cpu=step.resources.cpu,
            memory_mb=step.resources.memory_mb,
            workstream=step.workstream,
            expected_seconds=_roughly(durations.get(step.id, 1.0)),
        )
        for step in script.steps.values()
    ]


def _roughly(seconds: float) -> float:
    """The nearest power of two: small differences from run to run must not change the order of the steps."""
    return 2.0 ** round(math.log2(max(seconds, SHORTEST_SECONDS)))


def _result(task: TaskRecord) -> Result | None:
    if task.state == TaskState.SKIPPED:
        return Result.UNREACHABLE if task.reason in UNREACHED else Result.SKIPPED
    return _RESULTS.get(TaskState(task.state))
