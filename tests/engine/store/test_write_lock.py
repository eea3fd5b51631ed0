"""The lock between writers and checkpoints, when whoever holds it does not go on."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StoreBusy
from engine.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "state.db", busy_seconds=0.05) as opened:
        yield opened


def hold(database: Database, kind: int) -> int:
    """What a process holds that was stopped in the middle of something."""
    descriptor = os.open(database.path.with_suffix(".lock"), os.O_RDWR)
    fcntl.flock(descriptor, kind)
    return descriptor


def test_a_writer_does_not_wait_for_ever_for_a_checkpoint(database: Database) -> None:
    held = hold(database, fcntl.LOCK_EX)
    with pytest.raises(StoreBusy), database.transaction():
        pass
    os.close(held)
    with database.transaction() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_a_checkpoint_is_put_off_while_somebody_writes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.database.CHECKPOINT_BYTES", 0)
    with database.transaction() as cursor:
        cursor.execute("CREATE TABLE something (number INTEGER)")
    held = hold(database, fcntl.LOCK_SH)
    database.checkpoint()
    assert database.log_bytes() > 0
    with pytest.raises(StoreBusy):
        database.checkpoint(force=True)
    os.close(held)
    database.checkpoint()
    assert database.log_bytes() == 0
