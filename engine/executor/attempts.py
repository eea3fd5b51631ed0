"""Attempts: from a task whose turn it is to a work order, and from its end to what becomes of the task.

This is where a step is started (`claim` writes it down, the loop hands the order to the backend after the write is
durable) and where its end is settled. Whether and when it is tried again is decided in `resilience.retry`.
"""

from collections.abc import Mapping
from pathlib import Path

from engine import clock
from engine.backends.contract import AttemptEnd, WorkOrder
from engine.errors import UserError
from engine.executor.environment import inherited_environment
from engine.executor.evidence import Finding, examine
from engine.executor.runbook import Runbook
from engine.ids import new_id
from engine.plan.condition import condition_holds
from engine.plan.invocation import resolve_step
from engine.plan.plan import Invocation, Step
from engine.resilience.retry import RetryDecision, RetryStrategy
from engine.scheduler import Result
from engine.states import AttemptState, TaskState
from engine.states.outcomes import Outcome
from engine.store.records import AttemptRecord

_ATTEMPT_STATES = {Outcome.OK: AttemptState.SUCCEEDED, Outcome.CANCELED: AttemptState.CANCELED}


class Attempts:
    """Begins and settles the attempts of one run."""

    def __init__(self, book: Runbook, *, outer_environment: Mapping[str, str] | None = None) -> None:
        self._book = book
        script = book.script
        self._environment = {
            **inherited_environment(script.settings.env_allow, outer=outer_environment),
            "MINIPIPE_RUN_ID": book.run.run_id,
            "MINIPIPE_PLAN_ID": script.plan.plan_id,
        }
        folder = script.workspace.run_folder(book.run.run_id)
        self._logs, self._values = folder / "logs", folder / "values"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._values.mkdir(exist_ok=True)
        self._given_up: set[str] = set()

    # -- beginning -------------------------------------------------------------------------------------

    def claim(self, step_id: str) -> WorkOrder | Result:
        """Write down that a task is being tried and answer the order; or, if nothing is to be started, how it ended."""
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
        return self._order(step, invocation)

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

    def _order(self, step: Step, invocation: Invocation) -> WorkOrder:
        book, settings, root = self._book, self._book.script.settings, self._book.script.workspace.root
        number = book.tasks[step.id].attempt_count + 1
        log_path = self._logs / f"{step.id}.{number}.log"
        attempt = self._record(step, number, str(log_path))
        book.begin_attempt(attempt)
        book.move_task(
            step.id,
            TaskState.RUNNING,
            trigger="scheduler",
            metadata={"number": number, "attempt_id": attempt.attempt_id},
            attempt_count=number,
            retry_at=None,
            started_at=book.tasks[step.id].started_at or attempt.started_at,
        )
        values_path = self._values / f"{step.id}.{number}"
        return WorkOrder(
            attempt_id=attempt.attempt_id,
            run_id=book.run.run_id,
            step_id=step.id,
            number=number,
            argv=invocation.argv,
            cwd=root if invocation.cwd == "." else root / invocation.cwd,
            env={
                **self._environment,
                **invocation.env,
                "MINIPIPE_TASK_ID": attempt.task_id,
                "MINIPIPE_STEP_ID": step.id,
                "MINIPIPE_ATTEMPT": str(number),
                "MINIPIPE_ATTEMPT_ID": attempt.attempt_id,
                "MINIPIPE_OUTPUT": str(values_path),
            },
            log_path=log_path,
            log_cap_bytes=settings.log_cap_bytes,
            timeout_seconds=step.timeout_seconds if step.timeout_seconds is not None else settings.timeout_seconds,
            grace_seconds=settings.grace_seconds,
            secrets=invocation.secrets,
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

    def settle(self, end: AttemptEnd) -> tuple[str, Result | RetryDecision]:
        """Write down how an attempt ended; answer its step and either how the task ended or when it is tried again."""
        attempt = self._book.live[end.attempt_id]
        step = self._book.script.steps[attempt.step_id]
        root, values_path = self._book.script.workspace.root, self._values / f"{step.id}.{attempt.number}"
        finding = examine(end, [root / output for output in step.outputs], values_path)
        if self._book.script.values.secrets:
            _discard(values_path)
        self._book.end_attempt(
            end.attempt_id,
            _ATTEMPT_STATES.get(finding.outcome, AttemptState.FAILED),
            reason=None if finding.outcome is Outcome.OK else str(finding.outcome),
            outcome=str(finding.outcome),
            exit_code=end.exit_code,
            message=finding.message or None,
            duration_seconds=round(end.duration_seconds, 6),
            ended_at=self._book.now(),
        )
        return step.id, self._settle_task(step, finding, end.duration_seconds)

    def _settle_task(self, step: Step, finding: Finding, seconds: float) -> Result | RetryDecision:
        metadata: dict[str, object] = {"duration_seconds": round(seconds, 3)}
        if finding.message:
            metadata["message"] = finding.message
        if finding.outcome in (Outcome.OK, Outcome.CHECK_FAILED):
            self._book.move_task(step.id, TaskState.VALIDATING, trigger="exit")
        if finding.outcome is Outcome.OK:
            self._book.move_task(
                step.id,
                TaskState.COMPLETED,
                trigger="evidence",
                metadata=metadata,
                outputs=finding.values,
                ended_at=self._book.now(),
            )
            return Result.SUCCEEDED
        if finding.outcome is Outcome.CANCELED:
            return self._end_task(step.id, TaskState.CANCELED, str(finding.outcome), metadata)
        return self._retry_or_fail(step, finding, metadata)

    def _retry_or_fail(self, step: Step, finding: Finding, metadata: dict[str, object]) -> Result | RetryDecision:
        decision = self.decide_retry(step, finding.outcome)
        if not decision.retry or step.id in self._given_up:
            return self._end_task(step.id, TaskState.FAILED, str(finding.outcome), metadata)
        self.put_off(step.id, decision, reason=str(finding.outcome), metadata=metadata)
        return decision

    def _end_task(self, step_id: str, state: TaskState, reason: str, metadata: Mapping[str, object]) -> Result:
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
