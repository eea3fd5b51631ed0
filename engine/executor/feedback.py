"""What a step is told when it is tried again: why its last change was not taken, in words for a person or an agent.

It stands in the file that `$MINIPIPE_FEEDBACK` names, and belongs into the prompt of a tool that has one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.store import patch_queries
from engine.store.database import Database
from engine.store.records import CommentRecord, GateRecord, PatchRecord

TAIL_BYTES = 8_000
"""How much of a failed gate's log is told."""


def feedback(database: Database, patch: PatchRecord, *, is_put_back: bool = False) -> str:
    """Why a patch was not taken; `is_put_back` says that the attempt begins with it."""
    return "\n".join(
        [
            *_review(patch, patch_queries.comments_of(database, patch.patch_id), is_put_back=is_put_back),
            *_conflict(patch),
            *(line for gate in _failed(database, patch) for line in _gate(gate)),
        ]
    )


def _review(patch: PatchRecord, comments: Iterable[CommentRecord], *, is_put_back: bool) -> Iterator[str]:
    if patch.review_status != "changes_requested":
        return
    yield f"A reviewer{_by(patch.reviewed_by)} wants this change otherwise."
    if is_put_back:
        yield "It is in the working tree, uncommitted."
    else:
        yield f"It does not fit what was committed meanwhile, so it must be made anew; it was commit {patch.commit_id}."
    if patch.review_comment:
        yield f"\n{patch.review_comment}"
    for comment in comments:
        where = f"{comment.path}:{comment.line}: " if comment.line else f"{comment.path}: " if comment.path else ""
        yield f"- {where}{comment.text}"


def _by(name: str | None) -> str:
    return f" ({name})" if name else ""


def _conflict(patch: PatchRecord) -> Iterator[str]:
    if patch.state == "apply_failed":
        yield f"The change could not be merged with what was committed meanwhile: {patch.reason}."
        yield "This attempt starts from the new state; make the change again there."


def _failed(database: Database, patch: PatchRecord) -> list[GateRecord]:
    return patch_queries.gates_of(database, patch_id=patch.patch_id, states=("failed",))


def _gate(gate: GateRecord) -> Iterator[str]:
    yield f"The check {gate.name!r} failed: {gate.message or gate.reason or f'exit code {gate.exit_code}'}. It printed:"
    yield _tail(Path(gate.log_path))


def _tail(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return "(nothing)"
    return content[-TAIL_BYTES:].decode(errors="replace")
