"""What follows from reviews: approved patches go on, wholly or in part, others end or go back to their steps.

A decision counts for the very commit that it was made about; for any other it is void, and the patch waits on.
"""

from collections.abc import Callable, Mapping

from engine.errors import MinipipeError
from engine.executor.open_patches import OpenPatches
from engine.executor.passage import Passage
from engine.git.refs import delete_ref, edit_ref
from engine.patches.application import Candidate
from engine.patches.intake import Origin
from engine.patches.selection import select
from engine.states import PatchState, RunState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import PatchRecord, ReviewRecord


class ReviewDesk:
    """Acts on the decisions about one run's patches; used by its pipeline."""

    def __init__(self, patches: OpenPatches, passage: Passage) -> None:
        self._patches = patches
        self._passage = passage
        self._journal = patches.journal
        self._acts: Mapping[str, Callable[[PatchRecord, ReviewRecord], None]] = {
            "approve": self._approve,
            "reject": self._reject,
            "request_changes": self._request_changes,
        }

    def act(self) -> None:
        """Act on every decision that is new."""
        database, run_id = self._journal.database, self._patches.book.run.run_id
        for review in patch_queries.undecided_reviews(database, run_id):
            patch = patch_queries.find_patch(database, review.patch_id)
            if patch is None:
                continue
            if why := self._why_void(patch, review):
                self._void(patch, review, why)
            else:
                self._go_on()
                self._acts[review.decision](patch, review)
            if review.edited_commit is not None:
                # Not before the patch that it became is kept alive by a ref of its own.
                self._patches.make_refs()
                delete_ref(self._patches.git, edit_ref(patch.patch_id), review.edited_commit)

    def _why_void(self, patch: PatchRecord, review: ReviewRecord) -> str:
        if patch.state != PatchState.AWAITING_REVIEW or patch.step_id not in self._patches.current:
            return f"it is {patch.state}"
        return "" if review.commit_id == patch.commit_id else "the patch has changed since"

    def _void(self, patch: PatchRecord, review: ReviewRecord, why: str) -> None:
        with self._journal.group():
            self._acted(review, f"void: {why}")
            self._journal.note("review_void", patch, operator=review.reviewer, reason=why)
            if patch.state == PatchState.AWAITING_REVIEW and patch.review_status != "pending":
                amended = self._journal.amend(patch, review_status="pending", reviewed_by=None, reviewed_at=None)
                self._patches.put(amended)

    def _go_on(self) -> None:
        """A decision is what a run that is paused for review has waited for."""
        book = self._patches.book
        if book.run.state == RunState.PAUSED and book.run.pause_reason == "review":
            book.move_run(RunState.RUNNING, trigger="review", pause_reason=None)

    def _acted(self, review: ReviewRecord, outcome: str) -> None:
        self._journal.amend(review, acted_at=self._journal.now(), outcome=outcome)

    def _approve(self, patch: PatchRecord, review: ReviewRecord) -> None:
        if review.files or review.hunks or review.edited_commit:
            self._approve_part(patch, review)
            return
        trial = self._passage.trial(patch)
        with self._journal.group():
            if isinstance(trial, Candidate) and self._passage.is_otherwise_there(patch, trial):
                self._acted(review, "void: it reads otherwise on the new head")
                self._journal.note("review_void", patch, operator=review.reviewer, reason="the head has moved")
                return
            self._acted(review, "approved")
            self._patches.move(patch, PatchState.QUEUED, trigger="review", operator=review.reviewer)

    def _approve_part(self, patch: PatchRecord, review: ReviewRecord) -> None:
        """The chosen or edited change goes on under the same decision; the rest is dropped, or sent back."""
        try:
            selection = select(self._patches.git, patch, review)
        except MinipipeError as error:
            self._void(patch, review, error.message)
            return
        intake, rules = self._patches.intake, self._patches.rules_for(patch)
        kind = "edit" if review.edited_commit else "part"
        origin = Origin(patch.run_id, patch.task_id, patch.step_id, kind, patch.attempt_id, patch.patch_id)
        with self._journal.group():
            self._acted(review, "approved in part")
            if review.sends_back and selection.rest is not None:
                # First, so that the part that goes on is the newest patch of its task.
                self._send_back(intake.admit(origin, patch.base_commit, selection.rest, rules), review)
            part = intake.admit(origin, patch.base_commit, selection.chosen, rules, approved=patch)
            self._patches.move(
                patch, PatchState.SUPERSEDED, trigger="review", operator=review.reviewer, superseded_by=part.patch_id
            )
            self._patches.take_up(part)

    def _send_back(self, rest: PatchRecord, review: ReviewRecord) -> None:
        self._patches.keep_alive(rest)
        if rest.state == PatchState.VALIDATED:
            self._journal.move(
                rest,
                PatchState.AWAITING_REVIEW,
                trigger="review",
                review_status="changes_requested",
                reviewed_by=review.reviewer,
                reviewed_at=review.created_at,
                review_comment=review.comment,
            )

    def _reject(self, patch: PatchRecord, review: ReviewRecord) -> None:
        with self._journal.group():
            self._acted(review, "rejected")
            self._patches.move(patch, PatchState.DROPPED, trigger="review", operator=review.reviewer, reason="rejected")

    def _request_changes(self, patch: PatchRecord, review: ReviewRecord) -> None:
        with self._journal.group():
            self._acted(review, "sent back")
            self._patches.try_again(patch, Outcome.CHANGES_REQUESTED, review.comment or "")
