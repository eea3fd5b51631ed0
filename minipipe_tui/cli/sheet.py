"""What is on record about one patch, as lines for people: who made it, why it waits, whether it still applies.

Everything in it that came from a step, a tool or a reviewer is made inert.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minipipe_tui.cli.inert import inert, inert_line
from minipipe_tui.cli.output import duration
from minipipe_tui.cli.style import paint
from minipipe_tui.cli.theme import Theme
from minipipe_tui.cli.wording import in_words, review_in_words, stats_text

if TYPE_CHECKING:
    from engine.patches.foresight import Foresight

Document = Mapping[str, Any]

_LABEL_WIDTH = 10
_SHORT = 12
_MANY_FILES = 40
_OF_THE_LEDGER = ("quarantine", "release", "drop", "rollback")
"""The actions that stand under `minipipe patch`; the others stand under `minipipe review`."""


def command_of(action: str, patch_id: str) -> str:
    """The command line for one of the actions that are offered for a patch."""
    needs = {"reject": " --reason …", "request-changes": " --comment …", "quarantine": " --reason …"}
    group = "patch" if action in _OF_THE_LEDGER else "review"
    return f"minipipe {group} {action} {patch_id}{needs.get(action, '')}"


def sheet(document: Document, foresight: "Foresight | None" = None, theme: Theme | None = None) -> Iterator[str]:
    """All lines but the diff; in the colours of a theme, if there is one."""
    state = document["state"]
    shown_state = paint(state, theme.mark(state).style) if theme else state
    yield f"{inert_line(document['patch_id'])}  {shown_state}  {stats_text(document['diff_stats'])}"
    yield ""
    for label, text in (*_facts(document), *_outlook(foresight)):
        padded = f"{label:<{_LABEL_WIDTH}}"
        yield (paint(padded, theme.style("hint")) if theme else padded) + inert_line(text)
    yield from _comments(document["review"])


def _facts(document: Document) -> Iterator[tuple[str, str]]:
    yield "step", _origin(document)
    yield "run", document["run_id"]
    yield from _why(document)
    yield "base", document["base_commit"][:_SHORT]
    yield "commit", document["commit"][:_SHORT]
    if document["committed_commit"]:
        yield "as", f"{document['committed_commit'][:_SHORT]} on the run's branch"
    if document["parent_patch_id"]:
        yield "made from", document["parent_patch_id"]
    if document["superseded_by"]:
        yield "replaced", f"by {document['superseded_by']}"
    for gate in document["gates"]:
        yield "gate", _gate(gate)


def _origin(document: Document) -> str:
    words = {"part": ", a part that a reviewer chose", "edit": ", edited by a reviewer", "import": ", imported"}
    words["rollback"] = ", takes back another"
    return f"{document['step_id']}{words.get(document['origin'], '')}"


def _why(document: Document) -> Iterator[tuple[str, str]]:
    review, risk = document["review"], document["risk"]
    if document["state"] == "awaiting_review" and review["review_reason"]:
        yield "waits", review["review_reason"]
    elif document["reason"] and not document["findings"]:
        yield "why", in_words(document["reason"])
    for finding in document["findings"]:
        yield "found", finding
    if any(reason not in (review["review_reason"] or "") for reason in risk["reasons"]):
        yield "risk", f"{risk['score']}: {'; '.join(risk['reasons'])}"
    if review["review_status"] not in ("not_required", "pending"):
        said = f": {review['review_comment']}" if review["review_comment"] else ""
        yield "review", f"{review_in_words(review['review_status'])} by {review['reviewed_by'] or 'somebody'}{said}"


def _gate(gate: Document) -> str:
    took = f" after {duration(gate['duration_seconds'])}" if gate["duration_seconds"] is not None else ""
    why = gate["message"] if gate["state"] == "failed" else None
    return f"{gate['name']} {gate['state']}{took}{f': {why}' if why else ''}"


def _outlook(foresight: "Foresight | None") -> Iterator[tuple[str, str]]:
    if foresight is None:
        return
    if foresight.is_there_already:
        yield "applies", "there is nothing left to do: the run's head holds this change"
    elif foresight.applies == "conflicts":
        yield "applies", f"not: it conflicts with the run's head in {', '.join(foresight.conflicts)}"
    elif foresight.applies == "three-way":
        yield "applies", "it merges with the run's head, but reads otherwise there: it will be shown again"
    else:
        yield "applies", "cleanly on the run's head"
    for patch_id, paths in foresight.overlaps.items():
        yield "overlaps", f"{patch_id} in {', '.join(paths)}"


def _comments(review: Document) -> Iterator[str]:
    if review["comments"]:
        yield ""
    for comment in review["comments"]:
        side = " (old)" if comment["side"] == "old" else ""
        where = f" on {comment['path']}:{comment['line']}{side}" if comment["path"] else ""
        yield inert_line(f"{comment['author'] or 'somebody'}{where}:")
        for line in inert(comment["text"]).split("\n"):
            yield f"  {line}"


def file_lines(document: Document, *, limit: int | None = _MANY_FILES) -> Iterator[str]:
    """A line for each file: what became of it, and how many lines."""
    files = document["files"]
    for file in files[:limit]:
        moved = f"{file['old_path']} -> " if file["old_path"] else ""
        size = "binary" if file["is_binary"] else f"+{file['lines_added']} -{file['lines_deleted']}"
        mode = _mode_change(file)
        yield inert_line(f"  {file['status']}  {moved}{file['path']}  {size}{mode}")
    if limit is not None and len(files) > limit:
        yield f"  and {len(files) - limit} more files"


def _mode_change(file: Document) -> str:
    old, new = file["old_mode"], file["new_mode"]
    if file["status"] == "A":
        return {"100755": "  executable", "120000": "  symbolic link", "160000": "  submodule"}.get(new, "")
    return f"  mode {old} -> {new}" if old != new and file["status"] != "D" else ""
