"""The patches of a run that something still follows from: one a task, as the journal last confirmed it.

What the parts of the pipeline have in common: moving a patch, keeping its commit alive, setting it aside, and telling
the owner what becomes of its task.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.executor.integration import Integration
from engine.executor.runbook import Runbook
from engine.git.refs import candidate_ref, delete_ref, patch_ref, put_ref
from engine.patches.intake import Intake, Origin, quarantine
from engine.patches.judgement import Rules
from engine.plan.plan import Step
from engine.states import PatchState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import PatchRecord

BEFORE_APPLIED = (PatchState.VALIDATED, PatchState.AWAITING_REVIEW, PatchState.QUEUED, PatchState.APPLY_FAILED)
IN_FLIGHT = (PatchState.APPLIED, PatchState.VERIFIED)
_EARLIER = (PatchState.QUARANTINED, PatchState.APPLY_FAILED, PatchState.AWAITING_REVIEW)


class Owner(Protocol):
    """Who drives the tasks: told what becomes of those whose patches are here."""

    def complete(self, step_id: str, metadata: Mapping[str, Any]) -> None:
        """What the task has changed is committed."""

    def fail_or_retry(self, step_id: str, outcome: Outcome, message: str) -> bool:
        """The change cannot be taken. False where the task has to wait for a person."""

    def fail(self, step_id: str, reason: str, message: str) -> None:
        """The change is not wanted."""

    def try_again(self, step_id: str, outcome: Outcome, message: str) -> None:
        """The step is to make its change anew, at once and uncharged."""

    def set_aside(self, step_id: str) -> None:
        """The task waits for a person: others may have its place."""

    def stop_gate(self, gate_id: str) -> None:
        """A gate that runs is not wanted any more."""


class OpenPatches:
    """By step; read and changed by the parts of the pipeline."""

    def __init__(
        self,
        owner: Owner,
        book: Runbook,
        intake: Intake,
        integration: Integration,
        rules: Callable[[Step], Rules],
    ) -> None:
        self.owner = owner
        self.book = book
        self.journal = book.journal
        self.intake = intake
        self.integration = integration
        self.git = integration.git
        self.current: dict[str, PatchRecord] = {}
        """By step; changed through `put` and `take_out` alone."""
        self._flying: set[str] = set()
        self._rules = rules
        self._without_ref: list[PatchRecord] = []
        self._with_candidate_ref: set[str] = set()

    def step_of(self, patch: PatchRecord) -> Step:
        return self.book.script.steps[patch.step_id]

    def rules_for(self, patch: PatchRecord) -> Rules:
        return self._rules(self.step_of(patch))

    def all_of_run(self, *states: str) -> list[PatchRecord]:
        """As they stood before the transaction that is being made."""
        return patch_queries.patches_of(self.journal.database, self.book.run.run_id, states=states)

    def of_task(self, patch: PatchRecord) -> list[PatchRecord]:
        """All patches of the same task, oldest first, as they stood before the transaction that is being made."""
        return patch_queries.patches_of_task(self.journal.database, patch.task_id)

    def put(self, patch: PatchRecord) -> PatchRecord:
        """This is what a patch is now."""
        self.current[patch.step_id] = patch
        (self._flying.add if patch.state in IN_FLIGHT else self._flying.discard)(patch.step_id)
        return patch

    def take_out(self, step_id: str) -> PatchRecord | None:
        """Nothing follows from the patch of a step any more."""
        self._flying.discard(step_id)
        return self.current.pop(step_id, None)

    @property
    def is_one_in_flight(self) -> bool:
        """Whether a patch is between applied and committed."""
        return bool(self._flying)

    def move(self, patch: PatchRecord, state: PatchState, *, trigger: str, **details: Any) -> PatchRecord:
        return self.put(self.journal.move(patch, state, trigger=trigger, **details))

    # -- refs ------------------------------------------------------------------------------------------

    def keep_alive(self, patch: PatchRecord) -> None:
        """See to it that the commit of a patch gets a ref, once the patch is on record."""
        self._without_ref.append(patch)

    @property
    def wants_refs(self) -> bool:
        """Whether there are patches whose commits no ref keeps alive yet."""
        return bool(self._without_ref)

    def make_refs(self) -> None:
        while self._without_ref:
            patch = self._without_ref[0]
            put_ref(self.git, patch_ref(patch.patch_id), patch.commit_id)
            self._without_ref.pop(0)

    def make_candidate_ref(self, patch: PatchRecord) -> None:
        if patch.candidate_commit is not None:
            put_ref(self.git, candidate_ref(patch.patch_id), patch.candidate_commit, self._missing_ref(patch))
            self._note_ref(patch)
            self._with_candidate_ref.add(patch.patch_id)

    def refs_at_commit(self, patch: PatchRecord) -> dict[str, str | None]:
        """What becomes of a patch's own refs in the instant of its commit: its commit has one, its candidate none."""
        refs = self._missing_ref(patch)
        if patch.patch_id in self._with_candidate_ref:
            refs[candidate_ref(patch.patch_id)] = None
        return refs

    def note_refs_at_commit(self, patch: PatchRecord) -> None:
        """That has happened."""
        self._note_ref(patch)
        self._with_candidate_ref.discard(patch.patch_id)

    def _missing_ref(self, patch: PatchRecord) -> dict[str, str | None]:
        is_missing = any(other.patch_id == patch.patch_id for other in self._without_ref)
        return {patch_ref(patch.patch_id): patch.commit_id} if is_missing else {}

    def _note_ref(self, patch: PatchRecord) -> None:
        self._without_ref = [other for other in self._without_ref if other.patch_id != patch.patch_id]

    def let_go_of_candidate(self, patch: PatchRecord) -> None:
        if patch.candidate_commit is not None and patch.patch_id in self._with_candidate_ref:
            delete_ref(self.git, candidate_ref(patch.patch_id), patch.candidate_commit)
            self._with_candidate_ref.discard(patch.patch_id)

    # -- new patches -------------------------------------------------------------------------------------

    def admit(self, origin: Origin, base: str, commit: str) -> PatchRecord:
        """A row for what a step has changed, judged by the step's rules."""
        return self.intake.admit(origin, base, commit, self._rules(self.book.script.steps[origin.step_id]))

    # -- what becomes of patches and their tasks ---------------------------------------------------------

    def take_up(self, patch: PatchRecord) -> None:
        """A new patch, which its task now waits for; the earlier ones of the task are superseded."""
        for earlier in self.of_task(patch):
            is_older = earlier.patch_id < patch.patch_id and earlier.patch_id != patch.parent_patch_id
            if is_older and earlier.state in _EARLIER:
                self.journal.move(
                    earlier,
                    PatchState.SUPERSEDED,
                    trigger="attempt",
                    reason=earlier.reason,
                    superseded_by=patch.patch_id,
                )
        self.put(patch)
        self.keep_alive(patch)
        if patch.state == PatchState.QUARANTINED:
            self.after_quarantine(patch, Outcome.SCOPE_VIOLATION)

    def set_aside(self, patch: PatchRecord, findings: list[str], outcome: Outcome) -> None:
        """A patch cannot be trusted: it is quarantined, with its reasons."""
        with self.journal.group():
            patch = self.put(quarantine(self.journal, patch, findings, trigger=str(outcome)))
            self.after_quarantine(patch, outcome)
        self.let_go_of_candidate(patch)

    def after_quarantine(self, patch: PatchRecord, outcome: Outcome) -> None:
        """The task is tried again, fails, or waits for a person."""
        if self.owner.fail_or_retry(patch.step_id, outcome, patch.reason or ""):
            self.take_out(patch.step_id)
        else:
            self.owner.set_aside(patch.step_id)

    def complete(self, patch: PatchRecord, metadata: Mapping[str, Any]) -> None:
        """The task is done, unless a part of its change was sent back."""
        self.take_out(patch.step_id)
        if any(was_sent_back(other) for other in self.of_task(patch)):
            self.try_again(patch, Outcome.CHANGES_REQUESTED, "a part of the change was sent back")
        else:
            self.owner.complete(patch.step_id, metadata)

    def try_again(self, patch: PatchRecord, outcome: Outcome, message: str) -> None:
        self.take_out(patch.step_id)
        self.owner.try_again(patch.step_id, outcome, message)

    def fail(self, patch: PatchRecord, outcome: Outcome) -> None:
        """The change is not wanted, and so the task has failed."""
        self.take_out(patch.step_id)
        self.owner.fail(patch.step_id, str(outcome), patch.review_comment or patch.reason or "")


def was_sent_back(patch: PatchRecord) -> bool:
    """Whether a patch waits for another one that will supersede it: its task is tried again."""
    return patch.state == PatchState.AWAITING_REVIEW and patch.review_status == "changes_requested"
