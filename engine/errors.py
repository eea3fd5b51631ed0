"""Every error that minipipe raises on purpose, named by who must act.

    MinipipeError
    ├─ UserError    you: fix the input                       exit 2
    │  ├─ ConfigError
    │  ├─ PlanError         all problems of a plan at once
    │  ├─ PatchRefused      the text of a patch cannot be trusted
    │  ├─ UsageError
    │  └─ NotFound          unknown or ambiguous id
    ├─ Refused      a rule said no                           exit 1
    │  ├─ InvalidTransition
    │  ├─ StaleRecord       somebody else changed it first
    │  ├─ ActionRefused
    │  └─ RunOwned          another process runs it
    ├─ ToolError    the world failed                         exit 1
    │  ├─ SpawnFailed
    │  ├─ GitFailed
    │  ├─ WorktreeUnavailable
    │  └─ PatchConflict
    └─ StoreError   the environment or our memory is unfit   exit 5
       ├─ EnvironmentUnfit
       │  └─ NoDatabase     nothing was recorded here yet
       ├─ NewerDatabase
       ├─ MigrationFailed
       ├─ StoreBusy
       └─ StoreDamaged

A leaf carries its facts as attributes and builds its own message; `hint` is the one thing to do next.
Failed work of a step is not an error: it is a value.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What a command line ends with; the numbers are a contract."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    WAITING = 3
    QUARANTINED = 4
    UNFIT = 5
    CANCELED = 130


class MinipipeError(Exception):
    """The root: a message for a person, a hint, and the exit code of a command that ends with it."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """The error's stable name in JSON."""
        return type(self).__name__


class UserError(MinipipeError):
    """The input is wrong."""

    exit_code = ExitCode.USAGE


class ConfigError(UserError):
    """A configuration file, variable or flag says something that cannot be."""


class UsageError(UserError):
    """A command was called in a way it does not know."""


class Problem(NamedTuple):
    """One thing that is wrong in a plan: where, what, and what would be right."""

    path: str
    message: str
    hint: str = ""
    line: int | None = None
    column: int | None = None


class PlanError(UserError):
    """A plan that cannot run, with everything that is wrong in it."""

    def __init__(self, problems: Sequence[Problem], *, source: str = "plan") -> None:
        count = len(problems)
        super().__init__(
            f"{source}: {count} problem{'' if count == 1 else 's'}: {problems[0].message}",
            hint=problems[0].hint or f"minipipe plan validate {source}",
        )
        self.problems = tuple(problems)
        self.source = source


class PatchRefused(UserError):
    """The text of a patch is broken, or says two things at once; nothing of it was applied."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        super().__init__(
            f"{source}, line {line}: {reason}", hint="make the patch again with git diff --binary, and give it as it is"
        )
        self.source = source
        self.line = line
        self.reason = reason


class NotFound(UserError):
    """An id that names nothing, or more than one thing."""

    def __init__(self, kind: str, given: str, *, candidates: Sequence[str] = (), hint: str = "") -> None:
        if candidates:
            message = f"{given!r} may be one of {len(candidates)}: {', '.join(candidates[:5])}"
            hint = "give more of the id"
        else:
            message = f"there is no {kind} {given!r}"
            hint = hint or f"minipipe {'runs' if kind == 'run' else 'show RUN'} lists them"
        super().__init__(message, hint=hint)
        self.kind = kind
        self.given = given
        self.candidates = tuple(candidates)


class Refused(MinipipeError):
    """A rule said no."""


class InvalidTransition(Refused):
    """A state change that the entity's table does not list."""

    def __init__(
        self,
        entity: str,
        entity_id: str | None,
        from_state: str,
        to_state: str,
        allowed: Iterable[str],
        *,
        story: Sequence[str] = (),
    ) -> None:
        allowed = sorted(allowed)
        name = f"{entity} {entity_id}" if entity_id else entity
        choices = ", ".join(allowed) if allowed else "nothing: the state is final"
        message = f"{name} cannot go from {from_state} to {to_state}; from {from_state} it may go to {choices}"
        if story:
            message += "; before that: " + "; ".join(story)
        super().__init__(message)
        self.entity = entity
        self.entity_id = entity_id
        self.from_state = from_state
        self.to_state = to_state
        self.allowed = tuple(allowed)
        self.story = tuple(story)


