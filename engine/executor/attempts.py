"""Attempts: from a task whose turn it is to a work order, and from its end to what becomes of the task.

This is where a step is started (`claim` writes it down, the loop hands the order to the backend after the write is
durable) and where its end is settled. Whether and when it is tried again is decided in `resilience.retry`.
"""

from collections.abc import Mapping
from pathlib import Path

from engine import clock
from engine.backends.contract import AttemptEnd, WorkOrder
from engine.errors import MinipipeError, UserError, WorktreeUnavailable
from engine.executor.changes import Capturing, Change
from engine.executor.environment import run_environment
from engine.executor.evidence import Finding, examine
from engine.executor.feedback import feedback
from engine.executor.runbook import Runbook
from engine.executor.workplaces import TheFolderItself, Workplace, Workplaces, after_setup
from engine.git.refs import archive_ref
from engine.ids import new_id
from engine.masking import mask_text
from engine.plan.condition import condition_holds
from engine.plan.invocation import resolve_step
from engine.plan.plan import Invocation, Step
from engine.resilience.retry import RetryDecision, RetryStrategy
from engine.scheduler import Result
from engine.states import AttemptState, TaskState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import AttemptRecord
from engine.workspace import write_for_owner

Verdict = Result | RetryDecision | Change
"""What follows an attempt: its task has ended, is tried again, or has made a change that the pipeline takes over."""


class NotNow:
    """There is no worktree for an attempt at the moment: others use all that there may be."""


Claim = WorkOrder | Result | RetryDecision | NotNow

_ATTEMPT_STATES = {Outcome.OK: AttemptState.SUCCEEDED, Outcome.CANCELED: AttemptState.CANCELED}


