"""A store in a file, a journal on it, and a run with two tasks to move about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.clock import utc_now
from engine.ids import new_id
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.records import RunRecord, TaskRecord


def a_run(**changes: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "run_id": new_id("run"),
        "project_id": None,
        "plan_id": "plan",
        "plan_name": "A plan",
        "plan_path": None,
        "plan_text": "{}",
        "plan_digest": "",
        "workspace": "/",
        "variables": {},
        "settings": {},
        "orchestration_mode": "parallel",
        "mode": "production",
        "target": None,
        "priority": 0,
        "retry_of": None,
        "created_at": utc_now(),
    }
    return RunRecord(**(facts | changes))


def a_task(run: RunRecord, position: int = 0, **changes: Any) -> TaskRecord:
    return TaskRecord(new_id("task"), run.run_id, f"step{position}", position)._replace(**changes)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def run(journal: Journal) -> RunRecord:
    """A pending run on record."""
    record = a_run()
    journal.add(record)
    return record
