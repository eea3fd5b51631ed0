"""The patches of a run under way: from captured to committed, or set aside.

Each move is on record, durably, before a ref follows it, so a kill at any point leaves something that `open` can tell
from the refs. A task is its patch's as long as it is `validating`; what becomes of it is told to the loop (`Owner`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.backends.contract import AttemptEnd, ProcessFacts, WorkOrder
from engine.errors import GitFailed
from engine.executor.gatekeeper import Setting
from engine.executor.open_patches import BEFORE_APPLIED, IN_FLIGHT, OpenPatches
from engine.executor.passage import Passage
from engine.executor.ref_keeping import drop_needless_refs, keep_edits, without_ref
from engine.executor.review_desk import ReviewDesk
from engine.executor.strays import Strays
from engine.git.objects import resolve_commit
from engine.git.repository import check_readable
from engine.patches.application import Signature
from engine.patches.decisions import Decision, decide
from engine.patches.intake import Origin
from engine.plan.plan import Step
from engine.states import GateState, PatchState, RunState, TaskState
from engine.states.outcomes import Outcome
from engine.store import patch_queries
from engine.store.records import AttemptRecord, PatchRecord

_SETTLED = (PatchState.COMMITTED, PatchState.ROLLED_BACK, PatchState.SUPERSEDED)


class Pipeline:
    """Drives the patches of one run; used by its loop alone."""

    def __init__(self, patches: OpenPatches, setting: Setting, signature: Signature, strays: Strays) -> None:
        self._strays = strays
        self._patches = patches
        self._passage = Passage(patches, setting, signature)
        self._desk = ReviewDesk(patches, self._passage)
        self._book = patches.book
        self._journal = patches.journal
        self._integration = patches.integration
        self._has_decisions = True
        self._trouble = ""

    # -- beginning and end -----------------------------------------------------------------------------

    def open(self) -> None:
        """Bring ledger and refs to agreement, whatever happened to the owner before."""
        self._close_orphaned_gates()
        drop_needless_refs(self._patches.git, self._journal.database)
        keep_edits(self._patches.git, self._journal.database, self._book.run.run_id)
        patches = self._patches.all_of_run()
        lost = self._keep_alive(patches)
        for patch in patches:
            is_waited_for = self._book.tasks[patch.step_id].state == TaskState.VALIDATING
            if is_waited_for and patch.state not in _SETTLED:
                # The newest of a task's patches is the one that it waits for: they come oldest first.
                self._patches.put(patch)
                if patch.state in IN_FLIGHT:
                    self._find_candidate(patch)
                elif patch.patch_id in lost and patch.state in BEFORE_APPLIED:
                    self._patches.set_aside(patch, ["lost.commit: its commit is gone"], Outcome.SUSPECT)
        self._integration.open(verified=self._verified())
        if self._strays.is_continued:
            self._look_around("the run was interrupted")

    def _keep_alive(self, patches: Sequence[PatchRecord]) -> set[str]:
        """Let every patch have its ref, whoever removed it; answer those whose commits are gone."""
        lost: set[str] = set()
        for patch in without_ref(self._patches.git, patches):
            if resolve_commit(self._patches.git, patch.commit_id) is None:
                lost.add(patch.patch_id)
            else:
                self._patches.keep_alive(patch)
        if lost:
            names = ", ".join(sorted(lost))
            self._journal.note("warning", self._book.run, reason=f"the commits of these patches are gone: {names}")
        return lost

    def _find_candidate(self, patch: PatchRecord) -> None:
        """Keep the commit alive that was to be verified; one without gates had no ref until now."""
        assert patch.candidate_commit is not None
        if resolve_commit(self._patches.git, patch.candidate_commit) is not None:
            self._patches.make_candidate_ref(patch)
        else:
            findings = ["apply.lost: the commit that it was to become is gone; release it to have it made anew"]
            self._patches.set_aside(patch, findings, Outcome.SUSPECT)

    def _close_orphaned_gates(self) -> None:
        database, run_id = self._journal.database, self._book.run.run_id
        with self._journal.group():
            for gate in patch_queries.gates_of(database, run_id=run_id, states=("running", "pending")):
                self._journal.move(
                    gate, GateState.CANCELED, trigger="recovery", reason="orphaned", ended_at=self._journal.now()
                )

    def _verified(self) -> set[str | None]:
        """Where the ref may stand because a kill came between moving it and writing that down."""
        return {p.candidate_commit for p in self._patches.current.values() if p.state == PatchState.VERIFIED}

    def close(self) -> None:
        """The run ends: nothing of it stays open but what is in quarantine."""
        reason = "shadow" if self._integration.is_shadow else "run_ended"
        for patch in self._patches.all_of_run(*BEFORE_APPLIED):
            self._journal.move(patch, PatchState.DROPPED, trigger="end", reason=reason)
        self._integration.sum_up()
        self._integration.close()

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
        """The run stands still, or has ended."""
        self._strays.forget()
        if self._integration.is_shadow:
            drop_needless_refs(self._patches.git, self._journal.database)

    # -- asked -----------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether there is no patch to look after."""
        patches = self._patches
        has_patches = bool(patches.current or patches.wants_refs or self._passage.checks)
        return not (has_patches or self._has_decisions or self._trouble)

    @property
    def is_working(self) -> bool:
        """Whether gates run."""
        return any(check.is_working for check in self._passage.checks)

    @property
    def is_starved(self) -> bool:
        """Whether gates wait for a worktree."""
        return any(not (check.is_over or check.is_working) for check in self._passage.checks)

    @property
    def waits_for(self) -> str | None:
        """What only a person can decide: `review` before `quarantine`."""
        states = {patch.state for patch in self._patches.current.values()}
        if PatchState.AWAITING_REVIEW in states:
            return "review"
        return "quarantine" if PatchState.QUARANTINED in states else None

    @property
    def head(self) -> str:
        """The commit that an attempt starts from now."""
        return self._integration.head

    def runs_gate(self, gate_id: str) -> bool:
        return any(check.runs(gate_id) for check in self._passage.checks)

    def gates_running(self) -> list[str]:
        return [gate_id for check in self._passage.checks for gate_id in check.running]

    # -- told ------------------------------------------------------------------------------------------

    def admit(self, step: Step, attempt: AttemptRecord, base: str, commit: str) -> PatchRecord:
        """Take in what an attempt has changed; what it replaces is superseded."""
        origin = Origin(attempt.run_id, attempt.task_id, step.id, attempt_id=attempt.attempt_id)
        patch = self._patches.admit(origin, base, commit)
        self._patches.take_up(patch)
        return patch

    def look_around(self, step_id: str) -> str:
        """After an attempt: tell what it changed that was not its own to change. Why the repository cannot be read any
        more, if that is so.
        """
        return self._look_around(f"{step_id} ran")

    def _look_around(self, meanwhile: str) -> str:
        try:
            strays = self._strays.since_last()
        except GitFailed as error:
            self._trouble = f"the repository cannot be read any more: {error.said}"
            strays = [self._trouble]
        told = [f"{stray} while {meanwhile}" for stray in strays]
        for text in told:
            self._journal.note("warning", self._book.run, reason=text)
        if told:
            promotion = self._book.run.promotion or {}
            self._book.amend_run(promotion={**promotion, "strays": [*promotion.get("strays", ()), *told]})
        return self._trouble

    def note_facts(self, gate_id: str, facts: ProcessFacts | None) -> None:
        self._passage.note_facts(gate_id, facts)

    def settle_gate(self, end: AttemptEnd) -> None:
        self._passage.settle_gate(end)
        self._look_around("a check ran")

    def obey(self, arguments: Mapping[str, Any]) -> None:
        """Write down what somebody decided; Refused or UserError where that cannot be."""
        patch = decide(self._journal, Decision.from_arguments(arguments))
        self._has_decisions = True
        present = self._patches.current.get(patch.step_id)
        if present is not None and present.patch_id == patch.patch_id:
            self._patches.put(patch)
            if patch.state == PatchState.QUARANTINED:
                self._passage.stop_gates_of(patch)
                self._patches.let_go_of_candidate(patch)
                self._patches.after_quarantine(patch, Outcome.SCOPE_VIOLATION)

    def cancel(self, *, finally_too: bool) -> None:
        """Nothing that is not committed will be."""
        for step_id in list(self._patches.current):
            if finally_too or not self._book.tasks[step_id].is_finally:
                self.drop(step_id, reason="canceled")

    def drop(self, step_id: str, *, reason: str) -> None:
        """Give up the patch of a task that nobody wants any more."""
        patch = self._patches.take_out(step_id)
        if patch is None:
            return
        if patch.state in BEFORE_APPLIED:
            self._journal.move(patch, PatchState.DROPPED, trigger="cancel", reason=reason)
        elif patch.state in IN_FLIGHT:
            self._journal.move(patch, PatchState.ROLLED_BACK, trigger="cancel", reason=reason)
            self._passage.stop_gates_of(patch)
            self._patches.let_go_of_candidate(patch)

    def retry_held(self) -> int:
        """Try the steps again whose patches stand in quarantine; how many there are."""
        held = [patch for patch in self._patches.current.values() if patch.state == PatchState.QUARANTINED]
        for patch in held:
            self._patches.try_again(patch, Outcome.CHECK_FAILED, "tried again by hand")
        return len(held)

    def advance(self, room: int) -> list[WorkOrder]:
        """Take every patch as far as it goes; answer the gates that are to be started now."""
        if self._trouble:
            check_readable(self._patches.git)
            self._trouble = ""
        if self._has_decisions:
            self._has_decisions = False
            self._desk.act()
        self._passage.carry_all()
        self._patches.make_refs()
        while not (orders := self._passage.start_gates(room)) and self._passage.has_verdict:
            # Gates that could not be started have failed: what follows need not wait for anything else.
            self._passage.carry_all()
        return orders
