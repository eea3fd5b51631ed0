"""The states of every entity and the moves between them, as data.

Pure: a table says what may happen, and nothing here makes it happen. Only the journal moves anything.
"""

from engine.states.machine import StateMachine
from engine.states.tables import (
    MACHINES,
    AttemptState,
    CircuitBreakerStateMachine,
    GapStateMachine,
    GateState,
    GateStateMachine,
    PatchLedgerStateMachine,
    PatchState,
    RunState,
    RunStateMachine,
    SessionStateMachine,
    StepStateMachine,
    TaskState,
    TaskStateMachine,
    WorkerStateMachine,
    WorkstreamState,
    WorkstreamStateMachine,
)

__all__ = [
    "MACHINES",
    "AttemptState",
    "CircuitBreakerStateMachine",
    "GapStateMachine",
    "GateState",
    "GateStateMachine",
    "PatchLedgerStateMachine",
    "PatchState",
    "RunState",
    "RunStateMachine",
    "SessionStateMachine",
    "StateMachine",
    "StepStateMachine",
    "TaskState",
    "TaskStateMachine",
    "WorkerStateMachine",
    "WorkstreamState",
    "WorkstreamStateMachine",
]
