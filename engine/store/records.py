"""Rows as immutable values: what the engine holds in memory and hands to the journal to change.

A record is read, never edited: the journal answers every change with the record that is now true. The fields
are the columns of the table, in its order; JSON columns are held as Python values.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.states import AttemptState, RunState, TaskState, WorkstreamState

NOTHING: Mapping[str, Any] = MappingProxyType({})


class RunRecord(NamedTuple):
    run_id: str
    project_id: str | None
    plan_id: str
    plan_name: str
    plan_path: str | None
    plan_text: str
    plan_digest: str
    workspace: str
    variables: Mapping[str, Any]
    settings: Mapping[str, Any]
    orchestration_mode: str
    mode: str
    target: str | None
    priority: int
    retry_of: str | None
    created_at: str
    state: str = RunState.PENDING
    version: int = 1
    reason: str | None = None
    pause_reason: str | None = None
    owner_pid: int | None = None
    owner_host: str | None = None
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def entity(self) -> str:
        return "run"

    @property
    def id(self) -> str:
        return self.run_id


class TaskRecord(NamedTuple):
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
    outputs: Mapping[str, str] = NOTHING

    @property
    def entity(self) -> str:
        return "task"

    @property
    def id(self) -> str:
        return self.task_id


class AttemptRecord(NamedTuple):
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
    def entity(self) -> str:
        return "attempt"

    @property
    def id(self) -> str:
        return self.attempt_id


class WorkstreamRecord(NamedTuple):
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
    def entity(self) -> str:
        return "workstream"

    @property
    def id(self) -> str:
        return self.workstream_id


class CommandRecord(NamedTuple):
    """What somebody asked of a run: a decision that its owner acts on."""

    command_id: str
    run_id: str
    verb: str
    created_at: str
    arguments: Mapping[str, Any] = NOTHING
    operator: str | None = None
    state: str = "pending"
    acted_at: str | None = None
    message: str | None = None
    seq: int = 0


Record = RunRecord | TaskRecord | AttemptRecord | WorkstreamRecord
