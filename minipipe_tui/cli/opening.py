"""What most commands begin with: the store or the engine of the folder one stands in, who asks, and what is meant."""

import argparse
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EnvironmentUnfit, NoDatabase, NotFound, UsageError
from engine.git.program import Git
from engine.git.repository import find_repository
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.records import PatchRecord
from engine.workspace import Workspace, find_workspace
from minipipe_tui.cli.parser import CommandParser

RUN_HELP = "a run's id, the beginning of one, or `last`"

PATCH_HELP = "a patch's id, the beginning of one, or `last`"
QUEUE_HELP = f"{PATCH_HELP}: the newest that waits"


def add_run_argument(parser: CommandParser, *, optional: bool = False) -> None:
    if optional:
        parser.add_argument("run_id", metavar="RUN", nargs="?", help=RUN_HELP)
    else:
        parser.add_argument("run_id", metavar="RUN", help=RUN_HELP)


def add_patch_argument(parser: CommandParser, *, of_queue: bool = False) -> None:
    """The patch that is meant. In the review queue `last` is the newest that waits, as long as one does."""
    parser.add_argument("patch_id", metavar="PATCH", nargs="?", help=QUEUE_HELP if of_queue else PATCH_HELP)
    parser.add_argument("--ledger-id", metavar="PATCH", help="the same, as an option")
    parser.set_defaults(of_queue=of_queue)


def named_patch(database: Database, arguments: argparse.Namespace) -> PatchRecord:
    """The patch that is meant, by the argument or by the option."""
    given = [name for name in (arguments.patch_id, arguments.ledger_id) if name is not None]
    if len(given) != 1:
        raise UsageError("name one patch: PATCH or --ledger-id PATCH", hint="minipipe patch list lists them")
    if given == ["last"] and arguments.of_queue:
        waiting = patch_queries.waiting_for_review(database, decided_too=True)
        if waiting:
            return waiting[-1]
    return patch_called(database, given[0])


def patch_called(database: Database, given: str) -> PatchRecord:
    patch = patch_queries.find_patch(database, patch_queries.resolve_patch_id(database, given))
    if patch is None:
        raise NotFound("patch", given, hint="minipipe patch list lists them")
    return patch


def git_of(workspace: Workspace) -> Git:
    """git for the repository that one stands in."""
    if workspace.git_folder is None:
        raise EnvironmentUnfit(f"{workspace.root} is in no repository", hint="go to the repository of the patch")
    return find_repository(workspace.root, workspace.git_folder).git


def words(text: str) -> str:
    """What a person wants to say: something, and text that can be kept."""
    said = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()
    if not said:
        raise UsageError("there must be some words in it")
    return said


def operator_name() -> str:
    """Who asks. A container may run as a user that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def add_reviewer_option(parser: CommandParser) -> None:
    parser.add_argument("--reviewer", metavar="NAME", type=words, help="who decides (you)")


def reviewer(arguments: argparse.Namespace) -> str:
    """Who decides."""
    return arguments.reviewer or operator_name()


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
    try:
        database = Database(workspace.database_path, read_only=True)
    except NoDatabase:
        if not missing_ok:
            raise
        yield workspace, None
        return
    with database:
        yield workspace, database


@contextmanager
def opened_run(given: str) -> Iterator[tuple[Workspace, Database, str]]:
    """The store, and the whole id of the run that is meant."""
    with opened_store() as (workspace, database):
        assert database is not None
        yield workspace, database, queries.resolve_run_id(database, given)
