"""Commands from other processes: rows that somebody wrote for this run, read when a poke says that there are some.

Where no poke can be received, the slow look every `poll_seconds` finds them.
"""

from typing import Protocol

from engine import clock
from engine.store import queries
from engine.store.database import Database
from engine.store.records import CommandRecord


class Listener(Protocol):
    """A socket that becomes readable when somebody pokes it."""

    def fileno(self) -> int: ...

    def drain(self) -> int: ...


class Inbox:
    """The command rows of one run, for its owner."""

    def __init__(
        self, database: Database, run_id: str, listener: Listener | None = None, *, poll_seconds: float = 5.0
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._listener = listener
        self._next_look = 0.0
        self.poll_seconds = poll_seconds

    def fileno(self) -> int:
        """The descriptor to watch, or -1."""
        return self._listener.fileno() if self._listener is not None else -1

    def take(self) -> list[CommandRecord]:
        """The commands that nobody has acted on yet; looks into the database only with a reason to."""
        poked = self._listener is not None and self._listener.drain() > 0
        now = clock.monotonic()
        if not poked and now < self._next_look:
            return []
        self._next_look = now + self.poll_seconds
        return queries.pending_commands(self._database, self._run_id)