class StaleRecord(Refused):
    """A change was based on a row that somebody else has changed since."""

    def __init__(self, entity: str, entity_id: str, version: int) -> None:
        super().__init__(
            f"{entity} {entity_id} was changed by somebody else after version {version} was read",
            hint="look again, then repeat what you wanted",
        )
        self.entity = entity
        self.entity_id = entity_id
        self.version = version


class ActionRefused(Refused):
    """An action that makes no sense in the present state."""

    def __init__(self, action: str, target: str, why: str, *, hint: str = "") -> None:
        super().__init__(f"cannot {action} {target}: {why}", hint=hint)
        self.action = action
        self.target = target
        self.why = why


class RunOwned(Refused):
    """Another process owns the run."""

    def __init__(self, run_id: str, owner: str) -> None:
        super().__init__(
            f"run {run_id} is being run by {owner}",
            hint=f"minipipe events {run_id} --follow watches it; pause and cancel work from here",
        )
        self.run_id = run_id
        self.owner = owner


class ToolError(MinipipeError):
    """The world outside failed; `retryable` says whether trying again makes sense."""

    def __init__(self, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class SpawnFailed(ToolError):
    """A program could not be started."""

    def __init__(self, program: str, why: str) -> None:
        super().__init__(f"cannot start {program!r}: {why}", hint="is it installed and on the PATH?")
        self.program = program


class GitFailed(ToolError):
    """git could not do what was asked; what it said is in the message."""

    def __init__(self, action: str, said: str, *, retryable: bool = False) -> None:
        super().__init__(
            f"git {action} failed: {said}", hint="minipipe doctor looks at the repository", retryable=retryable
        )
        self.action = action
        self.said = said


class CommitsLost(ToolError):
    """What a run has committed is gone from the repository: somebody removed its ref, and git its commits."""

    def __init__(self, run_id: str, commit: str) -> None:
        super().__init__(
            f"what {run_id} had committed ({commit[:12]}) is gone from the repository",
            hint=f"minipipe patch list --run {run_id} tells what was in it; minipipe cancel {run_id} ends it",
        )


class WorktreeUnavailable(ToolError):
    """No working tree can be had for a step; it never runs anywhere else instead."""

    def __init__(self, why: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(
            f"no working tree can be had: {why}",
            hint=hint or "minipipe worktree list shows what there is",
            retryable=retryable,
        )
        self.why = why


class PatchConflict(ToolError):
    """A change cannot be merged: the same lines were changed otherwise."""

    def __init__(self, what: str, paths: Sequence[str]) -> None:
        shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        super().__init__(f"{what} conflicts in {shown}")
        self.paths = tuple(paths)


class StoreError(MinipipeError):
    """The environment, or our own memory, is not fit."""

    exit_code = ExitCode.UNFIT


class EnvironmentUnfit(StoreError):
    """Something around us is missing or not usable: git, a repository, a folder."""


class NoDatabase(EnvironmentUnfit):
    """Nothing was recorded here yet: there is no database, or only the empty file of one that is just being made."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no database at {path}", hint="minipipe run PLAN makes one")
        self.path = path


class NewerDatabase(StoreError):
    """The database was written by a newer program."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema {found}; this program knows up to {known}",
            hint="upgrade minipipe, or go back to a backup in .minipipe/backups",
        )
        self.path = path
        self.found = found
        self.known = known


class MigrationFailed(StoreError):
    """A migration did not complete; the database is as it was before it."""

    def __init__(self, number: int, name: str, why: str, backup: str | None) -> None:
        hint = f"the database was saved first: {backup}" if backup else "nothing was changed"
        super().__init__(f"migration {number} ({name}) failed: {why}", hint=hint)
        self.number = number
        self.backup = backup


class StoreBusy(StoreError):
    """The database stayed locked longer than we wait."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(
            f"{path} stayed locked for {seconds:g} s",
            hint="another program holds it: close database browsers, then try again",
        )
        self.path = path


class StoreDamaged(StoreError):
    """The database cannot be read or written."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path}: {why}",
            hint="minipipe db check tells more; backups are in .minipipe/backups",
        )
        self.path = path
