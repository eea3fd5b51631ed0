"""The writes of one group: collected while the group is open, executed together at its end.

Several changes of one row in a group become one UPDATE; every transition and event is kept. The statements are made
once from the tables, and executed in bulk, because most of a small step's cost would otherwise be spent here.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.errors import StaleRecord
from engine.events import Event
from engine.store import tables
from engine.store.records import (
    AttemptRecord,
    CommandRecord,
    CommentRecord,
    GateRecord,
    PatchFileRecord,
    PatchRecord,
    PlainRecord,
    Record,
    ReviewRecord,
    RunRecord,
    TaskRecord,
    WorkstreamRecord,
)

ENCODE = json.JSONEncoder(ensure_ascii=False, default=str, separators=(",", ":")).encode
_EMPTY: dict[type, str] = {tuple: "[]", dict: "{}", MappingProxyType: "{}"}


class Draft(NamedTuple):
    """An event without its place in the journal: the fields of `Event`, in its order, but for `seq`."""

    event_id: str
    timestamp: str
    event_type: str
    severity: str
    entity_type: str
    entity_id: str
    from_state: str | None
    to_state: str | None
    trigger: str | None
    reason: str | None
    operator: str | None
    run_id: str | None
    metadata: Mapping[str, Any]


class Batch:
    """What one group will write."""

    def __init__(self, now: str) -> None:
        self.now = now
        self._inserts: dict[type, list[list[Any]]] = {}
        self._changes: dict[type, dict[str, tuple[int, Record]]] = {}
        self._drafts: list[Draft] = []
        self._answers: list[tuple[str, ...]] = []

    @property
    def is_empty(self) -> bool:
        return not (self._inserts or self._changes or self._drafts or self._answers)

    @property
    def is_ledger(self) -> bool:
        """Whether something of the ledger is written: git's refs follow it, so it must survive a power cut first."""
        if PatchRecord in self._changes or PatchRecord in self._inserts:
            return True
        runs = self._changes.get(RunRecord, {}).values()
        return any(isinstance(run, RunRecord) and run.promotion is not None for _, run in runs)

    def insert(self, record: Record | PlainRecord) -> None:
        shape = SHAPES[type(record)]
        self._inserts.setdefault(type(record), []).append(shape.insert_row(record))

    def change(self, record: Record) -> None:
        """Note what a row is to become; its version says which one it was based on."""
        changes = self._changes.setdefault(type(record), {})
        based_on, previous = changes.get(record.id, (record.version - 1, None))
        if previous is not None and previous.version != record.version - 1:
            raise StaleRecord(record.entity, record.id, record.version - 1)
        changes[record.id] = (based_on, record)

    def log(self, draft: Draft) -> None:
        self._drafts.append(draft)

    def answer(self, command_id: str, *, state: str, at: str, message: str) -> None:
        self._answers.append((state, at, message, command_id))

    def make_storable(self) -> None:
        """Put a mark in the place of every byte that is no text: the database takes none."""
        self._inserts = {kind: [storable(row) for row in rows] for kind, rows in self._inserts.items()}
        for changes in self._changes.values():
            for record_id, (based_on, record) in changes.items():
                changes[record_id] = based_on, type(record)(*map(storable, record))
        self._drafts = [Draft(*map(storable, draft)) for draft in self._drafts]
        self._answers = [storable(answer) for answer in self._answers]

    def write(self, cursor: sqlite3.Cursor) -> list[Event]:
        """Execute everything; the events come back with their places in the journal."""
        for record_type, rows in self._inserts.items():
            cursor.executemany(SHAPES[record_type].insert, rows)
        for record_type, changes in self._changes.items():
            self._write_changes(cursor, SHAPES[record_type], changes)
        if self._answers:
            cursor.executemany(_ANSWER, self._answers)
        return self._write_events(cursor) if self._drafts else []

    @staticmethod
    def _write_changes(cursor: sqlite3.Cursor, shape: "_Shape", changes: dict[str, tuple[int, Record]]) -> None:
        rows = [shape.update_row(record, based_on) for based_on, record in changes.values()]
        cursor.executemany(shape.update, rows)
        if cursor.rowcount != len(rows):
            # Undone first: a row that another writer changed may well bear the version that we meant to write.
            cursor.execute("ROLLBACK")
            raise _stale(cursor, shape, changes)

    def _write_events(self, cursor: sqlite3.Cursor) -> list[Event]:
        notes = [ENCODE(draft.metadata) if draft.metadata else "{}" for draft in self._drafts]
        ((last,),) = cursor.execute("SELECT coalesce(max(seq), 0) FROM events").fetchall()
        cursor.executemany(
            _INSERT_EVENT,
            [(seq, *draft[:-1], note) for seq, draft, note in zip(count(last + 1), self._drafts, notes, strict=False)],
        )
        return [Event(*draft, seq) for seq, draft in enumerate(self._drafts, last + 1)]


