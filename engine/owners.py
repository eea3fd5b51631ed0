"""Asking the owner of a run for something, from any process: a row that it acts on, a poke that wakes it, its answer.

Where nobody owns the run, or no longer does, the row is withdrawn: it must not surprise whoever takes the run over.
"""

from collections.abc import Mapping
from typing import Any

from engine import clock, ownership
from engine.errors import ActionRefused
from engine.events.follow import ChangeSignal
from engine.events.poke import Poker, commands_role
from engine.ids import is_safe_name, new_id
from engine.store import queries
from engine.store.journal import Journal
from engine.store.records import NOTHING, CommandRecord, RunRecord
from engine.workspace import Workspace

OWNER_GONE = "whoever ran it was gone before this was done"

ANSWER_SECONDS = 10.0
"""How long the owner of a run may take to act on a command before the asker is told that it has not."""

LOOK_SECONDS = 0.1
"""How often the asker looks, in case nobody wakes it."""


class Owners:
    """The processes that run runs, as somebody sees them who wants something of them."""

    def __init__(self, journal: Journal, poker: Poker, workspace: Workspace) -> None:
        self._journal = journal
        self._poker = poker
        self._workspace = workspace

    def exist_for(self, run_id: str) -> bool:
        """Whether some process owns the run now."""
        return is_safe_name(run_id) and ownership.owner_of(self._workspace.run_folder(run_id)) is not None

    def ask(
        self, run: RunRecord, verb: str, *, operator: str | None = None, arguments: Mapping[str, Any] = NOTHING
    ) -> CommandRecord:
        """Write a command for the owner, wake it, and wait for what becomes of it."""
        command = CommandRecord(new_id("command"), run.run_id, verb, clock.utc_now(), arguments, operator)
        signal = ChangeSignal(self._workspace.state_folder)
        try:
            self._journal.add(command)
            self._poker.poke(commands_role(run.run_id))
            return self._wait_for_answer(run, command, signal)
        finally:
            signal.close()

    def _wait_for_answer(self, run: RunRecord, command: CommandRecord, signal: ChangeSignal) -> CommandRecord:
        deadline = clock.monotonic() + ANSWER_SECONDS
        while True:
            found = self._look(command)
            if found.state != "pending":
                return found
            left = deadline - clock.monotonic()
            if left <= 0:
                return self._look(command)  # It may have answered, and let go, since we looked.
            if not self.exist_for(run.run_id):
                # An answer that was given meanwhile stands.
                self._journal.answer(found, run, refusal=OWNER_GONE)
                continue
            signal.wait(min(left, LOOK_SECONDS))

    def _look(self, command: CommandRecord) -> CommandRecord:
        return queries.find_command(self._journal.database, command.command_id) or command

    def have_done(
        self, run: RunRecord, verb: str, *, operator: str | None = None, arguments: Mapping[str, Any] = NOTHING
    ) -> bool:
        """Whether the owner has done it: False where it was gone, ActionRefused where it says no or nothing."""
        answer = self.ask(run, verb, operator=operator, arguments=arguments)
        if answer.message == OWNER_GONE:
            return False
        if answer.state == "refused":
            raise ActionRefused(verb, run.run_id, answer.message or "its owner refused")
        if answer.state == "pending":
            hint = f"minipipe show {run.run_id} says what became of it"
            raise ActionRefused(verb, run.run_id, "its owner has not answered yet", hint=hint)
        return True