class Attempts:
    """Begins and settles the attempts of one run."""

    def __init__(
        self,
        book: Runbook,
        *,
        places: Workplaces | None = None,
        capturing: Capturing | None = None,
        outer_environment: Mapping[str, str] | None = None,
    ) -> None:
        self._book = book
        self._places = places or TheFolderItself(book.script.workspace.root)
        self._capturing = capturing
        script = book.script
        self._environment = run_environment(script, book.run.run_id, outer=outer_environment)
        folder = script.workspace.run_folder(book.run.run_id)
        self._logs, self._values, self._feedback = folder / "logs", folder / "values", folder / "feedback"
        for place in (folder, self._logs, self._values):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._given_up: set[str] = set()
        self._with_change: list[str] = []

    # -- beginning -------------------------------------------------------------------------------------

    def claim(self, step_id: str, head: str = "") -> Claim:
        """Write down that a task is being tried and answer the order; or, if nothing is to be started, what follows.

        `head` is the commit that the attempt starts from, where it has a worktree of its own.
        """
        step = self._book.script.steps[step_id]
        try:
            if not self._is_wanted(step):
                self._book.move_task(
                    step_id, TaskState.SKIPPED, trigger="when", reason="condition", ended_at=self._book.now()
                )
                return Result.SKIPPED
            if step.tool is not None:
                return self._refuse(step_id, Outcome.NO_TOOL, f"there is no tool {step.tool!r} here")
            invocation = resolve_step(step, self._book.script.values, self._book.outputs)
        except UserError as error:
            return self._refuse(step_id, Outcome.PLAN_ERROR, error.message)
        return self._start(step, invocation, head)

    def _is_wanted(self, step: Step) -> bool:
        book = self._book
        return step.when is None or condition_holds(step.when, book.script.values, book.outputs, step.item)

    def _refuse(self, step_id: str, outcome: Outcome, message: str) -> Result:
        """A task that cannot even be tried: it fails without an attempt, and is never retried."""
        self._book.move_task(step_id, TaskState.RUNNING, trigger="scheduler", metadata={"number": 0})
        self._book.move_task(
            step_id,
            TaskState.FAILED,
            trigger="resolve",
            reason=str(outcome),
            metadata={"message": message},
            ended_at=self._book.now(),
        )
        return Result.FAILED

    def _start(self, step: Step, invocation: Invocation, head: str) -> Claim:
        book = self._book
        number = book.tasks[step.id].attempt_count + 1
        attempt = self._record(step, number, str(self._logs / f"{step.id}.{number}.log"))
        try:
            place = self._places.open(attempt.attempt_id, head, step_id=step.id, before=book.before(step.id))
        except WorktreeUnavailable as error:
            if error.retryable:
                return NotNow()
            self._begin(step, attempt)
            # Never in the user's own folder instead.
            return self._end(attempt, step, Finding(Outcome.FAILED, f"no worktree: {error}"), None, 0.0)
        self._begin(step, attempt)
        try:
            told = self._tell(step, attempt, place)
        except (MinipipeError, OSError) as error:
            self._places.close(attempt.attempt_id)
            return self._end(attempt, step, Finding(Outcome.FAILED, f"no worktree: {error}"), None, 0.0)
        return self._order(step, invocation, attempt, place, told)

    def _begin(self, step: Step, attempt: AttemptRecord) -> None:
        """Write down that a task is being tried."""
        book = self._book
        book.begin_attempt(attempt)
        book.move_task(
            step.id,
            TaskState.RUNNING,
            trigger="scheduler",
            metadata={"number": attempt.number, "attempt_id": attempt.attempt_id},
            attempt_count=attempt.number,
            retry_at=None,
            started_at=book.tasks[step.id].started_at or attempt.started_at,
        )

    def _tell(self, step: Step, attempt: AttemptRecord, place: Workplace) -> dict[str, str]:
        """Let an attempt know why the last one's change was not taken, and let it go on from there if it is to."""
        if place.worktree is None or self._capturing is None:
            return {}
        earlier = patch_queries.last_refused_patch(self._book.journal.database, attempt.task_id)
        if earlier is None:
            return {}
        is_put_back = earlier.review_status == "changes_requested" and self._capturing.put_back(
            place, earlier.commit_id
        )
        path = self._feedback / f"{step.id}.{attempt.number}.md"
        text = feedback(self._book.journal.database, earlier, is_put_back=is_put_back)
        write_for_owner(path, mask_text(text, self._book.script.values.secrets).encode("utf-8", "replace"))
        return {"MINIPIPE_FEEDBACK": str(path)}

    def _order(
        self, step: Step, invocation: Invocation, attempt: AttemptRecord, place: Workplace, told: Mapping[str, str]
    ) -> WorkOrder:
        settings = self._book.script.settings
        values_path = self._values / f"{step.id}.{attempt.number}"
        setup = self._book.script.plan.globals.worktree.setup if place.worktree is not None else None
        return WorkOrder(
            attempt_id=attempt.attempt_id,
            run_id=attempt.run_id,
            step_id=step.id,
            number=attempt.number,
            argv=invocation.argv if setup is None else after_setup(setup, invocation),
            cwd=place.root if invocation.cwd == "." or setup is not None else place.root / invocation.cwd,
            env={
                **self._environment,
                **place.environment,
                **told,
                **invocation.env,
                "MINIPIPE_TASK_ID": attempt.task_id,
                "MINIPIPE_STEP_ID": step.id,
                "MINIPIPE_ATTEMPT": str(attempt.number),
                "MINIPIPE_ATTEMPT_ID": attempt.attempt_id,
                "MINIPIPE_OUTPUT": str(values_path),
            },
            log_path=Path(attempt.log_path),
            log_cap_bytes=settings.log_cap_bytes,
            timeout_seconds=step.timeout_seconds if step.timeout_seconds is not None else settings.timeout_seconds,
            grace_seconds=settings.grace_seconds,
            # Not only those that it is given: it may find others in what an earlier step has left.
            secrets=self._book.script.values.secrets,
            output_path=values_path,
        )

    def _record(self, step: Step, number: int, log_path: str) -> AttemptRecord:
        return AttemptRecord(
            attempt_id=new_id("attempt"),
            run_id=self._book.run.run_id,
            task_id=self._book.tasks[step.id].task_id,
            step_id=step.id,
            number=number,
            tool_id="shell" if step.shell is not None else "command",
            log_path=log_path,
            started_at=self._book.now(),
        )

    # -- settling --------------------------------------------------------------------------------------

    def settle(self, end: AttemptEnd, trouble: str = "") -> tuple[AttemptRecord, Verdict]:
        """Write down how an attempt ended, and what follows for its task. `trouble` is why its success is none."""
        attempt = self._book.live[end.attempt_id]
        step = self._book.script.steps[attempt.step_id]
        place, values_path = self._places.of(end.attempt_id), self._values / f"{step.id}.{attempt.number}"
        finding, change = examine(end, [place.root / output for output in step.outputs], values_path), None
        if trouble and finding.outcome is Outcome.OK:
            finding = Finding(Outcome.FAILED, trouble)
        if self._capturing is not None:
            finding, change = self._capture(step, attempt, place, finding)
        if change is None:
            self._places.close(end.attempt_id)
        else:
            self._with_change.append(end.attempt_id)
        if self._book.script.values.secrets:
            _discard(values_path)
        ended = self._end_attempt(attempt, finding, end.exit_code, end.duration_seconds)
        return ended, self._settle_task(step, finding, change, end.duration_seconds)

    def let_go_of_places(self) -> None:
        """Give back the worktrees whose changes are on record by now: until then nothing else holds those."""
        for attempt_id in self._with_change:
            self._places.close(attempt_id)
        self._with_change.clear()

    def _capture(
        self, step: Step, attempt: AttemptRecord, place: Workplace, finding: Finding
    ) -> tuple[Finding, Change | None]:
        assert self._capturing is not None
        finding, change = self._capturing.examine(step, place, finding)
        if finding.outcome is not Outcome.OK and self._book.script.settings.archive_on_failure:
            ref = archive_ref(attempt.run_id, step.id, attempt.number)
            if trouble := self._capturing.archive(place, ref):
                self._book.journal.note("warning", attempt, reason=f"what it changed could not be kept: {trouble}")
        return finding, change

    def _end(
        self, attempt: AttemptRecord, step: Step, finding: Finding, exit_code: int | None, seconds: float
    ) -> Result | RetryDecision:
        """An attempt that was never started."""
        self._end_attempt(attempt, finding, exit_code, seconds)
        return self._retry_or_fail(step, finding, {"message": finding.message})

    def _end_attempt(
        self, attempt: AttemptRecord, finding: Finding, exit_code: int | None, seconds: float
    ) -> AttemptRecord:
        return self._book.end_attempt(
            attempt.attempt_id,
            _ATTEMPT_STATES.get(finding.outcome, AttemptState.FAILED),
            reason=None if finding.outcome is Outcome.OK else str(finding.outcome),
            outcome=str(finding.outcome),
            exit_code=exit_code,
            message=finding.message or None,
            duration_seconds=round(seconds, 6),
            ended_at=self._book.now(),
        )

    def _settle_task(self, step: Step, finding: Finding, change: Change | None, seconds: float) -> Verdict:
        metadata: dict[str, object] = {"duration_seconds": round(seconds, 3)}
        if finding.message:
            metadata["message"] = finding.message
        if finding.outcome is Outcome.OK:
            self._book.move_task(step.id, TaskState.VALIDATING, trigger="exit", outputs=finding.values)
            return change or self.complete(step.id, metadata)
        if finding.outcome is Outcome.CHECK_FAILED:
            self._book.move_task(step.id, TaskState.VALIDATING, trigger="exit")
        if finding.outcome is Outcome.CANCELED:
            return self.end_task(step.id, TaskState.CANCELED, str(finding.outcome), metadata)
        return self._retry_or_fail(step, finding, metadata)

    def complete(self, step_id: str, metadata: Mapping[str, object]) -> Result:
        """The evidence is there, and what was changed is committed, if anything was."""
        self._book.move_task(
            step_id, TaskState.COMPLETED, trigger="evidence", metadata=metadata, ended_at=self._book.now()
        )
        return Result.SUCCEEDED

    def _retry_or_fail(self, step: Step, finding: Finding, metadata: dict[str, object]) -> Result | RetryDecision:
        decision = self.decide_retry(step, finding.outcome)
        if not decision.retry or self.is_given_up(step.id):
            return self.end_task(step.id, TaskState.FAILED, str(finding.outcome), metadata)
        self.put_off(step.id, decision, reason=str(finding.outcome), metadata=metadata)
        return decision

    def is_given_up(self, step_id: str) -> bool:
        return step_id in self._given_up

    def end_task(self, step_id: str, state: TaskState, reason: str, metadata: Mapping[str, object]) -> Result:
        """A task that has begun ends otherwise than well."""
        self._book.move_task(
            step_id, state, trigger="exit", reason=reason, metadata=metadata, ended_at=self._book.now()
        )
        return Result.CANCELED if state is TaskState.CANCELED else Result.FAILED

    def give_up(self, step_id: str) -> None:
        """Nobody wants this task any more: however its attempt ends, there is no other."""
        self._given_up.add(step_id)

    # -- trying again ----------------------------------------------------------------------------------

    def decide_retry(self, step: Step, outcome: Outcome) -> RetryDecision:
        task, settings = self._book.tasks[step.id], self._book.script.settings
        retries = settings.retries if step.retries is None else step.retries
        strategy = RetryStrategy(retries, step.backoff, crash_limit=settings.crash_loop_limit)
        return strategy.decide(
            outcome,
            charged=task.charged_count,
            orphaned=task.orphaned_count,
            seed=f"{self._book.run.run_id}:{step.id}:{task.attempt_count}",
        )

    at_once = RetryDecision(retry=True, delay_seconds=0.0, is_charged=False, reason="retry")
    """How a task is tried again that did not fail through its own fault."""

    def longest_delay(self, step_id: str) -> float:
        """More than this no retry of a step waits, whatever became of the wall clock since the delay was recorded."""
        return self._book.script.steps[step_id].backoff.max_seconds

    def put_off(
        self,
        step_id: str,
        decision: RetryDecision,
        *,
        reason: str,
        metadata: Mapping[str, object] | None = None,
    ) -> None:
        """Write down that a task will be tried again, and when."""
        task = self._book.tasks[step_id]
        self._book.move_task(
            step_id,
            TaskState.RETRYING,
            trigger="retry",
            reason=reason,
            metadata={
                **(metadata or {}),
                "delay_seconds": round(decision.delay_seconds, 3),
                "number": task.attempt_count,
            },
            charged_count=task.charged_count + decision.is_charged,
            orphaned_count=task.orphaned_count + (decision.reason == "orphaned"),
            retry_at=clock.utc_after(decision.delay_seconds),
        )


def _discard(values_path: Path) -> None:
    """The values are on record, masked; what the step wrote may hold a secret as it is."""
    try:
        values_path.unlink(missing_ok=True)
    except OSError:
        pass  # a folder, which the step made in its place