class _Shape:
    """How one kind of record is written. A record's fields are the columns of its table, in the same order."""

    def __init__(
        self, table: type[tables.Table], fixed: int, *, key: tuple[str, ...], json_columns: tuple[str, ...] = ()
    ) -> None:
        meta = table._meta
        names = [column.column_name for column in meta.sorted_fields if column.column_name != "seq"]
        where = " AND ".join(f"{name} = ?" for name in (*key, "version"))
        self._key = [names.index(name) for name in key]
        self._width, self._fixed = len(names), fixed
        self._json = [names.index(name) for name in json_columns]
        self._changing_json = [place - fixed for place in self._json if place >= fixed]
        self.insert = f"INSERT INTO {meta.table_name} ({', '.join(names)}) VALUES ({_marks(len(names))})"
        assignments = ", ".join(f"{name} = ?" for name in names[fixed:])
        self.update = f"UPDATE {meta.table_name} SET {assignments} WHERE {where}"
        self.find = f"SELECT 1 FROM {meta.table_name} WHERE {where}"

    def insert_row(self, record: Record | PlainRecord) -> list[Any]:
        return _with_json(list(record[: self._width]), self._json)

    def update_row(self, record: Record, based_on: int) -> list[Any]:
        row = _with_json(list(record[self._fixed :]), self._changing_json)
        row += self.place(record, based_on)
        return row

    def place(self, record: Record, version: int) -> list[Any]:
        """The values that find a record's row in a version."""
        return [*(record[place] for place in self._key), version]


def _stale(cursor: sqlite3.Cursor, shape: _Shape, changes: dict[str, tuple[int, Record]]) -> StaleRecord:
    """Whose row is no longer what a change was based on."""
    for based_on, record in changes.values():
        if cursor.execute(shape.find, shape.place(record, based_on)).fetchone() is None:
            break
    return StaleRecord(record.entity, record.id, based_on)


def _with_json(row: list[Any], places: list[int]) -> list[Any]:
    """The row with its mappings and sequences as JSON text."""
    for place in places:
        value = row[place]
        if value is not None:
            row[place] = ENCODE(dict(value) if isinstance(value, Mapping) else value) if value else _EMPTY[type(value)]
    return row


def storable(value: Any) -> Any:
    """A value with only text in it: what stands for a byte that is none becomes a mark."""
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {storable(name): storable(each) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(storable, value))
    return value


_NO_TEXT = re.compile("[\ud800-\udfff]")


def _marks(count: int) -> str:
    return ", ".join("?" * count)


SHAPES: dict[type, _Shape] = {
    # The number says how many of the table's first columns never change once the row is made.
    RunRecord: _Shape(
        tables.Run, 16, key=("run_id",), json_columns=("variables", "settings", "diff_stats", "promotion")
    ),
    TaskRecord: _Shape(tables.Task, 10, key=("task_id",), json_columns=("depends_on", "outputs")),
    AttemptRecord: _Shape(tables.StepAttempt, 8, key=("run_id", "attempt_id"), json_columns=("diff_stats",)),
    WorkstreamRecord: _Shape(tables.Workstream, 4, key=("workstream_id",)),
    PatchRecord: _Shape(tables.Patch, 8, key=("patch_id",), json_columns=("diff_stats", "risk_reasons", "findings")),
    PatchFileRecord: _Shape(tables.PatchFile, 11, key=("patch_id", "commit_id", "position")),
    ReviewRecord: _Shape(tables.Review, 12, key=("review_id",), json_columns=("files", "hunks")),
    CommentRecord: _Shape(tables.ReviewComment, 10, key=("comment_id",)),
    GateRecord: _Shape(tables.Gate, 10, key=("gate_id",)),
    CommandRecord: _Shape(tables.Command, 9, key=("command_id",), json_columns=("arguments",)),
}

_ANSWER = "UPDATE commands SET state = ?, acted_at = ?, message = ? WHERE command_id = ? AND state = 'pending'"
_INSERT_EVENT = (
    "INSERT INTO events (seq, event_id, timestamp, event_type, severity, entity_type, entity_id, from_state, "
    f'to_state, "trigger", reason, operator, run_id, metadata) VALUES ({_marks(14)})'
)
