"""A new run: its row, a row for each of its tasks, and one for each workstream, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engine.executor.settings import RunSettings
from engine.ids import new_id
from engine.plan.plan import Plan, Step, Values
from engine.states import TaskState, WorkstreamState
from engine.store.journal import Journal
from engine.store.records import RunRecord, TaskRecord, WorkstreamRecord


def write_run(
    journal: Journal,
    plan: Plan,
    steps: Sequence[Step],
    values: Values,
    settings: RunSettings,
    *,
    workspace: Path,
    plan_path: str | None = None,
    project_id: str | None = None,
    retry_of: RunRecord | None = None,
    carried: Mapping[str, TaskRecord] | None = None,
    base_commit: str | None = None,
    target: str | None = None,
    warnings: Iterable[str] = (),
) -> RunRecord:
    """Write a pending run down; answer its record. `carried` are tasks of an earlier run that need not run again."""
    run = RunRecord(
        run_id=new_id("run"),
        project_id=project_id,
        plan_id=plan.plan_id,
        plan_name=plan.name,
        plan_path=plan_path,
        plan_text=plan.text,
        plan_digest=plan.digest,
        workspace=str(workspace),
        variables=values.shown,
        settings=settings.as_dict(),
        orchestration_mode=settings.orchestration_mode,
        mode=settings.mode,
        target=target,
        priority=0,
        retry_of=retry_of.run_id if retry_of else None,
        created_at=journal.now(),
        base_commit=base_commit,
        head_commit=base_commit,
    )
    carried = carried or {}
    with journal.group():
        journal.add(run)
        for position, step in enumerate(steps):
            task = _task(run, step, position)
            journal.add(task)
            if step.id in carried and not step.is_finally:
                _carry(journal, task, carried[step.id])
        names = dict.fromkeys(step.workstream for step in steps if step.workstream)
        still_open = {step.workstream for step in steps if step.is_finally or step.id not in carried}
        for position, name in enumerate(names):
            workstream = WorkstreamRecord(new_id("workstream"), run.run_id, name, position)
            journal.add(workstream)
            if name not in still_open:
                journal.move(
                    workstream, WorkstreamState.SKIPPED, trigger="retry", reason="carried", ended_at=run.created_at
                )
        journal.note("run_created", run, metadata={"plan_id": plan.plan_id, "steps": len(steps)})
        for warning in warnings:
            journal.note("warning", run, reason=warning)
    return run


def _task(run: RunRecord, step: Step, position: int) -> TaskRecord:
    return TaskRecord(
        task_id=new_id("task"),
        run_id=run.run_id,
        step_id=step.id,
        position=position,
        kind=step.kind,
        depends_on=step.depends_on,
        workstream=step.workstream,
        role=step.role,
        critical=step.critical,
        is_finally=step.is_finally,
    )


def _carry(journal: Journal, task: TaskRecord, earlier: TaskRecord) -> None:
    journal.move(
        task,
        TaskState.SKIPPED,
        trigger="retry",
        reason="carried",
        metadata={"step_id": task.step_id, "from_task": earlier.task_id},
        outputs=earlier.outputs,
        ended_at=journal.now(),
    )


def kept_variables(run: RunRecord, plan: Plan) -> Mapping[str, str]:
    """The variables of an earlier start, without those that were not kept because they are secret."""
    return {
        name: value
        for name, value in run.variables.items()
        if name in plan.variables and not plan.variables[name].secret
    }
