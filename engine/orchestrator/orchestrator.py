"""What can be done with runs, from any process.

Every action asks the run's lock who is in charge. Where nobody is, it is done here and now; where somebody is, it
becomes a command row for the owner, and the answer is waited for.
"""

from typing import Any

from engine import clock, promotion, recovery
from engine.closing import close_run
from engine.errors import ActionRefused, CommitsLost
from engine.executor.control import Control, Verb
from engine.executor.workstreams import succeeded
from engine.orchestrator.driving import Driving
from engine.orchestrator.making import Making
from engine.states import RunState, RunStateMachine
from engine.store import queries
from engine.store.records import CommandRecord


class Orchestrator(Making, Driving):
    """Makes runs, executes them, steers them. One instance a process and store."""

    def start_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Mark a pending run as running; `execute_run` does its work. False for an unknown id."""
        return self._move_unowned(run_id, RunState.RUNNING, "start", operator, started_at=clock.utc_now())

    def pause_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Let running attempts finish and start nothing more. False for an unknown id."""
        return self.tell_owner(run_id, "pause", operator) or self._move_unowned(
            run_id, RunState.PAUSED, "pause", operator, reason="user", pause_reason="user"
        )

    def resume_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Let a paused run go on: its owner does, or whoever executes it next. False for an unknown id."""
        return self.tell_owner(run_id, "resume", operator) or self._move_unowned(
            run_id, RunState.RUNNING, "resume", operator, pause_reason=None
        )

    def cancel_run(self, run_id: str, *, operator: str | None = None, control: Control | None = None) -> bool:
        """End a run; its `finally` steps still run. False for an unknown id."""
        if self.tell_owner(run_id, "cancel", operator):
            return True
        run = queries.find_run(self.database, run_id)
        if run is None:
            return False
        if run.state == RunState.PENDING or RunStateMachine.is_terminal(run.state):
            self._close_unowned(run_id, RunState.CANCELED, "cancel", reason="canceled", operator=operator)
            return True
        own_control = control or Control()
        own_control.ask("cancel", operator=operator)
        try:
            self.execute_run(run_id, control=own_control)
        except CommitsLost:
            # There is nothing that its `finally` steps could start from.
            self._close_unowned(run_id, RunState.CANCELED, "cancel", reason="canceled", operator=operator)
        finally:
            if control is None:
                own_control.close()
        return True

    def complete_run(self, run_id: str, *, state: str = RunState.SUCCEEDED, reason: str | None = None) -> bool:
        """End a run by hand. A success is refused while a critical task has none. False for an unknown id."""
        run = queries.find_run(self.database, run_id)
        if run is None:
            return False
        RunStateMachine.validate_transition(run.state, state, entity_id=run_id)
        if not RunStateMachine.is_terminal(state):
            raise ActionRefused("complete", run_id, f"{state} is not an end")
        if state == RunState.SUCCEEDED:
            open_steps = [
                task.step_id
                for task in queries.tasks_of(self.database, run_id)
                if task.critical and not succeeded(task)
            ]
            if open_steps:
                raise ActionRefused("complete", run_id, f"{', '.join(open_steps[:3])} did not succeed")
        self._close_unowned(run_id, state, "complete", reason=reason)
        return True

    def ask(self, run_id: str, verb: Verb, *, operator: str | None = None) -> CommandRecord:
        """Ask the owner of a run for something, and wait for what becomes of it."""
        return self._owners.ask(self._find(run_id), verb, operator=operator)

    def tell_owner(self, run_id: str, verb: Verb, operator: str | None = None) -> bool:
        """Whether the run's owner has done it; False where nobody owns the run, or no longer."""
        if not self._has_owner(run_id):
            return False
        run = self._find(run_id)
        if RunStateMachine.is_terminal(run.state) and promotion.is_unfinished(run):
            why = f"it has {run.state}, and its changes are on their way to {run.target or 'a branch of their own'}"
            raise ActionRefused(verb, run_id, why, hint="Ctrl-C where it runs stops that")
        return self._owners.have_done(run, verb, operator=operator)

    def _move_unowned(self, run_id: str, state: str, trigger: str, operator: str | None, **details: Any) -> bool:
        if queries.find_run(self.database, run_id) is None:
            return False
        with self._own(run_id):
            # What a dead owner left running would go on with nobody to see how it ends.
            recovery.end_leftovers(recovery.open_work(self.database, run_id))
            self.journal.move(
                self._find(run_id),
                state,
                trigger=trigger,
                operator=operator,
                owner_pid=None,
                owner_host=None,
                **details,
            )
        return True

    def _close_unowned(
        self, run_id: str, state: str, trigger: str, *, reason: str | None, operator: str | None = None
    ) -> None:
        with self._own(run_id):
            close_run(self.journal, self._find(run_id), state, trigger=trigger, reason=reason, operator=operator)
