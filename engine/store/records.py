"""Rows as immutable values: what the engine holds in memory and hands to the journal to change.

A record is read, never edited: the journal answers every change with the record that is now true. The fields
are the columns of the table, in its order; JSON columns are held as Python values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine.states import AttemptState, RunState, TaskState, WorkstreamState


@dataclass(frozen=True, slots=True)
class RunRecord:
    ENTITY: ClassVar[str] = "run"

    run_id: str
    plan_id: str
    plan_name: str
    plan_text: str
    plan_digest: str
    workspace: str
    created_at: str
    project_id: str | None = None
    plan_path: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    orchestration_mode: str = "parallel"
    mode: str = "production"
    target: str | None = None
    priority: int = 0
    retry_of: str | None = None
    state: str = RunState.PENDING
    version: int = 1
    reason: str | None = None
    pause_reason: str | None = None
    owner_pid: int | None = None
    owner_host: str | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def id(self) -> str:
        return self.run_id


@dataclass(frozen=True, slots=True)
class TaskRecord:
    ENTITY: ClassVar[str] = "task"

    task_id: str
    run_id: str
    step_id: str
    position: int
    kind: str = "command"
    depends_on: tuple[str, ...] = ()
    workstream: str | None = None
    role: str | None = None
    critical: bool = True
    is_finally: bool = False
    state: str = TaskState.PENDING
    version: int = 1
    reason: str | None = None
    attempt_count: int = 0
    charged_count: int = 0
    orphaned_count: int = 0
    retry_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.task_id


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    ENTITY: ClassVar[str] = "attempt"

    attempt_id: str
    run_id: str
    task_id: str
    step_id: str
    number: int
    tool_id: str
    log_path: str
    started_at: str
    state: str = AttemptState.RUNNING
    version: int = 1
    reason: str | None = None
    outcome: str | None = None
    exit_code: int | None = None
    message: str | None = None
    duration_seconds: float | None = None
    ended_at: str | None = None
    pid: int | None = None
    process_started: int | None = None
    boot_id: str | None = None
    diff_stats: Mapping[str, int] | None = None
    output_patch_id: str | None = None
    session_id: str | None = None

    @property
    def id(self) -> str:
        return self.attempt_id


@dataclass(frozen=True, slots=True)
class WorkstreamRecord:
    ENTITY: ClassVar[str] = "workstream"

    workstream_id: str
    run_id: str
    name: str
    position: int
    state: str = WorkstreamState.PLANNED
    version: int = 1
    reason: str | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def id(self) -> str:
        return self.workstream_id


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """What somebody asked of a run: a decision that its owner acts on."""

    command_id: str
    run_id: str
    verb: str
    created_at: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    operator: str | None = None
    state: str = "pending"
    acted_at: str | None = None
    message: str | None = None
    seq: int = 0


Record = RunRecord | TaskRecord | AttemptRecord | WorkstreamRecord
