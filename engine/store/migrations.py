"""The schema, as an ordered list of small functions. Forward only; each runs once, in a transaction of its own.

A fresh database gets all of them in one: whoever looks meanwhile finds nothing yet, or everything. A migration that has
been released is never edited: what is wrong in it is mended by a later one.
"""

from collections.abc import Callable
from contextlib import nullcontext

from peewee import SqliteDatabase

from engine import clock
from engine.errors import MigrationFailed, NewerDatabase

Migration = Callable[[SqliteDatabase], None]


def create_runs_and_journal(database: SqliteDatabase) -> None:
    """Runs, their tasks and attempts, commands, and the two logs of what happened."""
    for statement in (
        """CREATE TABLE runs (
            run_id TEXT PRIMARY KEY NOT NULL, project_id TEXT, plan_id TEXT NOT NULL, plan_name TEXT NOT NULL,
            plan_path TEXT, plan_text TEXT NOT NULL, plan_digest TEXT NOT NULL, workspace TEXT NOT NULL,
            variables TEXT NOT NULL, settings TEXT NOT NULL, orchestration_mode TEXT NOT NULL, mode TEXT NOT NULL,
            target TEXT, priority INTEGER NOT NULL, retry_of TEXT, created_at TEXT NOT NULL,
            state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT, pause_reason TEXT,
            owner_pid INTEGER, owner_host TEXT, started_at TEXT, ended_at TEXT) WITHOUT ROWID""",
        """CREATE TABLE tasks (
            task_id TEXT PRIMARY KEY NOT NULL, run_id TEXT NOT NULL, step_id TEXT NOT NULL,
            position INTEGER NOT NULL, kind TEXT NOT NULL, depends_on TEXT NOT NULL, workstream TEXT, role TEXT,
            critical INTEGER NOT NULL, is_finally INTEGER NOT NULL,
            state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT, attempt_count INTEGER NOT NULL,
            charged_count INTEGER NOT NULL, orphaned_count INTEGER NOT NULL, retry_at TEXT,
            started_at TEXT, ended_at TEXT, outputs TEXT NOT NULL) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX tasks_of_run ON tasks (run_id, position)",
        """CREATE TABLE step_attempts (
            attempt_id TEXT NOT NULL, run_id TEXT NOT NULL, task_id TEXT NOT NULL,
            step_id TEXT NOT NULL, number INTEGER NOT NULL, tool_id TEXT NOT NULL, log_path TEXT NOT NULL,
            started_at TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT, outcome TEXT,
            exit_code INTEGER, message TEXT, duration_seconds REAL, ended_at TEXT, pid INTEGER,
            process_started INTEGER, boot_id TEXT, diff_stats TEXT, output_patch_id TEXT,
            session_id TEXT, PRIMARY KEY (run_id, attempt_id)) WITHOUT ROWID""",
        """CREATE TABLE workstreams (
            workstream_id TEXT PRIMARY KEY NOT NULL, run_id TEXT NOT NULL, name TEXT NOT NULL,
            position INTEGER NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT,
            started_at TEXT, ended_at TEXT) WITHOUT ROWID""",
        "CREATE INDEX workstreams_of_run ON workstreams (run_id)",
        """CREATE TABLE commands (
            seq INTEGER PRIMARY KEY NOT NULL, command_id TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL,
            verb TEXT NOT NULL, created_at TEXT NOT NULL, arguments TEXT NOT NULL, operator TEXT,
            state TEXT NOT NULL, acted_at TEXT, message TEXT)""",
        "CREATE INDEX pending_commands ON commands (run_id) WHERE state = 'pending'",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY NOT NULL, event_id TEXT NOT NULL, timestamp TEXT NOT NULL,
            event_type TEXT NOT NULL, severity TEXT NOT NULL, entity_type TEXT NOT NULL, entity_id TEXT NOT NULL,
            from_state TEXT, to_state TEXT, "trigger" TEXT, reason TEXT, operator TEXT, run_id TEXT,
            metadata TEXT NOT NULL)""",
        # A transition is an event that moved something: two rows could disagree, one cannot.
        """CREATE VIEW state_transitions AS SELECT seq, entity_type, entity_id, run_id, from_state, to_state,
            "trigger", reason, operator, metadata, timestamp FROM events WHERE to_state IS NOT NULL""",
    ):
        database.execute_sql(statement)


