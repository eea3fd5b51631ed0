"""One run in memory: its plan, its tasks, its live attempts, all as the journal last confirmed them.

The loop and its parts read and change a run through this; every change goes through the journal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.executor.settings import RunSettings
from engine.executor.workstreams import WorkstreamFollower
from engine.plan.plan import Plan, Step, Values
from engine.store.journal import Journal
from engine.store.records import AttemptRecord, RunRecord, TaskRecord
from engine.workspace import Workspace

CANCELING = "canceling"
PAUSING = "pausing"


@dataclass(frozen=True, slots=True)
class RunScript:
    """What a run is to do: everything that does not change while it goes on."""

    plan: Plan
    steps: Mapping[str, Step]
    values: Values
    settings: RunSettings
    workspace: Workspace


class Runbook:
    """The present state of a run."""

    def __init__(
        self,
        journal: Journal,
        script: RunScript,
        run: RunRecord,
        tasks: Mapping[str, TaskRecord],
        follower: WorkstreamFollower | None = None,
    ) -> None:
        self.journal = journal
        self.script = script
        self.run = run
        self.tasks = dict(tasks)
        self.outputs: dict[str, Mapping[str, str]] = {
            step_id: task.outputs for step_id, task in tasks.items() if task.outputs
        }
        self.live: dict[str, AttemptRecord] = {}
        self._live_by_step: dict[str, str] = {}
        self._follower = follower

    def now(self) -> str:
        """The time of what is being written down."""
        return self.journal.now()

    # -- the run ---------------------------------------------------------------------------------------

    def move_run(self, state: str, *, trigger: str, reason: str | None = None, **details: Any) -> None:
        self.run = self.journal.move(self.run, state, trigger=trigger, reason=reason, **details)

    def amend_run(self, **columns: Any) -> None:
        self.run = self.journal.amend(self.run, **columns)

    @property
    def is_canceling(self) -> bool:
        return self.run.reason == CANCELING

    # -- tasks -----------------------------------------------------------------------------------------

    def move_task(
        self,
        step_id: str,
        state: str,
        *,
        trigger: str,
        reason: str | None = None,
        operator: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> TaskRecord:
        task = self.journal.move(
            self.tasks[step_id],
            state,
            trigger=trigger,
            reason=reason,
            operator=operator,
            metadata={"step_id": step_id, **(metadata or {})},
            **columns,
        )
        self.tasks[step_id] = task
        if task.outputs:
            self.outputs[step_id] = task.outputs
        if self._follower is not None:
            self._follower.follow(task, self.tasks)
        return task

    def before(self, step_id: str, *, itself: bool = False) -> tuple[str, ...]:
        """Every step that comes before another one, directly or not, in the order of the plan."""
        steps = self.script.steps
        found, waiting = {step_id} if itself else set[str](), list(steps[step_id].depends_on)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(steps[name].depends_on)
        return tuple(name for name in steps if name in found)

    # -- attempts --------------------------------------------------------------------------------------

    def begin_attempt(self, attempt: AttemptRecord) -> None:
        self.journal.add(attempt)
        self.adopt(attempt)

    def adopt(self, attempt: AttemptRecord) -> None:
        """Take charge of an attempt that is on record already."""
        self.live[attempt.attempt_id] = attempt
        self._live_by_step[attempt.step_id] = attempt.attempt_id

    def end_attempt(self, attempt_id: str, state: str, **details: Any) -> AttemptRecord:
        attempt = self.live.pop(attempt_id)
        del self._live_by_step[attempt.step_id]
        return self.journal.move(attempt, state, trigger="exit", metadata={"step_id": attempt.step_id}, **details)

    def live_attempt_of(self, step_id: str) -> str | None:
        return self._live_by_step.get(step_id)

    def amend_attempt(self, attempt_id: str, **columns: Any) -> None:
        self.live[attempt_id] = self.journal.amend(self.live[attempt_id], **columns)
