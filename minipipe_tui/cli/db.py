"""`minipipe db check | backup | migrate | rebuild-audit`: upkeep of the database."""

import argparse
from pathlib import Path

from engine.errors import NoDatabase
from engine.events.audit import rebuild
from engine.store import queries
from engine.store.database import Database
from engine.store.migrations import MIGRATIONS
from engine.workspace import find_workspace
from minipipe_tui.cli.opening import opened_store
from minipipe_tui.cli.output import print_json, print_lines
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe("Look after the database of this repository.", examples=("minipipe db check",))
    actions = parser.add_actions()
    check = actions.add_parser("check", help="is the file sound, and does it agree with itself?")
    check.describe(
        "Ask SQLite whether the file is sound, and whether what is recorded agrees with itself. Exit code 1 if not.",
        examples=("minipipe db check", "minipipe db check --json"),
    )
    check.add_json_option()
    check.set_defaults(run=_check)
    backup = actions.add_parser("backup", help="save a copy, while others may go on writing")
    backup.describe(
        "Save a consistent copy of the database, while runs may go on. An existing file is never replaced.",
        examples=("minipipe db backup", "minipipe db backup ../state-copy.db"),
    )
    backup.add_argument("file", metavar="FILE", nargs="?", help="where to (.minipipe/backups)")
    backup.set_defaults(run=_backup)
    migrate = actions.add_parser("migrate", help="bring an older database up to date; a backup is made first")
    migrate.describe(
        "Bring the database of an older minipipe up to date. A copy is saved in .minipipe/backups first. Commands that "
        "write do this by themselves; those that only look ask for it.",
        examples=("minipipe db migrate",),
    )
    migrate.set_defaults(run=_migrate)
    audit = actions.add_parser("rebuild-audit", help="write events.jsonl anew from the database")
    audit.describe(
        "Write .minipipe/events.jsonl anew from the database, which holds all that was ever said there.",
        examples=("minipipe db rebuild-audit",),
    )
    audit.set_defaults(run=_rebuild_audit)


def _check(arguments: argparse.Namespace) -> int:
    with opened_store() as (_, database):
        assert database is not None
        problems = database.damage() or queries.inconsistencies(database)
    if arguments.json:
        print_json({"sound": not problems, "problems": problems})
    else:
        print_lines(problems or ["the database is sound"])
    return 1 if problems else 0


def _backup(arguments: argparse.Namespace) -> int:
    with opened_store() as (_, database):
        assert database is not None
        print_lines([str(database.backup(Path(arguments.file).absolute() if arguments.file else None))])
    return 0


def _migrate(_: argparse.Namespace) -> int:
    with _opened_for_writing() as database:
        print_lines([f"{database.path} has schema {len(MIGRATIONS)}, the newest"])
    return 0


def _rebuild_audit(_: argparse.Namespace) -> int:
    with opened_store() as (workspace, database):
        assert database is not None
        count = rebuild(workspace.audit_path, queries.all_events(database))
    print_lines([f"{workspace.audit_path}: {count} events"])
    return 0


def _opened_for_writing() -> Database:
    path = find_workspace(Path.cwd()).database_path
    if not path.exists():
        raise NoDatabase(str(path))
    return Database(path)
