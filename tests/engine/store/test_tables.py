from typing import Any

import pytest

from engine.store.batch import SHAPES
from engine.store.database import Database
from engine.store.records import AttemptRecord, CommandRecord, RunRecord, TaskRecord, WorkstreamRecord
from engine.store.tables import TABLES, Command, Run, StepAttempt, Table, Task, Workstream

RECORDS = [
    (RunRecord, Run),
    (TaskRecord, Task),
    (AttemptRecord, StepAttempt),
    (WorkstreamRecord, Workstream),
    (CommandRecord, Command),
]
UNCHANGING = {
    RunRecord: "created_at",
    TaskRecord: "is_finally",
    AttemptRecord: "started_at",
    WorkstreamRecord: "position",
}


def model_columns(table: type[Table]) -> list[str]:
    return [field.column_name for field in table._meta.sorted_fields]


def file_columns(database: Database, table: type[Table]) -> list[tuple[str, bool, bool]]:
    """Name, whether it may be null, whether it is part of the key: as the file has them."""
    rows = database.rows(f"PRAGMA table_info({table._meta.table_name})")
    return [(name, not not_null, bool(key)) for _, name, _, not_null, _, key in rows]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_model_has_the_columns_of_its_table(database: Database, table: type[Table]) -> None:
    assert sorted(model_columns(table)) == sorted(name for name, _, _ in file_columns(database, table))


@pytest.mark.parametrize("table", [table for _, table in RECORDS], ids=lambda table: table.__name__)
def test_a_model_knows_which_columns_may_be_empty(database: Database, table: type[Table]) -> None:
    nullable = {name for name, is_nullable, _ in file_columns(database, table) if is_nullable}
    assert nullable == {field.column_name for field in table._meta.sorted_fields if field.null}


@pytest.mark.parametrize("table", [table for _, table in RECORDS], ids=lambda table: table.__name__)
def test_a_model_has_the_key_of_its_table(database: Database, table: type[Table]) -> None:
    key: Any = table._meta.primary_key
    names = set(getattr(key, "field_names", ())) or {key.column_name}
    assert {name for name, _, is_key in file_columns(database, table) if is_key} == names


def test_the_schema_holds_no_table_that_no_model_knows(database: Database) -> None:
    found = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    assert found - {"sqlite_sequence", "patch_ledger"} == {table._meta.table_name for table in TABLES}


@pytest.mark.parametrize(("record", "table"), RECORDS, ids=lambda each: each.__name__)
def test_a_records_fields_are_its_tables_columns_in_their_order(record: type, table: type[Table]) -> None:
    fields = [name for name in record._fields if name != "seq"]  # type: ignore[attr-defined]
    assert fields == [name for name in model_columns(table) if name != "seq"]


@pytest.mark.parametrize("record", UNCHANGING, ids=lambda record: record.__name__)
def test_an_update_leaves_out_exactly_the_columns_that_never_change(record: type) -> None:
    last = record._fields.index(UNCHANGING[record])  # type: ignore[attr-defined]
    assignments = SHAPES[record].update.partition(" SET ")[2].partition(" WHERE ")[0]
    assert [each.removesuffix(" = ?") for each in assignments.split(", ")] == list(
        record._fields[last + 1 :]  # type: ignore[attr-defined]
    )
    assert "state" in assignments
