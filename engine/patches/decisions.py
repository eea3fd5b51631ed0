"""What people decide about patches, written down: approve, reject, send back, quarantine, release, drop.

Only whoever holds the run's lock calls `decide`: its owner when a command arrives, or `ledger.py` where nobody owns the
run. What follows for tasks and branches is the pipeline's, later. Illegal decisions raise; nothing is half written.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from engine.errors import ActionRefused, InvalidTransition, NotFound
from engine.ids import new_id
from engine.states import PatchLedgerStateMachine, PatchState, RunStateMachine
from engine.store import patch_queries, queries
from engine.store.journal import Journal
from engine.store.records import PatchRecord, ReviewRecord

Kind = Literal["approve", "reject", "request_changes", "withdraw", "mark", "quarantine", "release", "drop"]

VERB = "patch"
"""The verb of the command by which another process asks the run's owner for a decision."""

NO_EXCEPTION = ("path.", "lost.")
"""Findings that nobody can set aside: git does not check such files out, or has nothing to check out."""

_STATUS = {"approve": "approved", "reject": "rejected", "request_changes": "changes_requested"}


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided about one patch, as it was when they looked."""

    kind: Kind
    patch_id: str
    operator: str | None = None
    comment: str | None = None
    commit: str | None = None
    """The commit that was looked at; if the patch is another one by now, the decision does not count."""
    files: tuple[str, ...] = ()
    hunks: tuple[int, ...] = ()
    edited_commit: str | None = None
    """The change as they edited it: a commit on the patch's own base."""
    sends_back: bool = False

    def as_arguments(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> "Decision":
        known = {name: value for name, value in arguments.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "files": tuple(known.get("files", ())), "hunks": tuple(known.get("hunks", ()))})


def check_decision(patch: PatchRecord, decision: Decision) -> None:
    """Raise if the decision cannot be made about the patch as it stands."""
    to_state = _LEADS_TO[decision.kind]
    if decision.kind in _STATUS or decision.kind == "withdraw":
        if patch.state != PatchState.AWAITING_REVIEW:
            allowed = PatchLedgerStateMachine.allowed(patch.state)
            raise InvalidTransition("patch", patch.patch_id, patch.state, to_state, allowed)
    else:
        PatchLedgerStateMachine.validate_transition(patch.state, to_state, entity_id=patch.patch_id)
    if (decision.kind == "request_changes" or decision.sends_back) and patch.origin in ("import", "rollback"):
        raise ActionRefused(decision.kind, patch.patch_id, "no step made it, so none can try again")
    if decision.commit is not None and decision.commit != patch.commit_id:
        why = f"it is {patch.commit_id[:12]} now, not {decision.commit[:12]}"
        raise ActionRefused(decision.kind, patch.patch_id, why, hint=f"minipipe review show {patch.patch_id}")
    if decision.kind == "release":
        _check_release(patch)


_LEADS_TO: Mapping[str, str] = {
    "approve": PatchState.QUEUED,
    "reject": PatchState.DROPPED,
    "request_changes": PatchState.SUPERSEDED,
    "withdraw": PatchState.QUEUED,
    "mark": PatchState.AWAITING_REVIEW,
    "quarantine": PatchState.QUARANTINED,
    "release": PatchState.VALIDATED,
    "drop": PatchState.DROPPED,
}


def _check_release(patch: PatchRecord) -> None:
    hard = [finding for finding in patch.findings if finding.startswith(NO_EXCEPTION)]
    if hard:
        raise ActionRefused("release", patch.patch_id, f"no exception is made for this: {hard[0]}")


def decide(journal: Journal, decision: Decision) -> PatchRecord:
    """Write a decision down; answer the patch as it is then."""
    patch = patch_queries.find_patch(journal.database, decision.patch_id)
    if patch is None:
        raise NotFound("patch", decision.patch_id, hint="minipipe patch list lists them")
    check_decision(patch, decision)
    _check_database(journal, patch, decision)
    with journal.group():
        return _WRITERS[decision.kind](journal, patch, decision)


