"""Whether everything is here that minipipe needs: small checks, each with a state, a sentence and what to do.

Nothing is written and nothing is mended. A check that cannot be made says so; it never keeps the others from being
made. To add a check, add a function to the table at the end.
"""

import os
import platform
import shutil
import socket
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine import ownership
from engine.backends.contract import ProcessFacts
from engine.config.loading import load_config
from engine.errors import MinipipeError, NoDatabase
from engine.events.poke import is_stale
from engine.git import program as git
from engine.process.family import adopt_orphans
from engine.process.survivors import find_survivors
from engine.store import queries
from engine.store.database import Database
from engine.store.migrations import MIGRATIONS
from engine.store.records import AttemptRecord, RunRecord
from engine.workspace import Workspace, find_workspace

OK, WARN, PROBLEM = "ok", "warn", "problem"

_OLDEST_PYTHON = (3, 11)
_OLDEST_SQLITE = (3, 35, 0)
_WAL_MENDED = (3, 51, 3)
_LITTLE_MB, _TOO_LITTLE_MB = 1024, 100
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says: its state, one sentence, and what to do where there is something to do."""

    state: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A finding with the name of its check."""

    name: str
    state: str
    message: str
    hint: str


class Site:
    """The place that is examined; what several checks need is looked up once."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.workspace: Workspace = find_workspace(folder)
        self.environ = environ

    @cached_property
    def database(self) -> Database | None:
        """The store, read-only; None where there is none yet. MinipipeError if it cannot be opened."""
        try:
            return Database(self.workspace.database_path, read_only=True)
        except NoDatabase:
            return None

    @cached_property
    def interrupted(self) -> list[RunRecord]:
        """Runs that are recorded as running, or being promoted, and that nobody runs."""
        if self.database is None:
            return []
        running = queries.unfinished_runs(self.database)
        return [run for run in running if ownership.owner_of(self.workspace.run_folder(run.run_id)) is None]

    def close(self) -> None:
        database = self.__dict__.get("database")
        if database is not None:
            database.close()


def examine(folder: Path, *, environ: Mapping[str, str] | None = None) -> list[Check]:
    """Every check, in the order of the table."""
    site = Site(folder, os.environ if environ is None else environ)
    try:
        found = [(name, _make(check, site)) for name, check in CHECKS.items()]
    finally:
        site.close()
    return [Check(name, finding.state, finding.message, finding.hint) for name, finding in found]


def is_healthy(checks: Collection[Check]) -> bool:
    return all(check.state != PROBLEM for check in checks)


def _make(check: Callable[[Site], Finding], site: Site) -> Finding:
    try:
        return check(site)
    except MinipipeError as error:
        return Finding(PROBLEM, error.message, error.hint)
    except OSError as error:
        return Finding(WARN, f"it cannot be checked: {error}")


# -- programs --------------------------------------------------------------------------------------------


def _python(_: Site) -> Finding:
    version = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return Finding(PROBLEM, f"Python {version} is too old", "install Python 3.11 or newer")
    return Finding(OK, f"Python {version}")


def _git(site: Site) -> Finding:
    version = git.git_version(site.workspace.root)
    shown = ".".join(map(str, version)) or "of an unknown version"
    if version < git.OLDEST:
        oldest = ".".join(map(str, git.OLDEST))
        return Finding(PROBLEM, f"git {shown} is too old", f"install git {oldest} or newer")
    return Finding(OK, f"git {shown}")


def _sqlite(_: Site) -> Finding:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        return Finding(PROBLEM, f"SQLite {version} is too old", "use a Python that brings SQLite 3.35 or newer")
    if sqlite3.sqlite_version_info < _WAL_MENDED:
        note = "before 3.51.3 two checkpoints at once can damage a WAL database; minipipe makes one at a time"
        return Finding(OK, f"SQLite {version}: {note}", "let no other program write to state.db")
    return Finding(OK, f"SQLite {version}")


# -- the place -------------------------------------------------------------------------------------------


def _repository(site: Site) -> Finding:
    root = site.workspace.root
    if site.workspace.git_folder is None:
        return Finding(WARN, f"{root} is in no git repository", 'git init, or "isolation": "none" in the plans')
    head = git.look_at_head(root)
    if head.trouble:
        return Finding(PROBLEM, f"git cannot work in the repository {root}: {head.trouble}", "git status says more")
    if not head.has_commit:
        return Finding(WARN, f"the repository {root} has no commit yet", "commit once")
    return Finding(OK, f"the repository {root}")


def _state_folder(site: Site) -> Finding:
    folder = site.workspace.state_folder
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return _future_folder(folder)
    if not stat.S_ISDIR(found.st_mode):
        return Finding(PROBLEM, f"{folder} is not a plain folder", "move it away: minipipe follows no link here")
    if found.st_uid != os.geteuid():
        return Finding(PROBLEM, f"{folder} belongs to somebody else", "work as its owner, or change the owner")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return Finding(PROBLEM, f"{folder} cannot be written", f"chmod u+rwx {folder}")
    if found.st_mode & 0o077:
        return Finding(WARN, f"others may look into {folder}", f"chmod 700 {folder}")
    return Finding(OK, f"{folder} is writable, and yours alone")


def _future_folder(folder: Path) -> Finding:
    if not os.access(folder.parent, os.W_OK | os.X_OK):
        return Finding(PROBLEM, f"{folder} cannot be made", f"check the owner and mode of {folder.parent}")
    return Finding(OK, f"{folder} will be made by the first run")


def _disk(site: Site) -> Finding:
    free = shutil.disk_usage(site.workspace.root).free // (1024 * 1024)
    shown = f"{free / 1024:.1f} GB are free" if free >= 1024 else f"{free} MB are free"
    if free < _TOO_LITTLE_MB:
        return Finding(PROBLEM, shown, "make room: logs and the database need some")
    return Finding(WARN if free < _LITTLE_MB else OK, shown, "make room" if free < _LITTLE_MB else "")


def _configuration(site: Site) -> Finding:
    load_config(site.workspace.root, environ=site.environ)
    return Finding(OK, "the configuration is sound")


# -- memory ----------------------------------------------------------------------------------------------


def _database(site: Site) -> Finding:
    if site.database is None:
        return Finding(OK, "there is no database yet")
    wrong = [line for (line,) in site.database.rows("PRAGMA quick_check") if line != "ok"]
    if wrong:
        return Finding(PROBLEM, f"the database is damaged: {wrong[0]}", "go back to a copy in .minipipe/backups")
    return Finding(OK, f"the database is sound, with schema {len(MIGRATIONS)}")


def _interrupted_runs(site: Site) -> Finding:
    runs = site.interrupted
    if not runs:
        return Finding(OK, "no run was interrupted")
    commands = [f"minipipe resume {run.run_id}" for run in runs[:_NAMED]]
    more = ["minipipe run goes on with all"] if len(runs) > 1 else []
    count = "one run was" if len(runs) == 1 else f"{len(runs)} runs were"
    return Finding(WARN, f"{count} interrupted", "; ".join([*commands, *more]))


def _leftover_processes(site: Site) -> Finding:
    pids = sorted(pid for run in site.interrupted for pid in _survivors(site, run.run_id))
    if not pids:
        return Finding(OK, "no process of a run that ended is left")
    shown = ", ".join(map(str, pids[:_NAMED])) + (" and more" if len(pids) > _NAMED else "")
    return Finding(WARN, f"processes of interrupted runs go on: {shown}", "resume or cancel those runs: that ends them")


def _survivors(site: Site, run_id: str) -> list[int]:
    assert site.database is not None
    attempts = queries.attempts_of(site.database, run_id, state="running")
    known = [facts for attempt in attempts if (facts := _facts(attempt)) is not None]
    return find_survivors({attempt.attempt_id for attempt in attempts}, known)


def _facts(attempt: AttemptRecord) -> ProcessFacts | None:
    if attempt.pid is None or attempt.process_started is None or attempt.boot_id is None:
        return None
    return ProcessFacts(attempt.pid, attempt.process_started, attempt.boot_id)


# -- the kernel ------------------------------------------------------------------------------------------


def _pidfd(_: Site) -> Finding:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return Finding(WARN, "the kernel has no pidfd: the ends of steps are looked for now and then", "Linux 5.3")
    return Finding(OK, "the kernel tells when a step ends (pidfd)")


def _subreaper(_: Site) -> Finding:
    if adopt_orphans():
        return Finding(OK, "processes that fork away from a step are found (child subreaper)")
    return Finding(WARN, "processes that fork away from a step may outlive it", "use Linux with /proc mounted")


def _wake_sockets(site: Site) -> Finding:
    folder = site.workspace.wake_folder
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        return Finding(WARN, f"{folder} cannot be written: other processes notice changes late", f"chmod 700 {folder}")
    try:
        with tempfile.TemporaryDirectory(prefix="minipipe-") as scratch, _datagram() as made:
            made.bind(str(Path(scratch, "wake.sock")))
    except OSError as error:
        return Finding(WARN, f"no socket can be made ({error}): other processes notice changes late")
    return Finding(OK, "other processes can be woken (unix sockets)")


def _datagram() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def _stale_sockets(site: Site) -> Finding:
    folder = site.workspace.wake_folder
    stale = [path.name for path in folder.glob("*.sock") if is_stale(path.name)] if folder.is_dir() else []
    if not stale:
        return Finding(OK, "no socket of a dead process is left")
    count = "one socket of a dead process is" if len(stale) == 1 else f"{len(stale)} sockets of dead processes are"
    return Finding(WARN, f"{count} left in {folder}", "they do no harm; delete them if you like")


CHECKS: Mapping[str, Callable[[Site], Finding]] = {
    "python": _python,
    "git": _git,
    "sqlite": _sqlite,
    "repository": _repository,
    "state_folder": _state_folder,
    "disk": _disk,
    "configuration": _configuration,
    "database": _database,
    "interrupted_runs": _interrupted_runs,
    "leftover_processes": _leftover_processes,
    "pidfd": _pidfd,
    "subreaper": _subreaper,
    "wake_sockets": _wake_sockets,
    "stale_sockets": _stale_sockets,
}
