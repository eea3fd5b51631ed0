import multiprocessing
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EnvironmentUnfit, ExitCode, MinipipeError, StoreBusy, StoreDamaged, StoreError
from engine.store import queries
from engine.store.database import CHECKPOINT_BYTES, Database, open_store
from engine.store.journal import Journal
from engine.store.records import RunRecord
from tests.engine.store.conftest import a_run


def open_descriptors() -> set[str]:
    return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def test_a_store_makes_its_folder_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Database(tmp_path / "deep" / "state.db") as database:
        Journal(database).add(a_run())
        files = sorted((tmp_path / "deep").iterdir())
        assert "state.db-wal" in {file.name for file in files}
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_newest_runs_are_listed_as_dictionaries(database: Database, journal: Journal) -> None:
    runs = [a_run() for _ in range(25)]
    for run in runs:
        journal.add(run)
    journal.move(runs[0], "running", trigger="execute")
    listed = database.list_runs()
    assert [row["run_id"] for row in listed] == [run.run_id for run in reversed(runs[5:])]
    assert {"run_id", "plan_id", "state"} <= listed[0].keys()
    assert [row["run_id"] for row in database.list_runs(state="running", limit=1)] == [runs[0].run_id]


def test_a_reader_sees_what_a_writer_has_committed(database: Database, journal: Journal, run: RunRecord) -> None:
    with Database(database.path, read_only=True) as reader:
        journal.move(run, "running", trigger="execute")
        assert [row["state"] for row in reader.list_runs()] == ["running"]


def test_a_reader_opens_a_store_that_nobody_has_open(tmp_path: Path) -> None:
    with Database(tmp_path / "state.db") as database:
        Journal(database).add(a_run())
    with Database(tmp_path / "state.db", read_only=True) as reader:
        assert len(reader.list_runs()) == 1


def test_a_reader_cannot_write(database: Database, run: RunRecord) -> None:
    with Database(database.path, read_only=True) as reader:
        with pytest.raises(StoreError):
            Journal(reader).move(run, "running", trigger="execute")
        with pytest.raises(MinipipeError):
            reader.rows("DELETE FROM runs")
    assert queries.find_run(database, run.run_id) == run


def test_a_reader_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnfit) as caught:
        Database(tmp_path / "none" / "state.db", read_only=True)
    assert caught.value.exit_code == ExitCode.UNFIT
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this was never a database, however long one looks at it\n" * 100)
    before = open_descriptors()
    with pytest.raises(StoreDamaged) as caught:
        Database(path, read_only=read_only)
    assert str(path) in caught.value.message
    assert "minipipe db check" in caught.value.hint
    assert open_descriptors() == before


def test_a_page_that_was_overwritten_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with Database(path) as database:
        for _ in range(50):
            Journal(database).add(a_run(plan_text="x" * 500))
        database.checkpoint(force=True)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    with pytest.raises(StoreDamaged), Database(path) as database:
        database.list_runs(limit=100)


def test_a_sound_file_has_no_damage(database: Database, run: RunRecord) -> None:
    assert database.damage() == []


def test_a_store_that_stays_locked_is_called_busy(database: Database, run: RunRecord) -> None:
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            Database(database.path, busy_seconds=0.05) as impatient,
            pytest.raises(StoreBusy) as caught,
        ):
            Journal(impatient).move(run, "running", trigger="execute")
    assert caught.value.exit_code == ExitCode.UNFIT
    assert "0.05 s" in caught.value.message


def test_a_transaction_that_fails_leaves_the_store_usable(database: Database, journal: Journal) -> None:
    run = a_run()
    journal.add(run)
    with pytest.raises(MinipipeError):
        journal.add(run)
    journal.move(run, "running", trigger="execute")
    assert [row["state"] for row in database.list_runs()] == ["running"]


def test_a_backup_is_a_whole_store(database: Database, journal: Journal, run: RunRecord) -> None:
    saved = database.backup()
    assert saved.parent == database.path.parent / "backups"
    journal.move(run, "running", trigger="execute")
    with Database(saved, read_only=True) as copy:
        assert queries.find_run(copy, run.run_id) == run
        assert copy.damage() == []


def test_a_backup_never_overwrites(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "mine.db"
    target.write_text("precious")
    with pytest.raises(EnvironmentUnfit):
        database.backup(target)
    assert target.read_text() == "precious"


def test_a_backup_taken_while_others_write_is_consistent(database: Database, tmp_path: Path) -> None:
    is_over = threading.Event()

    def write() -> None:
        with Database(database.path) as own:
            journal = Journal(own)
            while not is_over.is_set():
                with journal.group():
                    run = a_run()
                    journal.add(run)
                    journal.move(run, "running", trigger="execute")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        saved = [database.backup(tmp_path / f"{number}.db") for number in range(5)]
    finally:
        is_over.set()
        writer.join()
    for path in saved:
        with Database(path, read_only=True) as copy:
            assert copy.damage() == []
            assert queries.inconsistencies(copy) == []


def _grow(database: Database) -> None:
    journal = Journal(database)
    run = a_run()
    with journal.group():
        journal.add(run)
        for _ in range(10):
            journal.note("warning", run, metadata={"message": "x" * (CHECKPOINT_BYTES // 8)})


def test_a_log_that_has_grown_is_folded_back(database: Database) -> None:
    _grow(database)
    assert database.log_bytes() > CHECKPOINT_BYTES
    database.checkpoint()
    assert database.log_bytes() == 0


def test_nothing_is_folded_back_by_itself(database: Database, journal: Journal) -> None:
    for _ in range(3):
        _grow(database)
    assert database.log_bytes() > 2 * CHECKPOINT_BYTES


def test_a_checkpoint_is_skipped_while_another_process_writes(database: Database) -> None:
    _grow(database)
    with Database(database.path) as other, other.transaction():
        database.checkpoint()
        assert database.log_bytes() > CHECKPOINT_BYTES


def test_a_closed_store_stays_closed(tmp_path: Path) -> None:
    before = open_descriptors()
    database = Database(tmp_path / "state.db")
    database.close()
    database.close()
    with pytest.raises(MinipipeError):
        database.list_runs()
    assert open_descriptors() == before


def test_an_open_store_is_taken_as_it_is(database: Database, tmp_path: Path) -> None:
    assert open_store(database) is database
    with open_store(tmp_path / "other.db") as opened:
        assert opened.path == tmp_path / "other.db"


def _open_at_once(path: str, start: Any) -> None:
    start.wait(20)
    Database(path).close()


def test_a_store_can_be_made_by_several_processes_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    openers = [context.Process(target=_open_at_once, args=(str(tmp_path / "state.db"), start)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(30)
    assert [opener.exitcode for opener in openers] == [0, 0, 0, 0]
