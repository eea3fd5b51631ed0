"""The way of a patch from `validated` to `committed`: a handler for each state that something follows from by itself.

One patch at a time is between applied and committed. A handler answers whether the patch is in another state now.
"""

from collections.abc import Callable, Mapping

from engine.backends.contract import AttemptEnd, ProcessFacts, WorkOrder
from engine.executor.gatekeeper import Check, Setting, Subject, hook_gate, needed_gates
from engine.executor.open_patches import OpenPatches
from engine.executor.runbook import PAUSING
from engine.git.diffs import patch_identity
from engine.git.program import Git
from engine.patches.application import Candidate, NotApplicable, Signature, apply, strayed_paths
from engine.patches.description import Description, stable_id_of
from engine.patches.finding import rule_of
from engine.patches.judgement import Judgement, judge
from engine.patches.message import commit_message
from engine.patches.review_rules import ReviewPolicy, review_reason
from engine.plan.plan import Gate
from engine.states import GateState, PatchState, RunState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import PatchRecord

CONFLICTS_A_TASK = 1
"""How often a step is tried again from the new head because its change conflicts."""

_CONFLICT = "conflict in "


class Passage:
    """Carries the patches of one run; used by its pipeline."""

    def __init__(self, patches: OpenPatches, setting: Setting, signature: Signature) -> None:
        self._patches = patches
        self._book = patches.book
        self._journal = patches.journal
        self._setting = setting
        self._signature = signature
        self._check: Check | None = None
        self._stopping: list[Check] = []
        self._handlers: Mapping[str, Callable[[PatchRecord], bool]] = {
            PatchState.VALIDATED: self._queue,
            PatchState.QUEUED: self._apply,
            PatchState.APPLIED: self._verify,
            PatchState.VERIFIED: self._commit,
            PatchState.APPLY_FAILED: self._resolve_conflict,
            PatchState.DROPPED: self._give_up,
        }

    def carry_all(self) -> None:
        """Take every patch as far as it goes by itself."""
        for step_id in list(self._patches.current):
            while (patch := self._patches.current.get(step_id)) is not None:
                handler = self._handlers.get(patch.state)
                if handler is None or not handler(patch):
                    break

    # -- gates -----------------------------------------------------------------------------------------

    @property
    def checks(self) -> list[Check]:
        """Those that are wanted, and those that are being stopped."""
        return [*self._stopping, *([self._check] if self._check is not None else [])]

    def start_gates(self, room: int) -> list[WorkOrder]:
        if self._check is None:
            return []
        with self._journal.group():
            return self._check.start(room)

    @property
    def has_verdict(self) -> bool:
        return self._check is not None and self._check.is_over

    def settle_gate(self, end: AttemptEnd) -> None:
        for check in self.checks:
            if check.runs(end.attempt_id):
                check.settle(end)
        self._stopping = [check for check in self._stopping if check.is_working]

    def note_facts(self, gate_id: str, facts: ProcessFacts | None) -> None:
        for check in self.checks:
            if check.runs(gate_id):
                check.note_facts(gate_id, facts)

    def stop_gates_of(self, patch: PatchRecord) -> None:
        if self._check is None or self._check.subject.patch_id != patch.patch_id:
            return
        for gate_id in self._check.cancel():
            self._patches.owner.stop_gate(gate_id)
        self._stopping.append(self._check)
        self._check = None

    # -- validated -------------------------------------------------------------------------------------

    def _queue(self, patch: PatchRecord) -> bool:
        if self._patches.integration.is_shadow:
            self._try_in_shadow(patch)
            return False
        reason = None if patch.review_status == "approved" else self._review_reason(patch)
        with self._journal.group():
            if reason is None:
                # What follows is written down together with it: one wait for the disk instead of two.
                return self._apply(self._patches.move(patch, PatchState.QUEUED, trigger="validated"))
            self._patches.move(
                patch,
                PatchState.AWAITING_REVIEW,
                trigger="review_rules",
                reason=reason,
                manual_review_required=True,
                review_status="pending",
                review_reason=reason,
                stable_id=stable_id_of(self._patches.git, patch),
            )
            self._patches.owner.set_aside(patch.step_id)
            return False

    def _review_reason(self, patch: PatchRecord) -> str | None:
        step, settings = self._patches.step_of(patch), self._book.script.settings
        is_manual = self._book.script.plan.globals.manual_review_required
        policy = ReviewPolicy(
            review=step.review,
            is_manual=is_manual if step.manual_review_required is None else step.manual_review_required,
            mode=settings.mode,
            pilot_share=settings.pilot_share,
            has_pilot_tripped=settings.mode == "pilot" and self._has_failed_gate(),
            threshold=settings.review_score,
        )
        return review_reason(policy, score=patch.risk_score, reasons=patch.risk_reasons, patch_hash=patch.patch_hash)

    def _has_failed_gate(self) -> bool:
        """Whether a check of a change has failed in this run, in this process or an earlier one."""
        run_id = self._book.run.run_id
        failed = patch_queries.gates_of(self._journal.database, run_id=run_id, states=(GateState.FAILED,))
        return any(gate.purpose == "verify" for gate in failed)

    def _try_in_shadow(self, patch: PatchRecord) -> None:
        """What comes later sees the change; nothing else ever does."""
        result = self.trial(patch)
        if isinstance(result, NotApplicable) and result.conflicts:
            findings = [f"apply.conflict: {path} was changed otherwise before" for path in result.conflicts]
            self._patches.set_aside(patch, findings, Outcome.CONFLICT)
            return
        if isinstance(result, Candidate) and not self._patches.integration.advance(result.commit, {}):
            self._patches.set_aside(patch, [self._moved_by_others], Outcome.SUSPECT)
            return
        with self._journal.group():
            if isinstance(result, Candidate):
                self._patches.integration.note(result.commit)
            self._patches.complete(patch, {"shadow": True})

    # -- queued ----------------------------------------------------------------------------------------

    def trial(self, patch: PatchRecord) -> Candidate | NotApplicable:
        """The commit that a patch would be on the present head; nothing follows from it yet."""
        step, plan = self._patches.step_of(patch), self._book.script.plan
        names = {
            "plan": plan.name or plan.plan_id,
            "step": step.name or step.id,
            "step_id": step.id,
            "run_id": patch.run_id,
        }
        message = commit_message(self._book.script.settings.subject, names, patch, tool=step.tool or step.kind)
        return apply(self._patches.git, self._patches.integration.head, patch, message, self._signature)

    def _apply(self, patch: PatchRecord) -> bool:
        if self._is_held or self._patches.is_one_in_flight:
            return False
        result = self.trial(patch)
        if isinstance(result, NotApplicable):
            return self._not_applied(patch, result)
        if self.is_otherwise_there(patch, result):
            return False
        self._note_candidate(patch, result)
        return True

    @property
    def _is_held(self) -> bool:
        """Whether nothing new may begin: the run is being paused, or stands still."""
        return self._book.run.reason == PAUSING or self._book.run.state != RunState.RUNNING

    def _note_candidate(self, patch: PatchRecord, candidate: Candidate) -> None:
        with self._journal.group():
            patch = self._patches.move(
                patch,
                PatchState.APPLIED,
                trigger="apply",
                candidate_commit=candidate.commit,
                candidate_head=candidate.head,
            )
            if not self._gates_of(patch):
                self._patches.move(patch, PatchState.VERIFIED, trigger="no_gates")

    def _not_applied(self, patch: PatchRecord, result: NotApplicable) -> bool:
        with self._journal.group():
            if result.is_there_already:
                self._patches.move(patch, PatchState.DROPPED, trigger="apply", reason="already_there")
                self._patches.complete(patch, {"already_there": True})
                return False
            reason = _CONFLICT + ", ".join(result.conflicts[:20])
            self._patches.move(patch, PatchState.APPLY_FAILED, trigger="apply", reason=reason)
            return True

    def is_otherwise_there(self, patch: PatchRecord, candidate: Candidate) -> bool:
        """Whether a change is no longer what was judged and looked at, now that it lies on the present head.

        Merging can lead it elsewhere: it is judged again where it came to lie, and quarantined, or reviewed anew.
        """
        if candidate.moved is None:
            return False
        judgement = judge(self._patches.git, candidate.moved, self._patches.rules_for(patch))
        if findings := self._findings_there(patch, candidate.moved, judgement):
            self._patches.set_aside(patch, findings, Outcome.SCOPE_VIOLATION)
            return True
        is_approved = patch.review_status == "approved"
        is_riskier = judgement.risk_score >= self._book.script.settings.review_score > patch.risk_score
        if (is_approved and not is_same(self._patches.git, patch, candidate)) or (is_riskier and not is_approved):
            self._bring_up_to_date(patch, candidate, judgement)
            return True
        return False

    def _findings_there(self, patch: PatchRecord, moved: Description, judgement: Judgement) -> list[str]:
        files = patch_queries.files_of(self._journal.database, patch)
        known = frozenset(path for file in files for path in (file.path, file.old_path) if path)
        strayed = [f"merge.strayed: {path} was not in the patch" for path in strayed_paths(moved, known)]
        # Whoever released it has looked at what was found then, and at nothing else.
        accepted = {rule_of(finding) for finding in patch.findings} if patch.is_released else set[str]()
        return [*strayed, *(each for each in judgement.findings if rule_of(each) not in accepted)]

    def _bring_up_to_date(self, patch: PatchRecord, candidate: Candidate, judgement: Judgement) -> None:
        """It reads otherwise on the present head than where it was looked at: somebody must look again."""
        reason = "the head has moved, and the change reads otherwise there"
        with self._journal.group():
            if patch.state == PatchState.QUEUED:
                patch = self._patches.move(patch, PatchState.AWAITING_REVIEW, trigger="apply", reason=reason)
            patch = self._patches.intake.rebase(patch, candidate.head, candidate.commit, judgement, reason=reason)
            self._patches.put(patch)
            self._patches.keep_alive(patch)
            self._patches.owner.set_aside(patch.step_id)

    def _resolve_conflict(self, patch: PatchRecord) -> bool:
        """The step may make its change once more, from the new head; after that a person must look."""
        conflicts = sum(_is_conflict(each) for each in self._patches.of_task(patch))
        if patch.origin == "step" and conflicts <= CONFLICTS_A_TASK:
            with self._journal.group():
                self._patches.try_again(patch, Outcome.CONFLICT, patch.reason or "")
        else:
            self._patches.set_aside(patch, [f"apply.{patch.reason}"], Outcome.SUSPECT)
        return False

    # -- applied, verified, dropped ----------------------------------------------------------------------

    def _gates_of(self, patch: PatchRecord) -> list[Gate]:
        hooks = hook_gate(self._patches.git.git_folder) if self._book.script.settings.run_hooks else []
        return [*needed_gates(self._patches.step_of(patch).gates, self._book.script.plan.gates), *hooks]

    def _verify(self, patch: PatchRecord) -> bool:
        if self._check is None:
            self._check = self._begin_check(patch)
        if not self._check.is_over:
            return False
        failures, self._check = self._check.failures, None
        if failures:
            self._patches.set_aside(patch, [f"gate.{failure}" for failure in failures], Outcome.CHECK_FAILED)
            return False
        with self._journal.group():
            self._patches.move(patch, PatchState.VERIFIED, trigger="gates")
        return True

    def _begin_check(self, patch: PatchRecord) -> Check:
        assert patch.candidate_commit is not None
        self._patches.make_candidate_ref(patch)
        before = self._book.before(patch.step_id, itself=True)
        subject = Subject(patch.candidate_commit, patch.patch_id, patch.step_id, before=before)
        return Check(self._setting, subject, self._gates_of(patch))

    def _commit(self, patch: PatchRecord) -> bool:
        candidate, integration = patch.candidate_commit, self._patches.integration
        assert candidate is not None
        has_moved = integration.advance(candidate, self._patches.refs_at_commit(patch))
        if has_moved:
            self._patches.note_refs_at_commit(patch)
        elif not integration.is_at(candidate):
            self._patches.set_aside(patch, [self._moved_by_others], Outcome.SUSPECT)
            return False
        with self._journal.group():
            committed = self._journal.move(patch, PatchState.COMMITTED, trigger="commit", committed_commit=candidate)
            integration.note(candidate)
            self._patches.complete(committed, {"patch_id": patch.patch_id, "commit": candidate})
        self._patches.let_go_of_candidate(patch)
        return False

    @property
    def _moved_by_others(self) -> str:
        return f"ref.moved: {self._patches.integration.ref} was moved by somebody else"

    def _give_up(self, patch: PatchRecord) -> bool:
        with self._journal.group():
            self._patches.fail(patch, Outcome.REJECTED)
        return False


def is_same(git: Git, patch: PatchRecord, candidate: Candidate) -> bool:
    """Whether a change reads the same on the head as it read when it was looked at."""
    return candidate.moved is None or patch_identity(git, candidate.moved.text) == stable_id_of(git, patch)


def _is_conflict(patch: PatchRecord) -> bool:
    return patch.state in (PatchState.APPLY_FAILED, PatchState.SUPERSEDED) and (patch.reason or "").startswith(
        _CONFLICT
    )
