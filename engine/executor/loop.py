"""The main loop of a run: obey, settle what ended, start what fits, wait for one.

Everything that an iteration decides is one transaction, durable before anything is started because of it. The loop
keeps no state of its own but the scheduler's; the journal and the backend hold the rest.
"""

from engine import clock
from engine.backends.contract import AttemptEnd, Backend, WorkOrder
from engine.executor.attempts import Attempts
from engine.executor.conclusion import final_state
from engine.executor.control import Control
from engine.executor.inbox import Inbox
from engine.executor.runbook import PAUSING, Runbook
from engine.executor.steering import Steering
from engine.executor.timers import Timers
from engine.resilience.retry import RetryDecision
from engine.scheduler import Consequences, Result, Scheduler
from engine.states import RunState, TaskState
from engine.store.records import RunRecord

QUIET_SECONDS = 0.02
"""How long nothing must happen before the loop does what it put off: the audit trail, process facts, checkpoints."""


class RunLoop:
    """Runs one run to its end, or to a pause."""

    def __init__(
        self,
        book: Runbook,
        attempts: Attempts,
        scheduler: Scheduler,
        backend: Backend,
        control: Control,
        inbox: Inbox,
        *,
        stays_when_paused: bool = False,
    ) -> None:
        self.book = book
        self.scheduler = scheduler
        self.backend = backend
        self.timers = Timers()
        self._journal = book.journal
        self._attempts = attempts
        self._steering = Steering(self, control, inbox)
        self._inbox = inbox
        self._stays_when_paused = stays_when_paused
        self._has_loose_ends = True
        for source in (control, inbox):
            if (descriptor := source.fileno()) >= 0:
                backend.watch(descriptor)

    def execute(self) -> RunRecord:
        """Go on until the run has ended or is paused; answer its record."""
        with self._journal.group():
            self._begin()
        ended: list[AttemptEnd] = []
        while True:
            with self._journal.group():
                self._steering.obey()
                for end in ended:
                    self._settle(end)
                self._wake_retries()
                orders = self._claim()
            for order in orders:
                self.backend.start(order)
            if self._is_over():
                break
            ended = self._wait()
        self._journal.settle()
        return self.book.run

    # -- the parts of an iteration ---------------------------------------------------------------------

    def _begin(self) -> None:
        """Bring scheduler and records together: what is ready, and which retries still have to wait."""
        waiting = {step_id: task for step_id, task in self.book.tasks.items() if task.state == TaskState.RETRYING}
        self.apply(self.scheduler.begin())
        for step_id, task in waiting.items():
            if self.book.tasks[step_id].state == TaskState.RETRYING:
                self.scheduler.delay(step_id)
                self.timers.set(step_id, min(seconds_until(task.retry_at), self._attempts.longest_delay(step_id)))
        if self.book.is_canceling:
            self._steering.cancel()

    def _settle(self, end: AttemptEnd) -> None:
        step_id, verdict = self._attempts.settle(end)
        if isinstance(verdict, RetryDecision):
            self.scheduler.release(step_id)
            self.timers.set(step_id, verdict.delay_seconds)
        else:
            self.finish(step_id, verdict)

    def _wake_retries(self) -> None:
        for step_id in self.timers.due():
            self.wake_retry(step_id)

    def wake_retry(self, step_id: str) -> None:
        """A retry's delay is over: the task stands in line again."""
        if self.book.tasks[step_id].state == TaskState.RETRYING:
            self.book.move_task(step_id, TaskState.QUEUED, trigger="retry")
            self.scheduler.requeue(step_id)

    def _claim(self) -> list[WorkOrder]:
        """Take what may start now, as far as there is room; what turns out not to need a start frees its place."""
        orders: list[WorkOrder] = []
        while step_ids := self.scheduler.take(self.backend.free_slots() - len(orders)):
            for step_id in step_ids:
                claimed = self._attempts.claim(step_id)
                if isinstance(claimed, Result):
                    self.finish(step_id, claimed)
                else:
                    orders.append(claimed)
        return orders

    def _is_over(self) -> bool:
        if self.book.live:
            return False
        if self.scheduler.is_done:
            self._conclude()
            return True
        if self.book.run.reason == PAUSING:
            self.book.move_run(RunState.PAUSED, trigger="pause", reason="user", pause_reason="user")
        return self.book.run.state == RunState.PAUSED and not self._stays_when_paused

    def _wait(self) -> list[AttemptEnd]:
        if self._has_loose_ends:
            if ended := self.backend.wait(min(QUIET_SECONDS, self._patience())):
                return ended
            self._tie_loose_ends()
        ended = self.backend.wait(self._patience())
        self._has_loose_ends = True
        return ended

    def _patience(self) -> float:
        """How long there is nothing to do but wait."""
        due = self.timers.seconds_to_next()
        return self._inbox.poll_seconds if due is None else min(due, self._inbox.poll_seconds)

    def _tie_loose_ends(self) -> None:
        """A quiet moment: note which processes run, so that they are found after our death, and let others catch up."""
        with self._journal.group():
            for attempt in list(self.book.live.values()):
                facts = self.backend.process_facts(attempt.attempt_id) if attempt.pid is None else None
                if facts is not None:
                    self.book.amend_attempt(
                        attempt.attempt_id,
                        pid=facts.pid,
                        process_started=facts.started,
                        boot_id=facts.boot_id,
                    )
        self._journal.settle()
        self._has_loose_ends = False

    # -- what follows from what ------------------------------------------------------------------------

    def finish(self, step_id: str, result: Result) -> None:
        """A task has ended: tell the scheduler, and write down what follows for the others."""
        self.apply(self.scheduler.finish(step_id, result))

    def apply(self, consequences: Consequences) -> None:
        for step_id in consequences.ready:
            if self.book.tasks[step_id].state == TaskState.PENDING:
                self.book.move_task(step_id, TaskState.QUEUED, trigger="dependencies")
        for step_id, reason in consequences.skipped:
            # What was tried before cannot be skipped any more.
            was_tried = self.book.tasks[step_id].state == TaskState.RETRYING
            self._end_unstarted(step_id, TaskState.CANCELED if was_tried else TaskState.SKIPPED, reason)
        for step_id in consequences.canceled:
            self._end_unstarted(step_id, TaskState.CANCELED, "canceled")
        for step_id in consequences.abort:
            self.abort(step_id, reason="fail_fast")

    def _end_unstarted(self, step_id: str, state: TaskState, reason: str) -> None:
        self.book.move_task(step_id, state, trigger="scheduler", reason=reason, ended_at=self.book.now())

    def abort(self, step_id: str, *, reason: str, now: bool = False) -> None:
        """Stop a task that has begun: end its attempt, or, while it waits for its next one, the task itself."""
        attempt_id = self.book.live_attempt_of(step_id)
        self._attempts.give_up(step_id)
        if attempt_id is not None:
            self.backend.abort(attempt_id, now=now)
        else:
            self._end_unstarted(step_id, TaskState.CANCELED, reason)
            self.finish(step_id, Result.CANCELED)

    def _conclude(self) -> None:
        state, reason = final_state(self.book)
        self.book.move_run(state, trigger="tasks", reason=reason, ended_at=self.book.now())


def seconds_until(moment: str | None) -> float:
    """How long until a recorded time, by the wall clock, for there is no other across processes."""
    if moment is None:
        return 0.0
    return max(0.0, clock.seconds_between(clock.utc_now(), moment))
