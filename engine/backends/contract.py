"""The four verbs of execution: may I start more, start, wait, abort.

The loop that uses a backend knows nothing else about it, so a dry run, a scripted run in a test and a real
one take the same path. A backend decides nothing about retries, order or state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from engine.process.facts import ProcessFacts as ProcessFacts


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One attempt, complete: everything a backend needs to start it."""

    attempt_id: str
    run_id: str
    step_id: str
    number: int
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    """The whole environment of the process, the attempt's marker included."""
    log_path: Path
    log_cap_bytes: int = 16 * 1024 * 1024
    timeout_seconds: float | None = None
    grace_seconds: float = 3.0
    secrets: tuple[str, ...] = ()
    output_path: Path | None = None
    """Where the step may leave `key=value` lines (`$MINIPIPE_OUTPUT`)."""


class EndedBy(StrEnum):
    """Why an attempt is over."""

    EXIT = "exit"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SPAWN = "spawn"


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended. `exit_code` is negative for the signal that killed it, None if there is none."""

    attempt_id: str
    ended_by: EndedBy
    exit_code: int | None
    duration_seconds: float
    message: str = ""


class Backend(Protocol):
    """Something that executes work orders."""

    def free_slots(self) -> int:
        """How many more attempts may be started now."""

    def start(self, order: WorkOrder) -> None:
        """Begin an attempt. Never raises for the step's own fault: a failed start ends at the next wait."""

    def wait(self, timeout: float | None) -> list[AttemptEnd]:
        """Block until an attempt ended, a watched descriptor is readable or time is over; all ends so far."""

    def abort(self, attempt_id: str, *, now: bool = False) -> None:
        """Ask an attempt to stop (`now`: kill it); its end comes from a later wait. Ignores unknown ids."""

    def watch(self, descriptor: int) -> None:
        """Let `wait` return early when this descriptor becomes readable; reading it is the caller's."""

    def process_facts(self, attempt_id: str) -> ProcessFacts | None:
        """Which process executes an attempt, where there is one of ours."""

    def close(self) -> None:
        """Kill whatever is left and let go of every resource."""


@dataclass(frozen=True, slots=True)
class ScriptedEnd:
    """How one attempt ends under a script: see `scripted.py`."""

    exit_code: int = 0
    seconds: float = 0.0
    output: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
