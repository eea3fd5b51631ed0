"""The main loop of a run: obey, settle what ended, start what fits, wait for one.

Everything that an iteration decides is one transaction, durable before anything is started because of it. The loop
keeps no state of its own but the scheduler's; the journal and the backend hold the rest.
"""

from collections.abc import Mapping
from typing import Any

from engine import clock
from engine.backends.contract import AttemptEnd, Backend, WorkOrder
from engine.executor.attempts import Attempts, NotNow
from engine.executor.changes import Change
from engine.executor.conclusion import final_state
from engine.executor.control import Control
from engine.executor.inbox import Inbox
from engine.executor.no_patches import NoPatches
from engine.executor.pipeline import Pipeline
from engine.executor.runbook import PAUSING, Runbook
from engine.executor.steering import Steering
from engine.executor.timers import Timers
from engine.executor.workplaces import TheFolderItself, Workplaces
from engine.resilience.retry import RetryDecision
from engine.scheduler import Consequences, Result, Scheduler
from engine.states import RunState, TaskState
from engine.states.outcomes import Outcome
from engine.store.records import AttemptRecord, RunRecord

QUIET_SECONDS = 0.02
"""How long nothing must happen before the loop does what it put off: the audit trail, process facts, checkpoints."""


STARVED_SECONDS = 0.2
"""How soon to ask again for a worktree where others use all that there may be: nobody tells when one is free."""


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
        places: Workplaces | None = None,
        stays_when_paused: bool = False,
    ) -> None:
        self.book = book
        self.scheduler = scheduler
        self.backend = backend
        self.timers = Timers()
        self.pipeline: Pipeline | NoPatches = NoPatches()
        self._places = places or TheFolderItself(book.script.workspace.root)
        self._journal = book.journal
        self._attempts = attempts
        self._steering = Steering(self, control, inbox)
        self._inbox = inbox
        self._stays_when_paused = stays_when_paused
        self._has_loose_ends = True
        self._is_starved = False
        for source in (control, inbox):
            if (descriptor := source.fileno()) >= 0:
                backend.watch(descriptor)

    def execute(self) -> RunRecord:
        """Go on until the run has ended or stands still; answer its record."""
        with self._journal.group():
            self._begin()
        self.pipeline.open()
        if self.book.is_canceling:
            with self._journal.group():
                self._steering.cancel()
        ended: list[AttemptEnd] = []
        while True:
            with self._journal.group():
                self._steering.obey()
                for end in ended:
                    self._settle(end)
                self._wake_retries()
                # Without patches all of an iteration is this one transaction.
                is_idle = self.pipeline.is_idle and not self._steering.has_decisions
                orders = self._claim(0) if is_idle else []
            if not is_idle:
                self._attempts.let_go_of_places()
                self._steering.decide()
                orders = self.pipeline.advance(self.backend.free_slots())
                with self._journal.group():
                    orders += self._claim(len(orders))
            for order in orders:
                self.backend.start(order)
            if self._is_over(has_begun=bool(orders)):
                break
            ended = self._wait()
        self.pipeline.close_refs()
        self._places.close_all()
        self._journal.settle()
        return self.book.run

    # -- the parts of an iteration ---------------------------------------------------------------------

    def _begin(self) -> None:
        """Bring scheduler and records together: what is ready, what is a patch by now, which retries have to wait."""
        waiting = {step_id: task for step_id, task in self.book.tasks.items() if task.state == TaskState.RETRYING}
        self.apply(self.scheduler.begin())
        for step_id, task in waiting.items():
            if self.book.tasks[step_id].state == TaskState.RETRYING:
                self.scheduler.delay(step_id)
                self.timers.set(step_id, min(seconds_until(task.retry_at), self._attempts.longest_delay(step_id)))
        for step_id, task in self.book.tasks.items():
            if task.state == TaskState.VALIDATING:
                self.scheduler.delay(step_id)

    def _settle(self, end: AttemptEnd) -> None:
        if self.pipeline.runs_gate(end.attempt_id):
            self.pipeline.settle_gate(end)
            return
        trouble = self.pipeline.look_around(self.book.live[end.attempt_id].step_id)
        attempt, verdict = self._attempts.settle(end, trouble)
        if isinstance(verdict, Change):
            self._take_in(attempt, verdict)
        else:
            self._follow(attempt.step_id, verdict)

    def _take_in(self, attempt: AttemptRecord, change: Change) -> None:
        """What an attempt has changed is a patch from here on, and the task is the patch's."""
        step = self.book.script.steps[attempt.step_id]
        patch = self.pipeline.admit(step, attempt, change.base, change.commit)
        self._journal.amend(attempt, output_patch_id=patch.patch_id, diff_stats=patch.diff_stats)
        is_unwanted = self.book.is_canceling and not step.is_finally
        if is_unwanted or self._attempts.is_given_up(step.id):
            self.abort(step.id, reason="canceled")

    def _follow(self, step_id: str, verdict: Result | RetryDecision) -> None:
        if isinstance(verdict, RetryDecision):
            self.set_aside(step_id)
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

    def _claim(self, taken: int) -> list[WorkOrder]:
        """Take what may start now, as far as there is room; what turns out not to need a start frees its place."""
        orders: list[WorkOrder] = []
        self._is_starved = False
        while step_ids := self.scheduler.take(self._room() - taken - len(orders)):
            for step_id in step_ids:
                claimed = self._attempts.claim(step_id, self.pipeline.head)
                if isinstance(claimed, WorkOrder):
                    orders.append(claimed)
                elif isinstance(claimed, NotNow):
                    self._put_back(step_id)
                else:
                    self._follow(step_id, claimed)
            if self._is_starved:
                break
        return orders

    def _put_back(self, step_id: str) -> None:
        """There was no worktree for a task after all: it stands in line again, and is tried a little later."""
        self.scheduler.release(step_id)
        self.scheduler.requeue(step_id)
        self._is_starved = True

    def _room(self) -> int:
        """How many more attempts there are slots and worktrees for."""
        slots, places = self.backend.free_slots(), self._places.room()
        return slots if places is None else min(slots, places)

    def _is_over(self, *, has_begun: bool) -> bool:
        if self.book.live or self.pipeline.is_working:
            return False
        if self.scheduler.is_done:
            # Before the end is on record: nobody comes back to an ended run for what it holds.
            self._places.close_all()
            self._conclude()
            return True
        if self.book.run.reason == PAUSING:
            self._stand_still(RunState.PAUSED, "pause", "user")
        elif self.book.run.state == RunState.RUNNING and not (has_begun or self.timers or self._waits_for_room()):
            self._wait_for_a_person()
        return self.book.run.state in (RunState.PAUSED, RunState.QUARANTINED) and not self._stays_when_paused

    def _waits_for_room(self) -> bool:
        """Whether something could go on by itself as soon as others let go of a worktree."""
        is_wanted = self.scheduler.ready_count > 0 or self.pipeline.is_starved
        return self._is_starved or (is_wanted and self._places.room() == 0)

    def _wait_for_a_person(self) -> None:
        """Nothing is left that could go on by itself."""
        if self.pipeline.waits_for == "review":
            self._stand_still(RunState.PAUSED, "review", "review")
        elif self.pipeline.waits_for == "quarantine":
            self._stand_still(RunState.QUARANTINED, "patch", None)

    def _stand_still(self, state: RunState, trigger: str, pause_reason: str | None) -> None:
        with self._journal.group():
            self.pipeline.sum_up()
            reason = pause_reason or "a patch of a critical step is quarantined"
            self.book.move_run(state, trigger=trigger, reason=reason, pause_reason=pause_reason)

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
        if self._is_starved or self.pipeline.is_starved:
            return STARVED_SECONDS
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
            for gate_id in self.pipeline.gates_running():
                self.pipeline.note_facts(gate_id, self.backend.process_facts(gate_id))
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
            self.pipeline.drop(step_id, reason=reason)
            self._end_unstarted(step_id, TaskState.CANCELED, reason)
            self.finish(step_id, Result.CANCELED)

    def _conclude(self) -> None:
        state, reason = final_state(self.book)
        with self._journal.group():
            self.pipeline.close()
            self.book.move_run(
                state,
                trigger="tasks",
                reason=reason,
                ended_at=self.book.now(),
                promotion=self.pipeline.promotion_after(state),
            )

    # -- what the pipeline tells -------------------------------------------------------------------------

    def complete(self, step_id: str, metadata: Mapping[str, Any]) -> None:
        """What a task has changed is committed, or was there already."""
        self.finish(step_id, self._attempts.complete(step_id, metadata))

    def fail_or_retry(self, step_id: str, outcome: Outcome, message: str) -> bool:
        """A task's change cannot be taken. False where the task has to wait for a person: it is critical, and no
        attempt is left.
        """
        step = self.book.script.steps[step_id]
        decision = self._attempts.decide_retry(step, outcome)
        if decision.retry and not self._attempts.is_given_up(step_id):
            self._put_off(step_id, decision, outcome, message)
            return True
        if step.critical and not self.book.is_canceling:
            return False
        self.fail(step_id, str(outcome), message)
        return True

    def fail(self, step_id: str, reason: str, message: str) -> None:
        self.finish(step_id, self._attempts.end_task(step_id, TaskState.FAILED, reason, {"message": message}))

    def try_again(self, step_id: str, outcome: Outcome, message: str) -> None:
        """Another attempt, at once and uncharged."""
        self._put_off(step_id, self._attempts.at_once, outcome, message)

    def _put_off(self, step_id: str, decision: RetryDecision, outcome: Outcome, message: str) -> None:
        self._attempts.put_off(step_id, decision, reason=str(outcome), metadata={"message": message})
        self._follow(step_id, decision)

    def set_aside(self, step_id: str) -> None:
        """A task waits for something that the scheduler does not know: others may have its place."""
        if step_id in self.scheduler.running:
            self.scheduler.release(step_id)

    def stop_gate(self, gate_id: str) -> None:
        self.backend.abort(gate_id)


def seconds_until(moment: str | None) -> float:
    """How long until a recorded time, by the wall clock, for there is no other across processes."""
    if moment is None:
        return 0.0
    return max(0.0, clock.seconds_between(clock.utc_now(), moment))