def _check_database(journal: Journal, patch: PatchRecord, decision: Decision) -> None:
    """Raise if somebody has decided already, or if there is nobody left who could act on a decision."""
    hint = f"minipipe review undo {patch.patch_id}"
    if decision.kind in _STATUS and (open_reviews := _undecided(journal, patch)):
        who = open_reviews[-1].reviewer or "somebody"
        raise ActionRefused(decision.kind, patch.patch_id, f"{who} has decided already", hint=hint)
    if decision.kind == "withdraw" and not _undecided(journal, patch):
        raise ActionRefused("withdraw", patch.patch_id, "nothing was decided that could be taken back")
    run = queries.find_run(journal.database, patch.run_id)
    if run is not None and RunStateMachine.is_terminal(run.state) and decision.kind != "drop":
        hint = f"minipipe patch release {patch.patch_id} makes a run of it" if decision.kind == "release" else ""
        raise ActionRefused(decision.kind, patch.patch_id, "its run has ended", hint=hint)


def _undecided(journal: Journal, patch: PatchRecord) -> list[ReviewRecord]:
    """Decisions that nobody has acted on yet."""
    found = patch_queries.undecided_reviews(journal.database, patch.run_id)
    return [review for review in found if review.patch_id == patch.patch_id]


def _review(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    journal.add(
        ReviewRecord(
            review_id=new_id("review"),
            patch_id=patch.patch_id,
            run_id=patch.run_id,
            commit_id=decision.commit or patch.commit_id,
            decision=decision.kind,
            created_at=journal.now(),
            reviewer=decision.operator,
            comment=decision.comment,
            files=decision.files,
            hunks=decision.hunks,
            edited_commit=decision.edited_commit,
            sends_back=decision.sends_back,
        )
    )
    status = _STATUS[decision.kind]
    journal.note(
        f"review_{status}", patch, operator=decision.operator, reason=decision.comment, metadata=_part(decision)
    )
    return journal.amend(
        patch,
        review_status=status,
        reviewed_by=decision.operator,
        reviewed_at=journal.now(),
        review_comment=decision.comment,
    )


def _part(decision: Decision) -> dict[str, Any]:
    part = {"files": list(decision.files), "hunks": list(decision.hunks), "edited": decision.edited_commit is not None}
    return {name: value for name, value in part.items() if value}


def _withdraw(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    """Take back what was decided and not acted on yet."""
    for review in _undecided(journal, patch):
        journal.amend(review, acted_at=journal.now(), outcome="withdrawn")
    return journal.amend(patch, review_status="pending", reviewed_by=None, reviewed_at=None, review_comment=None)


def _mark(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    return journal.move(
        patch,
        PatchState.AWAITING_REVIEW,
        trigger="mark",
        operator=decision.operator,
        manual_review_required=True,
        review_status="pending",
        reviewer=decision.operator,
        review_reason=decision.comment,
    )


def _quarantine(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    why = decision.comment or "set aside by hand"
    return journal.move(
        patch,
        PatchState.QUARANTINED,
        trigger="quarantine",
        operator=decision.operator,
        reason=why,
        findings=(*patch.findings, f"by hand: {why}"),
    )


def _release(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    journal.note("patch_released", patch, operator=decision.operator, reason=decision.comment)
    return journal.move(
        patch,
        PatchState.VALIDATED,
        trigger="release",
        operator=decision.operator,
        reason=decision.comment,
        is_released=True,
        review_status="approved",
        reviewed_by=decision.operator,
        reviewed_at=journal.now(),
        review_comment=decision.comment,
    )


def _drop(journal: Journal, patch: PatchRecord, decision: Decision) -> PatchRecord:
    return journal.move(
        patch, PatchState.DROPPED, trigger="drop", operator=decision.operator, reason=decision.comment or "dropped"
    )


_WRITERS: Mapping[str, Callable[[Journal, PatchRecord, Decision], PatchRecord]] = {
    "approve": _review,
    "reject": _review,
    "request_changes": _review,
    "withdraw": _withdraw,
    "mark": _mark,
    "quarantine": _quarantine,
    "release": _release,
    "drop": _drop,
}
