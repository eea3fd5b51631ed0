"""What the loop does when somebody asks for something: pause, resume, cancel, retry.

A request of this process and a command row of another are the same here; the row gets an answer.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import MinipipeError
from engine.executor.control import Control
from engine.executor.inbox import Inbox
from engine.executor.runbook import CANCELING, PAUSING
from engine.patches.decisions import VERB as DECIDE
from engine.scheduler import Consequences
from engine.states import RunState
from engine.store.records import CommandRecord

_STANDING = (RunState.PAUSED, RunState.QUARANTINED)

if TYPE_CHECKING:
    from engine.executor.loop import RunLoop


class Steering:
    """Acts on a running loop. Each verb answers None, or why it refuses."""

    def __init__(self, loop: "RunLoop", control: Control, inbox: Inbox) -> None:
        self._loop = loop
        self._book = loop.book
        self._control = control
        self._inbox = inbox
        self._verbs: dict[str, Callable[[str | None], str | None]] = {
            "pause": self.pause,
            "resume": self.resume,
            "cancel": self.cancel,
            "retry": self.retry,
        }
        self._decisions: list[CommandRecord] = []

    def obey(self) -> None:
        """Act on everything that was asked since the last time."""
        for request in self._control.take():
            self._verbs[request.verb](request.operator)
        for command in self._inbox.take():
            if command.verb == DECIDE:
                self._decisions.append(command)
            else:
                self._book.journal.answer(command, self._book.run, refusal=self._act_on(command))

    @property
    def has_decisions(self) -> bool:
        """Whether somebody has decided about a patch."""
        return bool(self._decisions)

    def decide(self) -> None:
        """Write down what was decided about patches, each by itself: one that is refused undoes no other."""
        decisions, self._decisions = self._decisions, []
        for command in decisions:
            try:
                with self._book.journal.group():
                    self._loop.pipeline.obey(command.arguments)
                    self._book.journal.answer(command, self._book.run)
            except MinipipeError as error:
                self._book.journal.answer(command, self._book.run, refusal=error.message)

    def _act_on(self, command: CommandRecord) -> str | None:
        act = self._verbs.get(command.verb)
        return act(command.operator) if act else f"this version knows no {command.verb!r}"

    def pause(self, operator: str | None = None) -> str | None:
        """Start nothing more; what runs may finish."""
        if self._book.is_canceling:
            return "it is being canceled"
        if self._book.run.state == RunState.PAUSED:
            return "it is paused already"
        self._loop.scheduler.hold(held=True)
        self._book.amend_run(reason=PAUSING)
        self._book.journal.note("run_pausing", self._book.run, operator=operator)
        return None

    def resume(self, operator: str | None = None) -> str | None:
        """Go on after a pause, or take back one that has not come about yet."""
        if self._book.run.state in _STANDING:
            self._book.move_run(RunState.RUNNING, trigger="resume", operator=operator, pause_reason=None)
        elif self._book.run.reason == PAUSING:
            self._book.amend_run(reason=None)
            self._book.journal.note("run_resumed", self._book.run, operator=operator)
        else:
            return "it is not paused"
        self._loop.scheduler.hold(held=False)
        return None

    def cancel(self, operator: str | None = None) -> str | None:
        """Stop everything but the `finally` steps; asked again, stop those too, at once."""
        if self._book.is_canceling and self._is_under_way:
            self._drop_finally()
            return None
        self._begin_canceling(operator)
        self._loop.scheduler.hold(held=False)
        self._cancel_patches(finally_too=False)
        self._loop.apply(self._loop.scheduler.cancel())
        for attempt in list(self._book.live.values()):
            if not self._book.tasks[attempt.step_id].is_finally:
                self._loop.abort(attempt.step_id, reason="canceled")
        self._is_under_way = True
        return None

    _is_under_way = False

    def _cancel_patches(self, *, finally_too: bool) -> None:
        """Tasks whose attempts are over, and whose patches are under way."""
        self._loop.pipeline.cancel(finally_too=finally_too)
        for step_id in self._loop.scheduler.running:
            is_meant = finally_too or not self._book.tasks[step_id].is_finally
            if is_meant and self._book.live_attempt_of(step_id) is None:
                self._loop.abort(step_id, reason="canceled")

    def _begin_canceling(self, operator: str | None) -> None:
        if self._book.run.state in _STANDING:
            self._book.move_run(RunState.RUNNING, trigger="cancel", operator=operator, pause_reason=None)
        self._book.amend_run(reason=CANCELING)
        self._book.journal.note("run_canceling", self._book.run, operator=operator)

    def _drop_finally(self) -> None:
        self._cancel_patches(finally_too=True)
        self._loop.apply(Consequences(canceled=self._loop.scheduler.drop_finally()))
        for attempt in list(self._book.live.values()):
            self._loop.abort(attempt.step_id, reason="canceled", now=True)

    def retry(self, operator: str | None = None) -> str | None:
        """Let every task that waits for its next attempt have it now, and those whose change is in quarantine."""
        if self._book.run.state == RunState.QUARANTINED:
            self.resume(operator)
        held = self._loop.pipeline.retry_held()
        waiting = self._loop.timers.drain()
        if not (waiting or held):
            return "no step is waiting to be tried again"
        for step_id in waiting:
            self._loop.wake_retry(step_id)
        return None
