"""What the scheduler is told and what it answers: plain records, shared with the loop that drives it."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Literal

from engine.plan.plan import OrchestrationMode, RunIf


@dataclass(frozen=True, slots=True)
class Node:
    """One task, as far as its order matters."""

    id: str
    depends_on: tuple[str, ...] = ()
    run_if: RunIf = "success"
    is_finally: bool = False
    critical: bool = True
    priority: int = 0
    locks: tuple[str, ...] = ()
    cpu: float = 0.0
    memory_mb: int = 0
    workstream: str | None = None
    expected_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use at one time. Infinite cpu or memory means that nobody counts it."""

    slots: int = 4
    mode: OrchestrationMode = "parallel"
    cpu: float = inf
    memory_mb: float = inf
    fail_fast: bool = False


class Result(StrEnum):
    """How a node ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"
    """Not needed: its condition said no, or an earlier run did it. A success for its dependents."""
    UNREACHABLE = "unreachable"
    """Never ran because something that it needs failed."""


IS_SUCCESS = frozenset({Result.SUCCEEDED, Result.SKIPPED})


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from something that ended."""

    ready: tuple[str, ...] = ()
    """May start from now on."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Id and reason of those that will never run; they have ended already."""
    abort: tuple[str, ...] = ()
    """Running or delayed, and no longer wanted: to be stopped by the caller, then `finish`ed."""
    canceled: tuple[str, ...] = ()
    """Ended by `cancel` before they could start."""


NOTHING = Consequences()

WaitKind = Literal[
    "dependencies",
    "finally",
    "held",
    "workstream",
    "lock",
    "cpu",
    "memory",
    "slots",
    "turn",
    "delay",
    "running",
    "ended",
]


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a node is not running: a word for programs, a text for people, and the ids or names it waits on."""

    kind: WaitKind
    text: str
    on: tuple[str, ...] = ()
