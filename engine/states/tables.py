"""The ten tables. Each row says where an entity may go from a state; what is not listed is refused.

State text is the same here, in the database, in the audit trail and on the screen.
"""

from collections.abc import Mapping
from enum import StrEnum

from engine.states.machine import StateMachine


def _table(states: type[StrEnum], rows: Mapping[str, str]) -> dict[StrEnum, frozenset[StrEnum]]:
    """Read rows such as `{"pending": "running failed"}` into the mapping that a machine uses."""
    return {state: frozenset(states(to) for to in rows.get(state.value, "").split()) for state in states}


class RunState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    QUARANTINED = "quarantined"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RunStateMachine(StateMachine):
    """One execution of a plan."""

    entity = "run"
    initial = RunState.PENDING
    transitions = _table(
        RunState,
        {
            "pending": "running canceled failed",
            "running": "paused quarantined succeeded failed canceled",
            "paused": "running failed canceled",
            "quarantined": "running failed canceled",
        },
    )


class TaskState(StrEnum):
    PENDING = "pending"
    BLOCKED = "blocked"
    QUEUED = "queued"
    RUNNING = "running"
    VALIDATING = "validating"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class TaskStateMachine(StateMachine):
    """A step inside one run."""

    entity = "task"
    initial = TaskState.PENDING
    transitions = _table(
        TaskState,
        {
            "pending": "queued blocked skipped canceled",
            "blocked": "pending skipped canceled",
            "queued": "running pending canceled skipped",
            "running": "validating retrying failed canceled",
            "validating": "completed retrying failed canceled",
            "retrying": "queued failed canceled",
        },
    )


class AttemptState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class StepStateMachine(StateMachine):
    """One attempt at a step."""

    entity = "attempt"
    initial = AttemptState.RUNNING
    transitions = _table(AttemptState, {"running": "succeeded failed canceled"})


class WorkstreamState(StrEnum):
    PLANNED = "planned"
    READY = "ready"
    BLOCKED = "blocked"
    EXECUTING = "executing"
    VALIDATING = "validating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class WorkstreamStateMachine(StateMachine):
    """Tasks that belong together."""

    entity = "workstream"
    initial = WorkstreamState.PLANNED
    transitions = _table(
        WorkstreamState,
        {
            "planned": "ready blocked skipped canceled",
            "blocked": "ready skipped canceled",
            "ready": "executing skipped canceled",
            "executing": "validating failed canceled",
            "validating": "completed failed canceled",
        },
    )


class WorkerState(StrEnum):
    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"
    FAILED = "failed"
    SHUTDOWN = "shutdown"


class WorkerStateMachine(StateMachine):
    """What executes attempts."""

    entity = "worker"
    initial = WorkerState.IDLE
    transitions = _table(
        WorkerState,
        {
            "idle": "busy paused failed shutdown",
            "busy": "idle failed shutdown",
            "paused": "idle shutdown",
            "failed": "idle shutdown",
        },
    )


class PatchState(StrEnum):
    CREATED = "created"
    VALIDATED = "validated"
    AWAITING_REVIEW = "awaiting_review"
    QUEUED = "queued"
    APPLIED = "applied"
    APPLY_FAILED = "apply_failed"
    VERIFIED = "verified"
    COMMITTED = "committed"
    QUARANTINED = "quarantined"
    ROLLED_BACK = "rolled_back"
    DROPPED = "dropped"
    SUPERSEDED = "superseded"


class PatchLedgerStateMachine(StateMachine):
    """A change that an attempt made."""

    entity = "patch"
    initial = PatchState.CREATED
    transitions = _table(
        PatchState,
        {
            "created": "validated quarantined dropped",
            "validated": "queued awaiting_review quarantined dropped",
            "awaiting_review": "queued dropped superseded quarantined",
            "queued": "applied apply_failed awaiting_review quarantined dropped",
            "apply_failed": "queued superseded quarantined dropped",
            "applied": "verified rolled_back quarantined",
            "verified": "committed rolled_back quarantined",
            "committed": "rolled_back",
            "quarantined": "validated superseded dropped",
        },
    )


class GateState(StrEnum):
    PENDING = "pending"
    BLOCKED = "blocked"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    CANCELED = "canceled"


class GateStateMachine(StateMachine):
    """One execution of a check on a patch."""

    entity = "gate"
    initial = GateState.PENDING
    transitions = _table(
        GateState,
        {
            "pending": "running blocked canceled",
            "blocked": "pending canceled",
            "running": "passed failed canceled",
        },
    )


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreakerStateMachine(StateMachine):
    """Whether a tool may be used."""

    entity = "breaker"
    initial = BreakerState.CLOSED
    transitions = _table(BreakerState, {"closed": "open", "open": "half_open closed", "half_open": "closed open"})


class SessionState(StrEnum):
    CREATED = "created"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"


class SessionStateMachine(StateMachine):
    """A long-lived conversation with an agent."""

    entity = "session"
    initial = SessionState.CREATED
    transitions = _table(
        SessionState,
        {
            "created": "active failed",
            "active": "paused completed failed",
            "paused": "active completed failed",
        },
    )


class GapState(StrEnum):
    DISCOVERED = "discovered"
    CLUSTERED = "clustered"
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    DEFERRED = "deferred"


class GapStateMachine(StateMachine):
    """Something missing or wrong in the code base."""

    entity = "gap"
    initial = GapState.DISCOVERED
    transitions = _table(
        GapState,
        {
            "discovered": "clustered deferred",
            "clustered": "planned deferred discovered",
            "planned": "in_progress deferred",
            "in_progress": "resolved planned deferred",
            "deferred": "discovered",
        },
    )


MACHINES: dict[str, type[StateMachine]] = {
    machine.entity: machine
    for machine in (
        RunStateMachine,
        TaskStateMachine,
        StepStateMachine,
        WorkstreamStateMachine,
        WorkerStateMachine,
        PatchLedgerStateMachine,
        GateStateMachine,
        CircuitBreakerStateMachine,
        SessionStateMachine,
        GapStateMachine,
    )
}
