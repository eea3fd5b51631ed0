"""Rows as immutable values: what the engine holds in memory and hands to the journal to change.

A record is read, never edited: the journal answers every change with the record that is now true. The fields
are the columns of the table, in its order; JSON columns are held as Python values.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.states import AttemptState, GateState, PatchState, RunState, TaskState, WorkstreamState

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
    base_commit: str | None = None
    """Where its integration branch began; None where its steps are not isolated."""
    head_commit: str | None = None
    """Where its integration branch is, as far as the ledger says: the ref may be one commit ahead after a kill."""
    diff_stats: Mapping[str, int] | None = None
    promotion: Mapping[str, Any] | None = None

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


class PatchRecord(NamedTuple):
    """A row of the ledger."""

    patch_id: str
    run_id: str
    task_id: str
    step_id: str
    attempt_id: str | None
    origin: str
    """`step`, `import`, `part` or `edit` of a parent, or `rollback` of one."""
    parent_patch_id: str | None
    created_at: str
    state: str = PatchState.CREATED
    version: int = 1
    reason: str | None = None
    base_commit: str = ""
    commit_id: str = ""
    """What a reviewer sees: the change, on its base. An approval counts for this very commit."""
    patch_hash: str = ""
    stable_id: str = ""
    diff_path: str | None = None
    diff_stats: Mapping[str, int] = NOTHING
    risk_score: int = 0
    risk_reasons: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    """Why it is, or was, not to be trusted."""
    is_released: bool = False
    superseded_by: str | None = None
    candidate_commit: str | None = None
    """What it becomes if its gates pass: one commit on top of `candidate_head`."""
    candidate_head: str | None = None
    committed_commit: str | None = None
    manual_review_required: bool = False
    review_status: str = "not_required"
    """`not_required`, `pending`, `approved`, `rejected` or `changes_requested`."""
    reviewer: str | None = None
    reviewed_by: str | None = None
    reviewed_at: str | None = None
    review_comment: str | None = None
    review_reason: str | None = None

    @property
    def entity(self) -> str:
        return "patch"

    @property
    def id(self) -> str:
        return self.patch_id


class PatchFileRecord(NamedTuple):
    """One file of a patch; paths as people see them."""

    patch_id: str
    commit_id: str
    position: int
    path: str
    old_path: str | None
    status: str
    old_mode: str
    new_mode: str
    lines_added: int
    lines_deleted: int
    is_binary: bool


class ReviewRecord(NamedTuple):
    """A decision: `approve`, `reject` or `request_changes`; not acted on while `acted_at` is None."""

    review_id: str
    patch_id: str
    run_id: str
    commit_id: str
    decision: str
    created_at: str
    reviewer: str | None = None
    comment: str | None = None
    files: tuple[str, ...] = ()
    hunks: tuple[int, ...] = ()
    edited_commit: str | None = None
    """What the reviewer made of the change, as it was when they decided."""
    sends_back: bool = False
    version: int = 1
    acted_at: str | None = None
    outcome: str | None = None

    @property
    def entity(self) -> str:
        return "review"

    @property
    def id(self) -> str:
        return self.review_id


class CommentRecord(NamedTuple):
    """What somebody said about a patch, or about one line of it."""

    comment_id: str
    patch_id: str
    run_id: str
    commit_id: str
    created_at: str
    author: str | None
    path: str | None
    line: int | None
    side: str
    """`new` or `old`: which of the two files the line is one of."""
    text: str


class GateRecord(NamedTuple):
    gate_id: str
    run_id: str
    patch_id: str | None
    step_id: str | None
    name: str
    type: str
    purpose: str
    """`verify`, `promotion` or `rollback`."""
    commit_id: str
    log_path: str
    created_at: str
    state: str = GateState.PENDING
    version: int = 1
    reason: str | None = None
    exit_code: int | None = None
    message: str | None = None
    duration_seconds: float | None = None
    started_at: str | None = None
    ended_at: str | None = None
    pid: int | None = None
    process_started: int | None = None
    boot_id: str | None = None

    @property
    def entity(self) -> str:
        return "gate"

    @property
    def id(self) -> str:
        return self.gate_id


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


Record = RunRecord | TaskRecord | AttemptRecord | WorkstreamRecord | PatchRecord | GateRecord | ReviewRecord
"""What changes under its version."""

PlainRecord = CommandRecord | PatchFileRecord | CommentRecord
"""What is written once."""