def create_the_ledger(database: SqliteDatabase) -> None:
    """Patches with their files, the reviews and gates that decide about them, and where a run's branch stands."""
    for statement in (
        "ALTER TABLE runs ADD COLUMN base_commit TEXT",
        "ALTER TABLE runs ADD COLUMN head_commit TEXT",
        "ALTER TABLE runs ADD COLUMN diff_stats TEXT",
        "ALTER TABLE runs ADD COLUMN promotion TEXT",
        """CREATE TABLE patches (
            patch_id TEXT PRIMARY KEY NOT NULL, run_id TEXT NOT NULL, task_id TEXT NOT NULL, step_id TEXT NOT NULL,
            attempt_id TEXT, origin TEXT NOT NULL, parent_patch_id TEXT, created_at TEXT NOT NULL,
            state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT, base_commit TEXT NOT NULL,
            commit_id TEXT NOT NULL, patch_hash TEXT NOT NULL, stable_id TEXT NOT NULL, diff_path TEXT,
            diff_stats TEXT NOT NULL, risk_score INTEGER NOT NULL, risk_reasons TEXT NOT NULL,
            findings TEXT NOT NULL, is_released INTEGER NOT NULL, superseded_by TEXT, candidate_commit TEXT,
            candidate_head TEXT, committed_commit TEXT, manual_review_required INTEGER NOT NULL,
            review_status TEXT NOT NULL, reviewer TEXT, reviewed_by TEXT, reviewed_at TEXT, review_comment TEXT,
            review_reason TEXT) WITHOUT ROWID""",
        "CREATE INDEX patches_of_run ON patches (run_id)",
        "CREATE INDEX patches_of_task ON patches (task_id)",
        "CREATE INDEX patches_in_state ON patches (state)",
        """CREATE TABLE patch_files (
            patch_id TEXT NOT NULL, commit_id TEXT NOT NULL, position INTEGER NOT NULL, path TEXT NOT NULL,
            old_path TEXT, status TEXT NOT NULL, old_mode TEXT NOT NULL, new_mode TEXT NOT NULL,
            lines_added INTEGER NOT NULL, lines_deleted INTEGER NOT NULL, is_binary INTEGER NOT NULL,
            PRIMARY KEY (patch_id, commit_id, position)) WITHOUT ROWID""",
        """CREATE TABLE reviews (
            review_id TEXT PRIMARY KEY NOT NULL, patch_id TEXT NOT NULL, run_id TEXT NOT NULL,
            commit_id TEXT NOT NULL, decision TEXT NOT NULL, created_at TEXT NOT NULL, reviewer TEXT, comment TEXT,
            files TEXT NOT NULL, hunks TEXT NOT NULL, edited_commit TEXT, sends_back INTEGER NOT NULL,
            version INTEGER NOT NULL, acted_at TEXT, outcome TEXT) WITHOUT ROWID""",
        "CREATE INDEX reviews_of_patch ON reviews (patch_id)",
        "CREATE INDEX undecided_reviews ON reviews (run_id) WHERE acted_at IS NULL",
        """CREATE TABLE review_comments (
            comment_id TEXT PRIMARY KEY NOT NULL, patch_id TEXT NOT NULL, run_id TEXT NOT NULL,
            commit_id TEXT NOT NULL, created_at TEXT NOT NULL, author TEXT, path TEXT, line INTEGER,
            side TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID""",
        "CREATE INDEX comments_of_patch ON review_comments (patch_id)",
        """CREATE TABLE gates (
            gate_id TEXT PRIMARY KEY NOT NULL, run_id TEXT NOT NULL, patch_id TEXT, step_id TEXT, name TEXT NOT NULL,
            type TEXT NOT NULL, purpose TEXT NOT NULL, commit_id TEXT NOT NULL, log_path TEXT NOT NULL,
            created_at TEXT NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, reason TEXT,
            exit_code INTEGER, message TEXT, duration_seconds REAL, started_at TEXT, ended_at TEXT, pid INTEGER,
            process_started INTEGER, boot_id TEXT) WITHOUT ROWID""",
        "CREATE INDEX gates_of_run ON gates (run_id)",
        "CREATE INDEX gates_of_patch ON gates (patch_id)",
        "CREATE VIEW patch_ledger AS SELECT patch_id AS ledger_id, * FROM patches",
    ):
        database.execute_sql(statement)


MIGRATIONS: tuple[Migration, ...] = (create_runs_and_journal, create_the_ledger)


def applied(database: SqliteDatabase) -> int:
    """The number of the newest migration in a database, 0 for a fresh one."""
    row = database.execute_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'"
    ).fetchone()
    if row is None:
        return 0
    return int(database.execute_sql("SELECT coalesce(max(number), 0) FROM schema_migrations").fetchone()[0])


def is_current(database: SqliteDatabase, path: str) -> bool:
    """Whether nothing is left to migrate; a database from the future is refused."""
    found = applied(database)
    if found > len(MIGRATIONS):
        raise NewerDatabase(path, found, len(MIGRATIONS))
    return found == len(MIGRATIONS)


def migrate(database: SqliteDatabase, *, backup: Callable[[], str | None] | None = None) -> list[str]:
    """Apply what is missing and name it; `backup` saves a database that already holds something."""
    is_fresh = applied(database) == 0
    saved = backup() if backup is not None and not is_fresh else None
    with database.atomic("IMMEDIATE") if is_fresh else nullcontext():
        return [
            migration.__name__
            for number, migration in enumerate(MIGRATIONS, start=1)
            if _apply(database, number, migration, saved)
        ]


def _apply(database: SqliteDatabase, number: int, migration: Migration, saved: str | None) -> bool:
    with database.atomic("IMMEDIATE"):
        # Asked again inside the transaction: another process may have migrated while we waited for the lock.
        if applied(database) >= number:
            return False
        try:
            database.execute_sql(
                "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY NOT NULL, "
                "name TEXT NOT NULL, applied_at TEXT NOT NULL)"
            )
            migration(database)
            database.execute_sql(
                "INSERT INTO schema_migrations VALUES (?, ?, ?)",
                (number, migration.__name__, clock.utc_now()),
            )
        except Exception as error:  # whatever a migration trips over, the transaction undoes it
            raise MigrationFailed(number, migration.__name__, str(error), saved) from error
    return True
