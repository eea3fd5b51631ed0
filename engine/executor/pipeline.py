"""The patches of a run under way: from captured to committed, or set aside.

`advance` takes every patch as far as it goes by itself; one at a time is between applied and committed. Each move is on
record, durably, before a ref follows it, so a kill at any point leaves something that `open` can tell from the refs.
A task is its patch's as long as it is `validating`; what becomes of it is told to the loop (`Owner`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.backends.contract import AttemptEnd, ProcessFacts, WorkOrder
from engine.errors import MinipipeError
from engine.executor.gatekeeper import Check, Setting, Subject, needed_gates
from engine.executor.integration import Integration
from engine.executor.runbook import PAUSING, Runbook
from engine.git.refs import candidate_ref, create_ref, delete_ref, move_ref, patch_ref
from engine.patches.application import Candidate, NotApplicable, Signature, apply, strayed_paths
from engine.patches.decisions import Decision, decide
from engine.patches.intake import Intake, Origin, quarantine
from engine.patches.judgement import Rules, judge
from engine.patches.message import commit_message
from engine.patches.review_rules import ReviewPolicy, review_reason
from engine.patches.selection import select
from engine.plan.plan import Gate, Step
from engine.states import PatchState, RunState, TaskState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import AttemptRecord, PatchRecord, ReviewRecord

_BEFORE_APPLIED = (PatchState.VALIDATED, PatchState.AWAITING_REVIEW, PatchState.QUEUED, PatchState.APPLY_FAILED)
_EARLIER = (PatchState.QUARANTINED, PatchState.APPLY_FAILED, PatchState.AWAITING_REVIEW)
CONFLICTS_A_TASK = 1
"""How often a step is tried again from the new head because its change conflicts."""


class Owner(Protocol):
    """Who drives the tasks: told what becomes of those whose patches are here."""

    def complete(self, step_id: str, metadata: Mapping[str, Any]) -> None: ...

    def fail_or_retry(self, step_id: str, outcome: Outcome, message: str) -> bool:
        """Whether it is over with the task: False if nothing is left to try and it is critical."""

    def fail(self, step_id: str, reason: str, message: str) -> None: ...

    def try_again(self, step_id: str, outcome: Outcome, message: str) -> None: ...

    def set_aside(self, step_id: str) -> None:
        """The task waits for a person: others may have its place."""

    def stop_gate(self, gate_id: str) -> None: ...


class Pipeline:
    """Drives the patches of one run; used by its loop alone."""

    def __init__(
        self,
        owner: Owner,
        book: Runbook,
        intake: Intake,
        integration: Integration,
        setting: Setting,
        signature: Signature,
        rules: Callable[[Step], Rules],
    ) -> None:
        self._owner = owner
        self._book = book
        self._journal = book.journal
        self._intake = intake
        self._integration = integration
        self._git = integration.git
        self._setting = setting
        self._signature = signature
        self._rules = rules
        self._current: dict[str, PatchRecord] = {}
        self._without_ref: list[PatchRecord] = []
        self._check: Check | None = None
        self._stopping: list[Check] = []
        self._has_decisions = True
        self._has_tripped = False
        self._handlers: Mapping[str, Callable[[PatchRecord], bool]] = {
            PatchState.VALIDATED: self._queue,
            PatchState.QUEUED: self._apply,
            PatchState.APPLIED: self._verify,
            PatchState.VERIFIED: self._commit,
            PatchState.APPLY_FAILED: self._resolve_conflict,
            PatchState.DROPPED: self._give_up,
        }

    # -- beginning and end -----------------------------------------------------------------------------

    def open(self) -> None:
        """Bring ledger and refs to agreement after whatever happened to the owner before."""
        for gate in patch_queries.gates_of(
            self._journal.database, run_id=self._book.run.run_id, states=("running", "pending")
        ):
            if gate.purpose == "verify":
                self._journal.move(
                    gate, "canceled", trigger="recovery", reason="orphaned", ended_at=self._journal.now()
                )
        patches = patch_queries.patches_of(self._journal.database, self._book.run.run_id)
        for patch in patches:
            if self._book.tasks[patch.step_id].state == TaskState.VALIDATING and patch.state not in _SETTLED:
                if not _waits_for_another(patch):
                    self._current[patch.step_id] = patch
                self._without_ref.append(patch)
                if patch.candidate_commit and patch.state in (PatchState.APPLIED, PatchState.VERIFIED):
                    create_ref(self._git, candidate_ref(patch.patch_id), patch.candidate_commit)
        if not self._finish_interrupted_commit():
            self._integration.open()

    def _finish_interrupted_commit(self) -> bool:
        """Whether a kill came between moving the ref and writing that down."""
        verified = [patch for patch in self._current.values() if patch.state == PatchState.VERIFIED]
        return any(patch.candidate_commit and self._integration.is_at(patch.candidate_commit) for patch in verified)

    def close(self) -> None:
        """The run has ended: nothing of it stays open."""
        reason = "shadow" if self._integration.is_shadow else "run_ended"
        open_states = [*_BEFORE_APPLIED, PatchState.CREATED]
        for patch in patch_queries.patches_of(self._journal.database, self._book.run.run_id, states=open_states):
            self._journal.move(patch, PatchState.DROPPED, trigger="end", reason=reason)
        self._integration.sum_up()

    def sum_up(self) -> None:
        """Write down what the run has changed so far."""
        self._integration.sum_up()

    def promotion_after(self, state: str) -> Mapping[str, Any]:
        """What is to become of the target branch, now that the run ends like this."""
        run = self._book.run
        has_changes = self._integration.head != run.base_commit
        is_wanted = state == RunState.SUCCEEDED and has_changes and not self._integration.is_shadow
        return {**(run.promotion or {}), "state": "pending" if is_wanted else "none", "target": run.target}

    def close_refs(self) -> None:
        self._integration.close()

    # -- asked -----------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether there is no patch to look after."""
        return not (self._current or self._has_decisions or self._stopping)

    @property
    def is_working(self) -> bool:
        """Whether gates run."""
        return any(check.is_working for check in self._checks())

    @property
    def waits_for(self) -> str | None:
        """What only a person can decide: `review` before `quarantine`."""
        states = {patch.state for patch in self._current.values()}
        if PatchState.AWAITING_REVIEW in states:
            return "review"
        return "quarantine" if PatchState.QUARANTINED in states else None

    @property
    def head(self) -> str:
        return self._integration.head

    def runs_gate(self, gate_id: str) -> bool:
        return any(check.runs(gate_id) for check in self._checks())

    def gates_running(self) -> list[str]:
        return [gate_id for check in self._checks() for gate_id in check.running]

    def note_facts(self, gate_id: str, facts: ProcessFacts | None) -> None:
        for check in self._checks():
            if check.runs(gate_id):
                check.note_facts(gate_id, facts)

    def _checks(self) -> list[Check]:
        return [*self._stopping, *([self._check] if self._check is not None else [])]

    # -- told ------------------------------------------------------------------------------------------

    def admit(self, step: Step, attempt: AttemptRecord, base: str, commit: str) -> PatchRecord:
        """Take in what an attempt has changed; what it replaces is superseded."""
        origin = Origin(attempt.run_id, attempt.task_id, step.id, attempt_id=attempt.attempt_id)
        patch = self._intake.admit(origin, base, commit, self._rules(step))
        self._supersede_earlier(patch)
        self._take_up(patch)
        return patch

    def _take_up(self, patch: PatchRecord) -> None:
        self._current[patch.step_id] = patch
        self._without_ref.append(patch)
        if patch.state == PatchState.QUARANTINED:
            self._after_quarantine(patch, Outcome.SCOPE_VIOLATION)

    def _supersede_earlier(self, patch: PatchRecord) -> None:
        for earlier in patch_queries.patches_of(self._journal.database, patch.run_id, states=_EARLIER):
            if earlier.task_id == patch.task_id and earlier.patch_id != patch.patch_id:
                self._journal.move(earlier, PatchState.SUPERSEDED, trigger="attempt", superseded_by=patch.patch_id)

    def settle_gate(self, end: AttemptEnd) -> None:
        for check in self._checks():
            if check.runs(end.attempt_id):
                check.settle(end)
        self._stopping = [check for check in self._stopping if check.is_working]

    def obey(self, arguments: Mapping[str, Any]) -> str | None:
        """Write down what somebody decided; None, or why it is refused."""
        try:
            patch = decide(self._journal, Decision.from_arguments(arguments))
        except MinipipeError as error:
            return error.message
        self._has_decisions = True
        if patch.step_id in self._current and self._current[patch.step_id].patch_id == patch.patch_id:
            self._current[patch.step_id] = patch
            if patch.state == PatchState.QUARANTINED:
                self._stop_check(patch)
                self._after_quarantine(patch, Outcome.SCOPE_VIOLATION)
        return None

    def cancel(self, *, finally_too: bool) -> None:
        """Nothing that is not committed will be."""
        for step_id in list(self._current):
            if finally_too or not self._book.tasks[step_id].is_finally:
                self.drop(step_id, reason="canceled")

    def drop(self, step_id: str, *, reason: str) -> None:
        """Give up the patch of a task that nobody wants any more."""
        patch = self._current.pop(step_id, None)
        if patch is None:
            return
        if patch.state in _BEFORE_APPLIED:
            self._journal.move(patch, PatchState.DROPPED, trigger="cancel", reason=reason)
        elif patch.state in (PatchState.APPLIED, PatchState.VERIFIED):
            self._journal.move(patch, PatchState.ROLLED_BACK, trigger="cancel", reason=reason)
            self._stop_check(patch)
            self._let_go_of_candidate(patch)

    def _stop_check(self, patch: PatchRecord) -> None:
        if self._check is None or self._check.subject.patch_id != patch.patch_id:
            return
        for gate_id in self._check.cancel():
            self._owner.stop_gate(gate_id)
        self._stopping.append(self._check)
        self._check = None

    def retry_held(self) -> int:
        """Try the steps again whose patches stand in quarantine; how many there are."""
        held = [patch for patch in self._current.values() if patch.state == PatchState.QUARANTINED]
        for patch in held:
            del self._current[patch.step_id]
            self._owner.try_again(patch.step_id, Outcome.CHECK_FAILED, "tried again by hand")
        return len(held)

    # -- advancing -------------------------------------------------------------------------------------

    def advance(self, room: int) -> list[WorkOrder]:
        """Take every patch as far as it goes; answer the gates that are to be started now."""
        self._make_refs()
        if self._has_decisions:
            self._act_on_decisions()
        for step_id in list(self._current):
            self._carry(step_id)
        self._make_refs()
        if self._check is None:
            return []
        with self._journal.group():
            orders = self._check.start(room)
        # Gates that could not be started have failed: what follows need not wait for anything else.
        return orders if orders or not self._check.is_over else self.advance(room)

    @property
    def _is_held(self) -> bool:
        """Whether nothing new may begin: the run is being paused, or stands still."""
        return self._book.run.reason == PAUSING or self._book.run.state != RunState.RUNNING

    def _make_refs(self) -> None:
        """Every change on record is kept alive by a ref, from the first moment at which nothing else does."""
        while self._without_ref:
            patch = self._without_ref[0]
            create_ref(self._git, patch_ref(patch.patch_id), patch.commit_id)
            self._without_ref.pop(0)

    def _carry(self, step_id: str) -> None:
        while (patch := self._current.get(step_id)) is not None:
            handler = self._handlers.get(patch.state)
            if handler is None or not handler(patch):
                return

    def _move(self, patch: PatchRecord, state: PatchState, *, trigger: str, **details: Any) -> PatchRecord:
        moved = self._current[patch.step_id] = self._journal.move(patch, state, trigger=trigger, **details)
        return moved

    # -- one handler for each state that something follows from ------------------------------------------

    def _queue(self, patch: PatchRecord) -> bool:
        if self._integration.is_shadow:
            return self._try_in_shadow(patch)
        reason = None if patch.review_status == "approved" else self._review_reason(patch)
        with self._journal.group():
            if reason is None:
                self._move(patch, PatchState.QUEUED, trigger="validated")
                return True
            self._move(
                patch,
                PatchState.AWAITING_REVIEW,
                trigger="review_rules",
                reason=reason,
                manual_review_required=True,
                review_status="pending",
                review_reason=reason,
            )
            self._owner.set_aside(patch.step_id)
            return False

    def _review_reason(self, patch: PatchRecord) -> str | None:
        step, settings = self._step(patch), self._book.script.settings
        wishes = self._book.script.plan.globals.manual_review_required
        policy = ReviewPolicy(
            review=step.review,
            is_manual=wishes if step.manual_review_required is None else step.manual_review_required,
            mode=settings.mode,
            pilot_share=settings.pilot_share,
            has_pilot_tripped=self._has_tripped,
            threshold=settings.review_score,
        )
        return review_reason(policy, score=patch.risk_score, reasons=patch.risk_reasons, patch_hash=patch.patch_hash)

    def _try_in_shadow(self, patch: PatchRecord) -> bool:
        """What comes later sees the change; nothing else ever does."""
        result = self._applied(patch)
        if isinstance(result, NotApplicable) and result.conflicts:
            self._set_aside(
                patch, [f"conflicts with what came before in {path}" for path in result.conflicts], Outcome.CONFLICT
            )
            return False
        if isinstance(result, Candidate):
            self._integration.advance(result.commit)
        with self._journal.group():
            if isinstance(result, Candidate):
                self._integration.note(result.commit)
            self._let_complete(patch, {"shadow": True})
        return False

    def _apply(self, patch: PatchRecord) -> bool:
        if self._is_held or self._in_flight():
            return False
        result = self._applied(patch)
        if isinstance(result, NotApplicable):
            return self._not_applied(patch, result)
        if patch.review_status == "approved" and not patch.is_released and not self._is_same(patch, result):
            self._bring_up_to_date(patch, result)
            return False
        if findings := self._findings_after_merge(patch, result):
            self._set_aside(patch, findings, Outcome.SCOPE_VIOLATION)
            return False
        gates = self._gates_of(patch)
        with self._journal.group():
            patch = self._move(
                patch,
                PatchState.APPLIED,
                trigger="apply",
                candidate_commit=result.commit,
                candidate_head=result.head,
            )
            if not gates:
                self._move(patch, PatchState.VERIFIED, trigger="no_gates")
        create_ref(self._git, candidate_ref(patch.patch_id), result.commit)
        return True

    def _in_flight(self) -> bool:
        return any(patch.state in (PatchState.APPLIED, PatchState.VERIFIED) for patch in self._current.values())

    def _not_applied(self, patch: PatchRecord, result: NotApplicable) -> bool:
        with self._journal.group():
            if result.is_there_already:
                self._move(patch, PatchState.DROPPED, trigger="apply", reason="already_there")
                self._let_complete(patch, {"already_there": True})
                return False
            self._move(
                patch,
                PatchState.APPLY_FAILED,
                trigger="apply",
                reason=f"conflict in {', '.join(result.conflicts[:20])}",
            )
        return True

    def _applied(self, patch: PatchRecord) -> Candidate | NotApplicable:
        step, plan = self._step(patch), self._book.script.plan
        names = {
            "plan": plan.name or plan.plan_id,
            "step": step.name or step.id,
            "step_id": step.id,
            "run_id": patch.run_id,
        }
        message = commit_message(self._book.script.settings.subject, names, patch, tool=step.tool or step.kind)
        return apply(self._git, self._integration.head, patch.commit_id, message, self._signature)

    def _is_same(self, patch: PatchRecord, candidate: Candidate) -> bool:
        """Whether the change reads the same on the head as it read when it was looked at."""
        return candidate.head == patch.base_commit or candidate.description.stable_id == patch.stable_id

    def _bring_up_to_date(self, patch: PatchRecord, candidate: Candidate) -> None:
        """It reads otherwise by now: whoever approved it must look again."""
        old = patch.commit_id
        with self._journal.group():
            if patch.state == PatchState.QUEUED:
                patch = self._move(patch, PatchState.AWAITING_REVIEW, trigger="apply", reason="the head has moved")
            patch = self._current[patch.step_id] = self._intake.rebase(patch, candidate.head, candidate.commit)
            self._owner.set_aside(patch.step_id)
        move_ref(self._git, patch_ref(patch.patch_id), patch.commit_id, old)

    def _findings_after_merge(self, patch: PatchRecord, candidate: Candidate) -> list[str]:
        """Merging can lead a change elsewhere: it is judged again where it came to lie."""
        if candidate.head == patch.base_commit or patch.is_released:
            return []
        known = {
            path
            for file in patch_queries.files_of(self._journal.database, patch)
            for path in (file.path, file.old_path)
            if path
        }
        strayed = [
            f"merge.strayed: {path} was not in the patch"
            for path in strayed_paths(candidate.description, frozenset(known))
        ]
        return [*strayed, *judge(self._git, candidate.description, self._rules(self._step(patch))).findings]

    def _verify(self, patch: PatchRecord) -> bool:
        if self._check is None:
            self._check = self._begin_check(patch)
        if not self._check.is_over:
            return False
        failures, self._check = self._check.failures, None
        if failures:
            self._has_tripped = True
            self._set_aside(patch, [f"gate.{failure}" for failure in failures], Outcome.CHECK_FAILED)
            return False
        with self._journal.group():
            self._move(patch, PatchState.VERIFIED, trigger="gates")
        return True

    def _begin_check(self, patch: PatchRecord) -> Check:
        assert patch.candidate_commit is not None
        subject = Subject(
            patch.candidate_commit, patch.patch_id, patch.step_id, before=self._book.before(patch.step_id, itself=True)
        )
        return Check(self._setting, subject, self._gates_of(patch))

    def _commit(self, patch: PatchRecord) -> bool:
        candidate = patch.candidate_commit
        assert candidate is not None
        if not self._integration.advance(candidate) and not self._integration.is_at(candidate):
            self._set_aside(patch, [f"ref.moved: {self._integration.ref} was moved by somebody else"], Outcome.SUSPECT)
            return False
        with self._journal.group():
            committed = self._journal.move(patch, PatchState.COMMITTED, trigger="commit", committed_commit=candidate)
            self._integration.note(candidate)
            self._let_complete(committed, {"patch_id": patch.patch_id, "commit": candidate})
        self._let_go_of_candidate(patch)
        return False

    def _let_complete(self, patch: PatchRecord, metadata: Mapping[str, Any]) -> None:
        """The task is done, unless a part of its change was sent back."""
        del self._current[patch.step_id]
        if any(_waits_for_another(other) and other.task_id == patch.task_id for other in self._waiting()):
            self._owner.try_again(patch.step_id, Outcome.CHANGES_REQUESTED, "a part of the change was sent back")
        else:
            self._owner.complete(patch.step_id, metadata)

    def _waiting(self) -> list[PatchRecord]:
        run_id = self._book.run.run_id
        return patch_queries.patches_of(self._journal.database, run_id, states=(PatchState.AWAITING_REVIEW,))

    def _resolve_conflict(self, patch: PatchRecord) -> bool:
        tried = patch_queries.patches_of(self._journal.database, patch.run_id)
        conflicts = sum(
            each.task_id == patch.task_id and (each.reason or "").startswith("conflict in") for each in tried
        )
        can_retry = patch.origin == "step" and conflicts <= CONFLICTS_A_TASK
        if not can_retry:
            self._set_aside(patch, [f"apply.{patch.reason}"], Outcome.SUSPECT)
            return False
        with self._journal.group():
            del self._current[patch.step_id]
            self._owner.try_again(patch.step_id, Outcome.CONFLICT, patch.reason or "")
        return False

    def _give_up(self, patch: PatchRecord) -> bool:
        with self._journal.group():
            del self._current[patch.step_id]
            self._owner.fail(patch.step_id, str(Outcome.REJECTED), patch.review_comment or patch.reason or "")
        return False

    # -- setting aside ---------------------------------------------------------------------------------

    def _set_aside(self, patch: PatchRecord, findings: list[str], outcome: Outcome) -> None:
        with self._journal.group():
            patch = self._current[patch.step_id] = quarantine(self._journal, patch, findings, trigger=str(outcome))
            self._after_quarantine(patch, outcome)
        self._let_go_of_candidate(patch)

    def _after_quarantine(self, patch: PatchRecord, outcome: Outcome) -> None:
        if self._owner.fail_or_retry(patch.step_id, outcome, patch.reason or ""):
            self._current.pop(patch.step_id, None)
        else:
            self._owner.set_aside(patch.step_id)

    def _let_go_of_candidate(self, patch: PatchRecord) -> None:
        if patch.candidate_commit is not None:
            delete_ref(self._git, candidate_ref(patch.patch_id), patch.candidate_commit)

    # -- decisions -------------------------------------------------------------------------------------

    def _act_on_decisions(self) -> None:
        self._has_decisions = False
        for review in patch_queries.undecided_reviews(self._journal.database, self._book.run.run_id):
            patch = patch_queries.find_patch(self._journal.database, review.patch_id)
            if patch is None:
                continue
            outcome = self._why_void(patch, review)
            if outcome is None:
                self._go_on()
                _DECIDED[review.decision](self, patch, review)
            else:
                self._void(patch, review, outcome)

    def _why_void(self, patch: PatchRecord, review: ReviewRecord) -> str | None:
        if patch.state != PatchState.AWAITING_REVIEW or patch.step_id not in self._current:
            return f"it is {patch.state}"
        return None if review.commit_id == patch.commit_id else "the patch has changed since"

    def _void(self, patch: PatchRecord, review: ReviewRecord, why: str) -> None:
        with self._journal.group():
            self._acted(review, f"void: {why}")
            self._journal.note("review_void", patch, operator=review.reviewer, reason=why)

    def _go_on(self) -> None:
        """A decision is what a run that is paused for review has waited for."""
        run = self._book.run
        if run.state == RunState.PAUSED and run.pause_reason == "review":
            self._book.move_run(RunState.RUNNING, trigger="review", pause_reason=None)

    def _acted(self, review: ReviewRecord, outcome: str) -> None:
        self._journal.amend(review, acted_at=self._journal.now(), outcome=outcome)

    def _approve(self, patch: PatchRecord, review: ReviewRecord) -> None:
        self._current[patch.step_id] = patch
        if review.files or review.hunks or review.edited_path:
            self._approve_part(patch, review)
            return
        trial = self._applied(patch)
        if isinstance(trial, Candidate) and not self._is_same(patch, trial):
            with self._journal.group():
                self._acted(review, "void: it reads otherwise on the new head")
            self._bring_up_to_date(patch, trial)
            return
        with self._journal.group():
            self._acted(review, "approved")
            self._move(patch, PatchState.QUEUED, trigger="review", operator=review.reviewer)

    def _approve_part(self, patch: PatchRecord, review: ReviewRecord) -> None:
        """The chosen or edited change goes on under the same decision; the rest is dropped, or sent back."""
        try:
            selection = select(self._git, patch, review)
        except MinipipeError as error:
            self._void(patch, review, error.message)
            return
        rules = self._rules(self._step(patch))
        kind = "edit" if review.edited_path else "part"
        origin = Origin(patch.run_id, patch.task_id, patch.step_id, kind, patch.attempt_id, patch.patch_id)
        with self._journal.group():
            self._acted(review, "approved in part")
            if review.sends_back and selection.rest is not None:
                # First, so that the part that goes on is the newest patch of its task.
                self._send_back(self._intake.admit(origin, patch.base_commit, selection.rest, rules), review)
            part = self._intake.admit(origin, patch.base_commit, selection.chosen, rules, approved=patch)
            self._journal.move(
                patch, PatchState.SUPERSEDED, trigger="review", operator=review.reviewer, superseded_by=part.patch_id
            )
            self._take_up(part)

    def _send_back(self, rest: PatchRecord, review: ReviewRecord) -> None:
        self._without_ref.append(rest)
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
            self._move(patch, PatchState.DROPPED, trigger="review", operator=review.reviewer, reason="rejected")

    def _request_changes(self, patch: PatchRecord, review: ReviewRecord) -> None:
        with self._journal.group():
            self._acted(review, "sent back")
            del self._current[patch.step_id]
            self._owner.try_again(patch.step_id, Outcome.CHANGES_REQUESTED, review.comment or "")

    # -- small answers ---------------------------------------------------------------------------------

    def _step(self, patch: PatchRecord) -> Step:
        return self._book.script.steps[patch.step_id]

    def _gates_of(self, patch: PatchRecord) -> list[Gate]:
        return needed_gates(self._step(patch).gates, self._book.script.plan.gates)


_SETTLED = (PatchState.COMMITTED, PatchState.ROLLED_BACK, PatchState.SUPERSEDED)
_DECIDED: Mapping[str, Callable[[Pipeline, PatchRecord, ReviewRecord], None]] = {
    "approve": Pipeline._approve,
    "reject": Pipeline._reject,
    "request_changes": Pipeline._request_changes,
}


def _waits_for_another(patch: PatchRecord) -> bool:
    """Whether a patch was sent back: its task is tried again, and what comes of that supersedes it."""
    return patch.state == PatchState.AWAITING_REVIEW and patch.review_status == "changes_requested"
