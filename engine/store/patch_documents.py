"""Patches as JSON documents: the shape that `patch`, `review` and `show` print, and that others rely on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.states import PatchState
from engine.states.actions import available_actions
from engine.store import patch_queries
from engine.store.patch_queries import AboutPatch
from engine.store.records import CommentRecord, GateRecord, PatchFileRecord, PatchRecord, ReviewRecord

if TYPE_CHECKING:
    from engine.store.database import Database


def patch_document(database: "Database", patch: PatchRecord) -> dict[str, Any]:
    """Everything on record about one patch, but for its text."""
    return patch_documents(database, [patch])[0]


def patch_documents(database: "Database", patches: Sequence[PatchRecord]) -> list[dict[str, Any]]:
    """The same of many patches, with as many questions to the store as of one."""
    about = patch_queries.about_patches(database, patches)
    return [_document(patch, about[patch.patch_id]) for patch in patches]


def _document(patch: PatchRecord, about: AboutPatch) -> dict[str, Any]:
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
        "files": [_file(record) for record in about.files],
        "review": _review(patch, about.comments),
        "quarantine_reason": quarantine_reason(patch),
        "findings": list(patch.findings),
        "gates": [gate_document(gate) for gate in about.gates],
        "available_actions": list(_actions(patch, about.reviews)),
    }


def patch_actions(database: "Database", patch: PatchRecord) -> tuple[str, ...]:
    """What can be done with a patch now."""
    is_waiting = patch.state == PatchState.AWAITING_REVIEW
    return _actions(patch, patch_queries.reviews_of(database, patch.patch_id) if is_waiting else ())


def _actions(patch: PatchRecord, reviews: Iterable[ReviewRecord]) -> tuple[str, ...]:
    is_waiting = patch.state == PatchState.AWAITING_REVIEW
    is_decided = is_waiting and any(review.acted_at is None for review in reviews)
    return available_actions("patch", patch.state, is_decided=is_decided)


def patch_list_document(
    database: "Database", patches: Sequence[PatchRecord], cursor: str | None = None
) -> dict[str, Any]:
    return {"patches": patch_documents(database, patches), "next": cursor}


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
