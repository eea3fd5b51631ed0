"""The SQLite file: opening it, keeping it consistent, saving it.

One writing connection a process, shared by its threads under a lock; readers use connections of their own.
Checkpoints of the write-ahead log never coincide with a write of another process: SQLite before 3.51.3 can
corrupt the file when they do. So no connection checkpoints by itself, and a file lock stands around both.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee
from peewee import SqliteDatabase

from engine import clock
from engine.errors import EnvironmentUnfit, MinipipeError, NoDatabase, StoreBusy, StoreDamaged, StoreError
from engine.store import migrations, queries
from engine.store.address import read_only_address

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""The size of the write-ahead log from which on it is folded back into the database."""

CHECKPOINT_PATIENCE = 0.1
"""How many seconds a checkpoint waits for those who write; the next quiet moment brings another chance."""


class FileLock:
    """A lock between processes, held inside a `with`: by whoever writes, and by whoever makes a checkpoint.

    In line for it one waits less long than SQLite would nap, and nobody writes while a checkpoint is made.

    StoreBusy if somebody (stopped in the middle, say) keeps it longer than we wait.
    """

    __slots__ = ("_operation", "_path", "_patience", "descriptor")

    def __init__(self, operation: int, path: Path, patience: float) -> None:
        self._operation = operation
        self._path = path
        self._patience = patience
        self.descriptor: int | None = None

    def __enter__(self) -> None:
        if self.descriptor is None:
            raise StoreError("the database was opened for reading only")
        try:
            fcntl.flock(self.descriptor, self._operation | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait(self.descriptor)

    def __exit__(self, *exception: object) -> None:
        if self.descriptor is not None:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def _wait(self, descriptor: int) -> None:
        deadline = clock.monotonic() + self._patience
        while clock.monotonic() < deadline:
            time.sleep(0.002)
            try:
                return fcntl.flock(descriptor, self._operation | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
        raise StoreBusy(str(self._path), self._patience)


class Database:
    """An open store. Cheap to open read-only; opening it for writing brings its schema up to date."""

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False, busy_seconds: float = 10.0) -> None:
        self.path = Path(path).absolute()
        self.read_only = read_only
        self.busy_seconds = busy_seconds
        self.lock = threading.RLock()
        self._log_path = Path(f"{self.path}-wal")
        self._write_lock = FileLock(fcntl.LOCK_EX, self.path, busy_seconds)
        self._checkpoint_lock = FileLock(fcntl.LOCK_EX, self.path, CHECKPOINT_PATIENCE)
        self._identity = (0, 0)
        self._is_full = False
        self.peewee = self._closed_database()
        try:
            with self.translated_errors():
                self._connect()
                self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def _closed_database(self) -> SqliteDatabase:
        return SqliteDatabase(
            read_only_address(self.path) if self.read_only else f"{self.path.as_uri()}?mode=rwc",
            uri=True,
            timeout=self.busy_seconds,
            check_same_thread=False,
            thread_safe=False,
            autoconnect=False,
            cached_statements=256,
        )

    def _connect(self) -> None:
        if self.read_only:
            if not self.path.exists():
                raise NoDatabase(str(self.path))
            self.peewee.connect()
        else:
            self._make_folder()
            self.peewee.connect()
            self._configure(self.peewee)

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentUnfit(f"cannot write in {self.path.parent}: {error.strerror}") from error
        self._write_lock.descriptor = self._checkpoint_lock.descriptor = descriptor

    def _configure(self, database: SqliteDatabase) -> None:
        """Write-ahead logging that survives the death of the process; checkpoints only by `checkpoint`."""
        status = self.path.stat()
        fresh, self._identity = not status.st_size, (status.st_dev, status.st_ino)
        self._use_write_ahead_log(database)
        database.execute_sql("PRAGMA synchronous = NORMAL")
        database.execute_sql("PRAGMA wal_autocheckpoint = 0")
        if fresh:
            self.path.chmod(0o600)

    def _use_write_ahead_log(self, database: SqliteDatabase) -> None:
        # SQLite does not wait by itself while another process makes the same change to a fresh file.
        deadline = clock.monotonic() + self.busy_seconds
        while True:
            try:
                database.execute_sql("PRAGMA journal_mode = WAL")
            except peewee.OperationalError:
                if clock.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def _bring_up_to_date(self) -> None:
        if self.read_only and migrations.applied(self.peewee) == 0:
            raise NoDatabase(str(self.path))  # Asked first: a moment later it may be there.
        if migrations.is_current(self.peewee, str(self.path)):
            return
        if self.read_only:
            raise StoreError(f"{self.path} has an older schema", hint="minipipe db migrate")
        with self._write_lock:
            migrations.migrate(self.peewee, backup=lambda: str(self.backup()))

    # -- writing ---------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, survives_power_cut: bool = False) -> Iterator[sqlite3.Cursor]:
        """One write transaction, taken at once (never upgraded from a read), all or nothing."""
        with self.lock, self._write_lock:
            cursor = self._cursor()
            try:
                self._synchronise(cursor, fully=survives_power_cut)
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                cursor.execute("COMMIT")
            except (sqlite3.Error, peewee.PeeweeException) as error:
                self._undo(cursor)
                raise self._in_our_words(error) from error
            except BaseException:
                self._undo(cursor)
                raise

    def _synchronise(self, cursor: sqlite3.Cursor, *, fully: bool) -> None:
        """Whether commits wait for the disk from here on."""
        if fully != self._is_full:
            cursor.execute(f"PRAGMA synchronous = {'FULL' if fully else 'NORMAL'}")
            self._is_full = fully

    def _cursor(self) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.peewee.cursor()
        return cursor

    def _undo(self, cursor: sqlite3.Cursor) -> None:
        if cursor.connection.in_transaction:
            cursor.execute("ROLLBACK")

    def checkpoint(self, *, force: bool = False) -> None:
        """Fold the write-ahead log into the database when it has grown; put off while somebody writes."""
        self._check_in_place()
        if not force and self.log_bytes() < CHECKPOINT_BYTES:
            return
        try:
            with self.lock, self.translated_errors(), self._checkpoint_lock:
                self.peewee.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except StoreBusy:
            if force:
                raise

    def _check_in_place(self) -> None:
        """Notice that the file was deleted or replaced: SQLite would go on writing to what nobody sees any more."""
        try:
            status = self.path.stat()
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            raise EnvironmentUnfit(
                f"{self.path} was removed or replaced while it was in use",
                hint="what was recorded there is lost; backups are in .minipipe/backups",
            )

    def log_bytes(self) -> int:
        try:
            return self._log_path.stat().st_size
        except FileNotFoundError:
            return 0

    # -- reading ---------------------------------------------------------------------------------------

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement."""
        with self.lock, self.translated_errors():
            found: list[tuple[Any, ...]] = self.peewee.execute_sql(sql, parameters).fetchall()
            return found

    def dicts(self, query: Any) -> list[dict[str, Any]]:
        """All rows of a Peewee query as dictionaries."""
        with self.lock, self.translated_errors():
            return list(query.dicts().bind(self.peewee))

    def tuples(self, query: Any) -> list[tuple[Any, ...]]:
        """All rows of a Peewee query as tuples, in the order of the table's columns."""
        with self.lock, self.translated_errors():
            return list(query.tuples().bind(self.peewee))

    def list_runs(self, state: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
        """The newest runs, each as a dictionary with at least run_id, plan_id and state."""
        return queries.list_runs(self, state=state, limit=limit)[0]

    # -- upkeep ----------------------------------------------------------------------------------------

    def backup(self, target: Path | None = None) -> Path:
        """A consistent copy, taken while others may go on writing."""
        if target is None:
            stamp = clock.utc_now().replace(":", "").replace("-", "")
            target = self.path.parent / "backups" / f"{self.path.stem}-{stamp}.db"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentUnfit(f"cannot write in {target.parent}: {error.strerror}") from error
        if target.exists():
            raise EnvironmentUnfit(f"{target} exists already", hint="name another file")
        with self.lock, self.translated_errors():
            self.peewee.execute_sql("VACUUM INTO ?", (str(target),))
        target.chmod(0o600)
        return target

    def damage(self) -> list[str]:
        """What SQLite itself finds wrong with the file; empty when all is well."""
        return [line for (line,) in self.rows("PRAGMA integrity_check") if line != "ok"]

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        with self.lock:
            if not self.peewee.is_closed():
                self.peewee.close()
            if self._write_lock.descriptor is not None:
                os.close(self._write_lock.descriptor)
                self._write_lock.descriptor = self._checkpoint_lock.descriptor = None

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """SQLite's errors in our words: busy, damaged, full."""
        try:
            yield
        except MinipipeError:
            raise
        except (sqlite3.Error, peewee.PeeweeException) as error:
            raise self._in_our_words(error) from error

    def _in_our_words(self, error: Exception) -> StoreError:
        text = str(error)
        if "locked" in text or "busy" in text:
            return StoreBusy(str(self.path), self.busy_seconds)
        if "full" in text or "disk I/O" in text:
            return StoreError(f"cannot write {self.path}: {text}", hint="make room on the disk, then minipipe resume")
        if "readonly" in text or "unable to open" in text:
            return EnvironmentUnfit(f"cannot open {self.path}: {text}", hint="check the owner and mode of the folder")
        return StoreDamaged(str(self.path), text)

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def open_store(store: "Database | str | os.PathLike[str]") -> Database:
    """An open store as it is, a path opened: what every `db=` argument accepts."""
    return store if isinstance(store, Database) else Database(store)
