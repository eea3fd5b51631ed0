from pathlib import Path

import pytest
from peewee import SqliteDatabase

from engine.errors import ExitCode, MigrationFailed, NewerDatabase, NoDatabase
from engine.store import migrations
from engine.store.database import Database
from engine.store.journal import Journal
from tests.engine.store.conftest import a_run


def add_colour(database: SqliteDatabase) -> None:
    database.execute_sql("ALTER TABLE runs ADD COLUMN colour TEXT")


def add_colour_and_stumble(database: SqliteDatabase) -> None:
    database.execute_sql("ALTER TABLE runs ADD COLUMN colour TEXT")
    database.execute_sql("INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one run in it, closed."""
    path = tmp_path / "state.db"
    with Database(path) as database:
        Journal(database).add(a_run())
    return path


def columns_of_runs(path: Path) -> set[str]:
    plain = SqliteDatabase(str(path))
    try:
        return {row[1] for row in plain.execute_sql("PRAGMA table_info(runs)").fetchall()}
    finally:
        plain.close()


def saved(path: Path) -> list[Path]:
    return sorted((path.parent / "backups").glob("*.db"))


def test_a_fresh_store_has_every_migration_on_record(database: Database) -> None:
    rows = database.rows("SELECT number, name FROM schema_migrations ORDER BY number")
    assert rows == [(number, each.__name__) for number, each in enumerate(migrations.MIGRATIONS, start=1)]


def test_a_fresh_store_is_not_saved_first(path: Path) -> None:
    assert saved(path) == []


def test_opening_again_changes_nothing(path: Path) -> None:
    with Database(path) as database:
        assert migrations.migrate(database.peewee) == []
        assert database.rows("SELECT count(*) FROM schema_migrations") == [(len(migrations.MIGRATIONS),)]


def test_a_store_with_content_is_saved_before_a_migration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_colour))
    Database(path).close()
    assert "colour" in columns_of_runs(path)
    (backup,) = saved(path)
    assert "colour" not in columns_of_runs(backup)
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_migration_that_fails_leaves_everything_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_colour_and_stumble))
    with pytest.raises(MigrationFailed) as caught:
        Database(path)
    assert "colour" not in columns_of_runs(path)
    assert caught.value.exit_code == ExitCode.UNFIT
    assert caught.value.backup == str(saved(path)[0])
    assert caught.value.backup in caught.value.hint
    monkeypatch.undo()
    with Database(path) as database:
        assert len(database.list_runs()) == 1


def test_a_newer_database_is_refused_with_both_numbers(path: Path) -> None:
    newer = len(migrations.MIGRATIONS) + 1
    with Database(path) as database, database.transaction() as cursor:
        cursor.execute("INSERT INTO schema_migrations VALUES (?, 'from the future', '')", (newer,))
    for read_only in (False, True):
        with pytest.raises(NewerDatabase) as caught:
            Database(path, read_only=read_only)
        assert caught.value.exit_code == ExitCode.UNFIT
        assert (caught.value.found, caught.value.known) == (newer, newer - 1)


def test_a_fresh_store_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: SqliteDatabase) -> None:
        with pytest.raises(NoDatabase):
            Database(tmp_path / "new.db", read_only=True)

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, look, add_colour_and_stumble))
    with pytest.raises(MigrationFailed, match="stumble"):
        Database(tmp_path / "new.db")
    assert columns_of_runs(tmp_path / "new.db") == set()


def test_an_older_store_is_not_migrated_by_a_reader(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add_colour))
    with pytest.raises(Exception, match="older schema"):
        Database(path, read_only=True)
    assert "colour" not in columns_of_runs(path)
