"""What most commands begin with: the store or the engine of the folder one stands in, and the run that is meant."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import UsageError
from engine.store import queries
from engine.store.database import Database
from engine.workspace import Workspace, find_workspace
from minipipe_tui.cli.parser import CommandParser

RUN_HELP = "a run's id, the beginning of one, or `last`"


def add_run_argument(parser: CommandParser, *, optional: bool = False) -> None:
    if optional:
        parser.add_argument("run_id", metavar="RUN", nargs="?", help=RUN_HELP)
    else:
        parser.add_argument("run_id", metavar="RUN", help=RUN_HELP)


def add_variable_option(parser: CommandParser) -> None:
    parser.add_argument(
        "--var",
        metavar="K=V",
        action="append",
        default=[],
        type=_assignment,
        help="a value for a variable of the plan; repeatable",
    )


def variables(arguments: argparse.Namespace) -> dict[str, str]:
    """The variables given as `--var K=V`."""
    return dict(arguments.var)


def _assignment(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(
            f"--var {text}: this is not K=V", hint=f"--var {name or 'NAME'}=VALUE, without blanks around ="
        )
    return name, value


@contextmanager
def opened_store(*, missing_ok: bool = False) -> Iterator[tuple[Workspace, Database | None]]:
    """The store around the current folder, read-only; None where there is none yet, if that is fine."""
    workspace = find_workspace(Path.cwd())
    if missing_ok and not workspace.database_path.exists():
        yield workspace, None
        return
    with Database(workspace.database_path, read_only=True) as database:
        yield workspace, database


@contextmanager
def opened_run(given: str) -> Iterator[tuple[Workspace, Database, str]]:
    """The store, and the whole id of the run that is meant."""
    with opened_store() as (workspace, database):
        assert database is not None
        yield workspace, database, queries.resolve_run_id(database, given)
