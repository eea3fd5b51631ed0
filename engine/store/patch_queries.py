"""The read side of the ledger: patches, their files, reviews, comments and gates."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import NotFound
from engine.states import PatchState
from engine.store.queries import begins
from engine.store.records import CommentRecord, GateRecord, PatchFileRecord, PatchRecord, ReviewRecord
from engine.store.tables import Gate, Patch, PatchFile, Review, ReviewComment

if TYPE_CHECKING:
    from engine.store.database import Database

_AT_ONCE = 500
"""How many patches one question names: SQLite takes no more than a thousand values, where it is old."""


def find_patch(database: "Database", patch_id: str) -> PatchRecord | None:
    rows = database.dicts(Patch.select().where(Patch.patch_id == patch_id))
    return _patch(rows[0]) if rows else None


def resolve_patch_id(database: "Database", given: str) -> str:
    """The one patch that an id, or the beginning of one, names; `last` is the newest."""
    if given == "last":
        rows = database.dicts(Patch.select(Patch.patch_id).order_by(Patch.patch_id.desc()).limit(1))
    else:
        rows = database.dicts(Patch.select(Patch.patch_id).where(begins(Patch.patch_id, given, "pat_")).limit(6))
    if len(rows) != 1:
        candidates = [row["patch_id"] for row in rows]
        raise NotFound("patch", given, candidates=candidates, hint="minipipe patch list lists them")
    found: str = rows[0]["patch_id"]
    return found


def patches_of(database: "Database", run_id: str, *, states: Collection[str] = ()) -> list[PatchRecord]:
    """Oldest first."""
    query = Patch.select().where(Patch.run_id == run_id).order_by(Patch.patch_id)
    if states:
        query = query.where(Patch.state.in_(list(states)))
    return [_patch(row) for row in database.dicts(query)]


def patches_of_task(database: "Database", task_id: str) -> list[PatchRecord]:
    """Oldest first."""
    query = Patch.select().where(Patch.task_id == task_id).order_by(Patch.patch_id)
    return [_patch(row) for row in database.dicts(query)]


def list_patches(
    database: "Database",
    *,
    run_id: str | None = None,
    step_id: str | None = None,
    states: Sequence[str] = (),
    limit: int = 50,
    after: str | None = None,
) -> tuple[list[PatchRecord], str | None]:
    """Patches, newest first, and the cursor that continues the list (None at its end)."""
    query = Patch.select().order_by(Patch.patch_id.desc()).limit(limit + 1)
    if run_id is not None:
        query = query.where(Patch.run_id == run_id)
    if step_id is not None:
        query = query.where(Patch.step_id == step_id)
    if states:
        query = query.where(Patch.state.in_(list(states)))
    if after is not None:
        query = query.where(Patch.patch_id < after)
    rows = [_patch(row) for row in database.dicts(query)]
    return rows[:limit], rows[limit - 1].patch_id if len(rows) > limit else None


def waiting_for_review(
    database: "Database",
    *,
    run_id: str | None = None,
    workstream_id: str | None = None,
    decided_too: bool = False,
) -> list[PatchRecord]:
    """Patches about which nobody has decided yet, oldest first; of one workstream (its id or name) if one is given.

    `decided_too` adds those whose run has not gone on since somebody decided.
    """
    sql = "SELECT p.patch_id FROM patches p"
    where = ["p.state = 'awaiting_review'", *([] if decided_too else ["p.review_status = 'pending'"])]
    values: list[str] = []
    if workstream_id is not None:
        sql += (
            " JOIN tasks t ON t.task_id = p.task_id JOIN workstreams w ON w.run_id = t.run_id AND w.name = t.workstream"
        )
        where.append("? IN (w.workstream_id, w.name)")
        values.append(workstream_id)
    if run_id is not None:
        where.append("p.run_id = ?")
        values.append(run_id)
    rows = database.rows(f"{sql} WHERE {' AND '.join(where)} ORDER BY p.patch_id", tuple(values))
    found = _by_patch(database, Patch, Patch.patch_id, [patch_id for (patch_id,) in rows])
    return [_patch(row) for (row,) in found.values()]


def last_refused_patch(database: "Database", task_id: str) -> PatchRecord | None:
    """The newest change of a task that was not taken, and that its next attempt is to know of."""
    query = Patch.select().where(Patch.task_id == task_id).order_by(Patch.patch_id.desc())
    for row in database.dicts(query):
        patch = _patch(row)
        is_sent_back = patch.state == PatchState.AWAITING_REVIEW and patch.review_status == "changes_requested"
        if is_sent_back or patch.state in (PatchState.QUARANTINED, PatchState.APPLY_FAILED):
            return patch
    return None


def files_of(database: "Database", patch: PatchRecord) -> list[PatchFileRecord]:
    """The files of a patch as it is now, in git's order."""
    query = (
        PatchFile.select()
        .where((PatchFile.patch_id == patch.patch_id) & (PatchFile.commit_id == patch.commit_id))
        .order_by(PatchFile.position)
    )
    return [_file(row) for row in database.dicts(query)]


