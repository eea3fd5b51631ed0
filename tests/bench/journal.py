"""Journal writes a second, beside bare SQLite inserting the same bytes with the same grouping."""

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.records import TaskRecord
from tests.bench.table import alternate, print_table

MOVES = ("queued", "running", "validating", "completed")


def journal(tasks: int, group: int, folder: Path) -> float:
    """Take tasks through their states; `group` of them share each transaction."""
    with Database(folder / f"journal{time.perf_counter_ns()}.db") as database:
        door = Journal(database)
        records = [TaskRecord(f"task_{number:09}", "run_1", f"s{number}", number) for number in range(tasks)]
        with door.group():
            for record in records:
                door.add(record)
        began = time.perf_counter()
        for start in range(0, tasks, group):
            with door.group():
                for record in records[start : start + group]:
                    for state in MOVES:
                        record = door.move(record, state, trigger="bench", metadata={"step_id": record.step_id})
        return time.perf_counter() - began


def bare_sqlite(tasks: int, group: int, folder: Path) -> float:
    """The same rows, straight into SQLite: an update and four event rows a task."""
    connection = sqlite3.connect(folder / f"bare{time.perf_counter_ns()}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE tasks (id TEXT PRIMARY KEY, state TEXT, version INTEGER, rest TEXT) WITHOUT ROWID")
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, body TEXT)")
    connection.executemany("INSERT INTO tasks VALUES (?, 'pending', 1, ?)", ((str(n), "x" * 120) for n in range(tasks)))
    began = time.perf_counter()
    for start in range(0, tasks, group):
        connection.execute("BEGIN IMMEDIATE")
        names = [str(number) for number in range(start, min(tasks, start + group))]
        connection.executemany("UPDATE tasks SET state = 'completed', version = 5 WHERE id = ?", ((n,) for n in names))
        connection.executemany("INSERT INTO events (body) VALUES (?)", (("y" * 300,) for _ in names for _ in MOVES))
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def run(*, quick: bool = False) -> None:
    tasks, rounds = (500, 1) if quick else (5000, 5)
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="minipipe-bench-") as scratch:
        folder = Path(scratch)
        for group in (1, 2, 16):
            found = alternate(
                {
                    "bare": lambda group=group: bare_sqlite(tasks, group, folder),  # type: ignore[misc]
                    "journal": lambda group=group: journal(tasks, group, folder),  # type: ignore[misc]
                },
                rounds=rounds,
            )
            moves = tasks * len(MOVES)
            rows.append(
                [
                    f"{group} tasks a commit",
                    moves / found["bare"] / 1000,
                    moves / found["journal"] / 1000,
                    found["journal"] / found["bare"],
                ]
            )
    print_table("state changes, thousands a second", ("", "bare SQLite", "journal", "× the time"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and rough")
    run(quick=parser.parse_args().quick)
