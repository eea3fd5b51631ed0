"""The one door by which state changes.

A change is a row, a transition and an event, written in one transaction; only then is it published. Changes made
inside one `group` share a transaction, which is what makes many small steps cheap. The writes of a group land
together at its end, in the order in which they were asked for: nothing inside a group reads what it wrote.

Every row is changed under its version, so two writers can never overwrite each other: the later one gets StaleRecord
and its whole group is undone.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol, TypeVar

from engine.clock import utc_now
from engine.errors import InvalidTransition
from engine.events import Event, EventBus
from engine.events.catalogue import event_type_for, severity_of
from engine.ids import new_id
from engine.masking import mask_data
from engine.states import MACHINES
from engine.states.reasons import OUR_REASONS
from engine.store.batch import Batch, Draft
from engine.store.database import Database
from engine.store.records import (
    AttemptRecord,
    CommandRecord,
    GateRecord,
    PatchRecord,
    PlainRecord,
    Record,
    ReviewRecord,
    RunRecord,
    TaskRecord,
    WorkstreamRecord,
)

M = TypeVar("M", RunRecord, TaskRecord, AttemptRecord, WorkstreamRecord, PatchRecord, GateRecord)
R = TypeVar("R", RunRecord, TaskRecord, AttemptRecord, WorkstreamRecord, PatchRecord, GateRecord, ReviewRecord)


def _named(event_type: str) -> tuple[str, str]:
    return event_type, severity_of(event_type)


_EVENT_TYPES = {
    (entity, str(old), str(new)): _named(event_type_for(entity, str(old), str(new)))
    for entity, machine in MACHINES.items()
    for old, allowed in machine.transitions.items()
    for new in allowed
}
"""Every move that the state tables list: what it is called when it has happened, and how grave that is."""


_FROM_OUTSIDE = frozenset({"message", "outputs", "review_comment", "review_reason", "outcome", "comment", "text"})
"""The columns that hold what a step or a person said. The others are ours: a short secret must not tear a time, a
word or a path apart.
"""


class Audience(Protocol):
    """Whoever is told about committed events besides the bus: the audit trail, other processes."""

    def tell(self, events: list[Event]) -> None:
        """Take committed events, in order. Must not raise."""

    def settle(self) -> None:
        """Finish what was put off; called in quiet moments and at the end."""


class Group:
    """One open group of a journal; as a context it gives the batch that the group will write."""

    __slots__ = ("_journal",)

    def __init__(self, journal: "Journal") -> None:
        self._journal = journal

    def __enter__(self) -> Batch:
        return self._journal.begin()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._journal.end(failed=kind is not None)


class Journal:
    """Writes state. One instance a process and database; safe to use from several threads."""

    def __init__(
        self,
        database: Database,
        *,
        bus: EventBus | None = None,
        audience: Iterable[Audience] = (),
        clock: Callable[[], str] = utc_now,
    ) -> None:
        self.database = database
        self.bus = bus or EventBus()
        self._audience = tuple(audience)
        self._clock = clock
        self._batch = Batch("")
        self._depth = 0
        self._has_failed_inside = False
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Mask these values in everything that is written from now on, so that secrets reach no record."""
        self._secrets = tuple({*self._secrets, *secrets})

    def group(self) -> "Group":
        """Changes made inside become durable together, and are published after that. Groups inside a group join it."""
        return Group(self)

    def move(
        self,
        record: M,
        to_state: str,
        *,
        trigger: str,
        reason: str | None = None,
        operator: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> M:
        """Change an entity's state and answer the record as it is then. The only place where a state is written."""
        named = _EVENT_TYPES.get((record.entity, record.state, to_state))
        if named is None:
            self._refuse(record, to_state)
        if self._secrets:
            reason, columns = self._mask_reason(reason), self._mask_columns(columns)
        moved = record._replace(state=str(to_state), version=record.version + 1, reason=reason, **columns)
        draft = self._draft(
            named,
            record,
            reason=reason,
            operator=operator,
            metadata=metadata,
            move=(record.state, moved.state, trigger),
        )
        with Group(self) as batch:
            batch.change(moved)
            batch.log(draft)
        return moved

    def amend(self, record: R, **columns: Any) -> R:
        """Change facts about an entity that are not its state: no transition, no event."""
        amended = record._replace(version=record.version + 1, **self._mask_columns(columns))
        with Group(self) as batch:
            batch.change(amended)
        return amended

    def add(self, record: Record | PlainRecord) -> None:
        """Bring a new row into being, in its initial state."""
        if self._secrets:
            told = {name: getattr(record, name) for name in record._fields if name in _FROM_OUTSIDE}
            record = record._replace(**self._mask_columns(told))
        with Group(self) as batch:
            batch.insert(record)

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
        draft = self._draft(
            _named(event_type), about, reason=self._mask_reason(reason), operator=operator, metadata=metadata
        )
        with Group(self) as batch:
            batch.log(draft)

    def answer(self, command: CommandRecord, run: RunRecord, *, refusal: str | None = None) -> None:
        """Say what became of a command: done, or refused and why."""
        state = "done" if refusal is None else "refused"
        with Group(self) as batch:
            batch.answer(command.command_id, state=state, at=self.now(), message=self._mask(refusal or ""))
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

    def begin(self) -> Batch:
        """Open a group, or join the one that is open; every `begin` has its `end`. Used through `group`."""
        self.database.lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self._batch, self._has_failed_inside = Batch(self._clock()), False
        return self._batch

    def end(self, *, failed: bool) -> None:
        """Close a group; the outermost one writes, unless something failed inside."""
        self._depth -= 1
        self._has_failed_inside |= failed
        events: list[Event] = []
        try:
            if self._depth == 0 and not failed and not self._batch.is_empty:
                events = self._write()
        finally:
            self.database.lock.release()
        self._publish(events)

    def _write(self) -> list[Event]:
        if self._has_failed_inside:
            raise RuntimeError("a group failed inside this one, so nothing of it can be written")
        try:
            return self._write_batch()
        except UnicodeEncodeError:
            # The name of a ref or a file need not be text; that is no reason to stop a run.
            self._batch.make_storable()
            return self._write_batch()

    def _write_batch(self) -> list[Event]:
        with self.database.transaction(survives_power_cut=self._batch.is_ledger) as cursor:
            return self._batch.write(cursor)

    def now(self) -> str:
        """The time of the open group, for what happens in one transaction happens at once; else the clock's."""
        return self._batch.now if self._depth else self._clock()

    def _draft(
        self,
        named: tuple[str, str],
        about: Record,
        *,
        reason: str | None,
        operator: str | None,
        metadata: Mapping[str, Any] | None,
        move: tuple[str | None, str | None, str | None] = (None, None, None),
    ) -> Draft:
        return Draft(
            new_id("event"),
            self.now(),
            *named,
            about.entity,
            about.id,
            *move,
            reason,
            operator,
            about.run_id,
            self._mask_metadata(metadata) if metadata and self._secrets else metadata or {},
        )

    def _refuse(self, record: M, to_state: str) -> NoReturn:
        """A move that the entity's table does not list, told with what led there."""
        allowed = MACHINES[record.entity].allowed(record.state)
        raise InvalidTransition(
            record.entity, record.id, record.state, str(to_state), allowed, story=self._story(record.id)
        )

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

    def _mask_reason(self, reason: str | None) -> Any:
        return reason if reason in OUR_REASONS else self._mask(reason)

    def _mask_metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._mask(value) for name, value in metadata.items()}

    def _mask_columns(self, columns: dict[str, Any]) -> dict[str, Any]:
        return {name: self._mask(value) if name in _FROM_OUTSIDE else value for name, value in columns.items()}