class AboutPatch(NamedTuple):
    """What other tables hold about one patch as it is now, each oldest first."""

    files: Sequence[PatchFileRecord] = ()
    gates: Sequence[GateRecord] = ()
    comments: Sequence[CommentRecord] = ()
    reviews: Sequence[ReviewRecord] = ()


def about_patches(database: "Database", patches: Sequence[PatchRecord]) -> dict[str, AboutPatch]:
    """That of many patches, with as many questions as of one."""
    ids = [patch.patch_id for patch in patches]
    files = _by_patch(database, PatchFile, PatchFile.position, ids)
    gates = _by_patch(database, Gate, Gate.gate_id, ids)
    comments = _by_patch(database, ReviewComment, ReviewComment.comment_id, ids)
    reviews = _by_patch(database, Review, Review.review_id, ids)
    return {
        patch.patch_id: AboutPatch(
            [_file(row) for row in files.get(patch.patch_id, ()) if row["commit_id"] == patch.commit_id],
            [GateRecord(**row) for row in gates.get(patch.patch_id, ())],
            [CommentRecord(**row) for row in comments.get(patch.patch_id, ())],
            [_review(row) for row in reviews.get(patch.patch_id, ())],
        )
        for patch in patches
    }


def _by_patch(database: "Database", table: Any, order: Any, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a table that are about some patches."""
    found: dict[str, list[dict[str, Any]]] = {}
    for place in range(0, len(ids), _AT_ONCE):
        query = table.select().where(table.patch_id.in_(ids[place : place + _AT_ONCE])).order_by(order)
        for row in database.dicts(query):
            found.setdefault(row["patch_id"], []).append(row)
    return found


def undecided_reviews(database: "Database", run_id: str) -> list[ReviewRecord]:
    """Decisions that nobody has acted on yet, oldest first."""
    query = Review.select().where((Review.run_id == run_id) & Review.acted_at.is_null()).order_by(Review.review_id)
    return [_review(row) for row in database.dicts(query)]


def reviews_of(database: "Database", patch_id: str) -> list[ReviewRecord]:
    query = Review.select().where(Review.patch_id == patch_id).order_by(Review.review_id)
    return [_review(row) for row in database.dicts(query)]


def comments_of(database: "Database", patch_id: str) -> list[CommentRecord]:
    query = ReviewComment.select().where(ReviewComment.patch_id == patch_id).order_by(ReviewComment.comment_id)
    return [CommentRecord(**row) for row in database.dicts(query)]


def runs_with_open_gates(database: "Database") -> list[str]:
    """The runs of which a check is recorded as waiting or running."""
    rows = database.rows("SELECT DISTINCT run_id FROM gates WHERE state IN ('pending', 'running') ORDER BY run_id", ())
    return [run_id for (run_id,) in rows]


def gates_of(
    database: "Database", *, run_id: str | None = None, patch_id: str | None = None, states: Collection[str] = ()
) -> list[GateRecord]:
    """Executions of checks, oldest first."""
    query = Gate.select().order_by(Gate.gate_id)
    if run_id is not None:
        query = query.where(Gate.run_id == run_id)
    if patch_id is not None:
        query = query.where(Gate.patch_id == patch_id)
    if states:
        query = query.where(Gate.state.in_(list(states)))
    return [GateRecord(**row) for row in database.dicts(query)]


def worker_name(database: "Database", run_id: str, worker_id: str) -> str | None:
    """What works under the id of an attempt or a gate: `step S` or `gate G`; None if it is not on record."""
    sql = (
        "SELECT 'step ' || step_id FROM step_attempts WHERE run_id = ? AND attempt_id = ? "
        "UNION ALL SELECT 'gate ' || name FROM gates WHERE run_id = ? AND gate_id = ?"
    )
    rows = database.rows(sql, (run_id, worker_id, run_id, worker_id))
    return rows[0][0] if rows else None


def _patch(row: Mapping[str, Any]) -> PatchRecord:
    return PatchRecord(
        **{
            **row,
            "diff_stats": json.loads(row["diff_stats"]),
            "risk_reasons": tuple(json.loads(row["risk_reasons"])),
            "findings": tuple(json.loads(row["findings"])),
            "is_released": bool(row["is_released"]),
            "manual_review_required": bool(row["manual_review_required"]),
        }
    )


def _file(row: Mapping[str, Any]) -> PatchFileRecord:
    return PatchFileRecord(**{**row, "is_binary": bool(row["is_binary"])})


def _review(row: Mapping[str, Any]) -> ReviewRecord:
    return ReviewRecord(
        **{
            **row,
            "files": tuple(json.loads(row["files"])),
            "hunks": tuple(json.loads(row["hunks"])),
            "sends_back": bool(row["sends_back"]),
        }
    )
