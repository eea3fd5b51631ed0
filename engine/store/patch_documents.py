"""Patches as JSON documents: the shape that `patch`, `review` and `show` print, and that others rely on."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.states import PatchState
from engine.states.actions import available_actions
from engine.store import patch_queries
from engine.store.records import CommentRecord, GateRecord, PatchFileRecord, PatchRecord

if TYPE_CHECKING:
    from engine.store.database import Database


def patch_document(database: "Database", patch: PatchRecord) -> dict[str, Any]:
    """Everything on record about one patch, but for its text."""
    gates = patch_queries.gates_of(database, patch_id=patch.patch_id)
    comments = patch_queries.comments_of(database, patch.patch_id)
    return {
        "patch_id": patch.patch_id,
        "ledger_id": patch.patch_id,
        "run_id": patch.run_id,
        "task_id": patch.task_id,
        "step_id": patch.step_id,
        "attempt_id": patch.attempt_id,
        "origin": patch.origin,
        "state": patch.state,
        "reason": patch.reason,
        "base_commit": patch.base_commit,
        "commit": patch.commit_id,
        "committed_commit": patch.committed_commit,
        "parent_patch_id": patch.parent_patch_id,
        "superseded_by": patch.superseded_by,
        "created_at": patch.created_at,
        "patch_hash": patch.patch_hash,
        "diff_path": patch.diff_path,
        "diff_stats": dict(patch.diff_stats),
        "risk": {"score": patch.risk_score, "reasons": list(patch.risk_reasons)},
        "files": [_file(record) for record in patch_queries.files_of(database, patch)],
        "review": _review(patch, comments),
        "quarantine_reason": quarantine_reason(patch),
        "findings": list(patch.findings),
        "gates": [gate_document(gate) for gate in gates],
        "available_actions": list(patch_actions(database, patch)),
    }


def patch_actions(database: "Database", patch: PatchRecord) -> tuple[str, ...]:
    """What can be done with a patch now."""
    is_decided = patch.state == PatchState.AWAITING_REVIEW and any(
        review.acted_at is None for review in patch_queries.reviews_of(database, patch.patch_id)
    )
    return available_actions("patch", patch.state, is_decided=is_decided)


def patch_list_document(
    database: "Database", patches: Iterable[PatchRecord], cursor: str | None = None
) -> dict[str, Any]:
    return {"patches": [patch_document(database, patch) for patch in patches], "next": cursor}


def quarantine_reason(patch: PatchRecord) -> str | None:
    """Why it is, or was, set aside, in one line."""
    if patch.state != "quarantined" and not patch.findings:
        return None
    return "; ".join(patch.findings) or patch.reason


def gate_document(gate: GateRecord) -> dict[str, Any]:
    return {
        "gate_id": gate.gate_id,
        "name": gate.name,
        "type": gate.type,
        "purpose": gate.purpose,
        "state": gate.state,
        "reason": gate.reason,
        "exit_code": gate.exit_code,
        "message": gate.message,
        "duration_seconds": gate.duration_seconds,
        "commit": gate.commit_id,
        "log_path": gate.log_path,
    }


def _file(record: PatchFileRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        "old_path": record.old_path,
        "status": record.status,
        "old_mode": record.old_mode,
        "new_mode": record.new_mode,
        "lines_added": record.lines_added,
        "lines_deleted": record.lines_deleted,
        "is_binary": record.is_binary,
    }


def _review(patch: PatchRecord, comments: Iterable[CommentRecord]) -> Mapping[str, Any]:
    return {
        "manual_review_required": patch.manual_review_required,
        "review_status": patch.review_status,
        "reviewer": patch.reviewer,
        "reviewed_by": patch.reviewed_by,
        "reviewed_at": patch.reviewed_at,
        "review_comment": patch.review_comment,
        "review_reason": patch.review_reason,
        "comments": [
            {
                "comment_id": comment.comment_id,
                "author": comment.author,
                "path": comment.path,
                "line": comment.line,
                "side": comment.side,
                "text": comment.text,
                "commit": comment.commit_id,
                "created_at": comment.created_at,
            }
            for comment in comments
        ],
    }
