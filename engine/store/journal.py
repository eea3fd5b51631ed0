"""The one door by which state changes.

A change is a row, a transition and an event, written in one transaction; only then is it published. Changes made
inside one `group` share a transaction, which is what makes many small steps cheap. The writes of a group land
together at its end, in the order in which they were asked for: nothing inside a group reads what it wrote.

Every row is changed under its version, so two writers can never overwrite each other: the later one gets StaleRecord
and its whole group is undone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from engine import clock
from engine.errors import InvalidTransition
from engine.events import Event, EventBus
from engine.events.catalogue import event_type_for, severity_of
from engine.ids import new_id
from engine.masking import mask_data
from engine.states import MACHINES
from engine.store.batch import Batch, Draft
from engine.store.database import Database
from engine.store.records import AttemptRecord, CommandRecord, Record, RunRecord, TaskRecord, WorkstreamRecord

R = TypeVar("R", RunRecord, TaskRecord, AttemptRecord, WorkstreamRecord)

class Audience(Protocol):
    """Whoever is told about committed events besides the bus: the audit trail, other processes."""

    def tell(self, events: list[Event]) -> None:
        """Take committed events, in order. Must not raise."""

    def settle(self) -> None:
        """Finish what was put off; called in quiet moments and at the end."""


class Journal:
    """Writes state. One instance a process and database; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        *,
        bus: EventBus | None = None,
        audience: Iterable[Audience] = (),
        now: Callable[[], str] = clock.utc_now,
    ) -> None:
        self.database = database
        self.bus = bus or EventBus()
        self._audience = tuple(audience)
        self._now = now
        self._batch: Batch | None = None
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these values in everything that is written from now on, so that secrets reach no record."""
        self._secrets = tuple({*self._secrets, *secrets})

    @contextmanager
    def group(self) -> Iterator[None]:
        """Changes made inside become durable together, and are published after that. Groups inside a group join it."""
        with self.database.lock:
            if self._batch is not None:
                yield
                return
            self._batch = batch = Batch()
            try:
                yield
            finally:
                self._batch = None
            if batch.is_empty:
                return
            with self.database.transaction() as cursor:
                events = batch.write(cursor)
        self._publish(events)

    def move(
        self,
        record: R,
        to_state: str,
        *,
        trigger: str,
        reason: str | None = None,
        operator: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> R:
        """Change an entity's state and answer the record as it is then. The only place where a state is written."""
        self._check(record, to_state)
        moved = record._replace(
            state=str(to_state), version=record.version + 1, reason=self._mask(reason), **self._mask(columns)
        )
        draft = self._draft(
            event_type_for(record.ENTITY, record.state, to_state),
            record,
            reason=moved.reason,
            operator=operator,
            metadata=metadata,
            move=(record.state, moved.state, trigger),
        )
        with self.group():
            self._open_batch.change(moved)
            self._open_batch.log(draft)
        return moved

    def amend(self, record: R, **columns: Any) -> R:
        """Change facts about an entity that are not its state: no transition, no event."""
        amended = record._replace(version=record.version + 1, **self._mask(columns))
        with self.group():
            self._open_batch.change(amended)
        return amended

    def add(self, record: Record | CommandRecord) -> None:
        """Bring a new row into being, in its initial state."""
        with self.group():
            self._open_batch.insert(record)

    def note(
        self,
        event_type: str,
        about: Record,
        *,
        reason: str | None = None,
        operator: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record something worth knowing that changes no state."""
        draft = self._draft(event_type, about, reason=self._mask(reason), operator=operator, metadata=metadata)
        with self.group():
            self._open_batch.log(draft)

    def answer(self, command: CommandRecord, run: RunRecord, *, refusal: str | None = None) -> None:
        """Say what became of a command: done, or refused and why."""
        state = "done" if refusal is None else "refused"
        with self.group():
            self._open_batch.answer(
                command.command_id, state=state, at=self._now(), message=self._mask(refusal or "")
            )
            self.note(
                f"command_{state}",
                run,
                reason=refusal,
                operator=command.operator,
                metadata={"verb": command.verb, "command_id": command.command_id},
            )

    def settle(self) -> None:
        """A quiet moment: let the audience catch up, and keep the write-ahead log small."""
        for listener in self._audience:
            listener.settle()
        self.database.checkpoint()

    def close(self) -> None:
        """Settle, and close the database."""
        for listener in self._audience:
            listener.settle()
        self.database.close()

    @property
    def _open_batch(self) -> "Batch":
        assert self._batch is not None
        return self._batch

    def _draft(
        self,
        event_type: str,
        about: Record,
        *,
        reason: str | None,
        operator: str | None,
        metadata: Mapping[str, Any] | None,
        move: tuple[str | None, str | None, str | None] = (None, None, None),
    ) -> Draft:
        return Draft(
            new_id("event"),
            self._now(),
            event_type,
            severity_of(event_type),
            about.ENTITY,
            about.id,
            *move,
            reason,
            operator,
            about.run_id,
            self._mask(metadata) if metadata else {},
        )

    def _check(self, record: Record, to_state: str) -> None:
        try:
            MACHINES[record.ENTITY].validate_transition(record.state, to_state, entity_id=record.id)
        except InvalidTransition as refusal:
            story = self._story(record.id)
            raise InvalidTransition(
                record.ENTITY, record.id, record.state, str(to_state), refusal.allowed, story=story
            ) from None

    def _story(self, entity_id: str) -> list[str]:
        """The last moves of an entity, for whoever has to understand a refusal."""
        rows = self.database.rows(
            'SELECT from_state, to_state, "trigger" FROM state_transitions '
            "WHERE entity_id = ? ORDER BY seq DESC LIMIT 3",
            (entity_id,),
        )
        return [f"{trigger}: {old} → {new}" for old, new, trigger in reversed(rows)]

    def _publish(self, events: list[Event]) -> None:
        if not events:
            return
        self.bus.publish_all(events)
        for listener in self._audience:
            listener.tell(events)

    def _mask(self, value: Any) -> Any:
        return mask_data(value, self._secrets) if self._secrets else value
