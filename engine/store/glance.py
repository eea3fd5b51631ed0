"""How things stand, at a glance: what `minipipe status` prints, read without Peewee.

Prompts, bars and CI ask for this again and again; loading the library would take several times as long as the answer.
It reads a few columns and never writes.
"""

import sqlite3
from contextlib import closing
from typing import Any

from engine import ownership
from engine.errors import StoreDamaged
from engine.store.address import read_only_address
from engine.store.unfinished import UNFINISHED
from engine.workspace import Workspace

_EMPTY: dict[str, Any] = {
    "runs": {},
    "tasks": {},
    "patches": {},
    "oldest_review_at": None,
    "owners": [],
    "interrupted": [],
    "daemon": {"running": False, "pid": None, "slots": None},
}


def status_document(workspace: Workspace) -> dict[str, Any]:
    """Counts by entity and state, and who is at work."""
    path = workspace.database_path
    if not path.exists():
        return dict(_EMPTY)
    try:
        with closing(sqlite3.connect(read_only_address(path), uri=True, timeout=10)) as connection:
            return {**_EMPTY, **_found(connection, workspace)}
    except sqlite3.Error as error:
        raise StoreDamaged(str(path), str(error)) from error


def _found(connection: sqlite3.Connection, workspace: Workspace) -> dict[str, Any]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "runs" not in tables:
        return {}  # The process that makes the database is just about to.
    found: dict[str, Any] = {"runs": _counts(connection, "runs"), "tasks": _counts(connection, "tasks")}
    if "patches" in tables:  # If not, it is an older database, which nobody has opened for writing since.
        found |= {**_patches(connection), **_live_runs(connection, workspace)}
    return found


def _counts(connection: sqlite3.Connection, table: str) -> dict[str, int]:
    return dict(connection.execute(f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state").fetchall())


def _patches(connection: sqlite3.Connection) -> dict[str, Any]:
    """The ledger by state, and since when the patch waits that has waited for a person the longest."""
    (oldest,) = connection.execute(
        "SELECT min(created_at) FROM patches WHERE state = 'awaiting_review' AND review_status = 'pending'"
    ).fetchone()
    return {"patches": _counts(connection, "patches"), "oldest_review_at": oldest}


def _live_runs(connection: sqlite3.Connection, workspace: Workspace) -> dict[str, Any]:
    """The owners of runs that have begun and not ended, and the runs that should have one and do not."""
    rows = connection.execute(
        f"SELECT run_id, {UNFINISHED} FROM runs WHERE state IN ('running', 'paused', 'quarantined') OR {UNFINISHED} "
        "ORDER BY run_id"
    )
    found = [(run_id, needs_one, ownership.owner_of(workspace.run_folder(run_id))) for run_id, needs_one in rows]
    return {
        "owners": [{"run_id": run_id, "pid": owner.pid, "host": owner.host} for run_id, _, owner in found if owner],
        "interrupted": [run_id for run_id, needs_one, owner in found if needs_one and owner is None],
    }
