"""A run's changes on their way to the branch that they are for: merged and checked again where it has moved meanwhile.

Called by whoever holds the run's lock, after its loop has ended. Each move is on record before anything is touched
(`promotion["intent"]`), so that whoever comes after a kill finishes it; what cannot be done is refused, with the reason
and what a person can do, and leaves branch, files and index of the user's as they were.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ActionRefused, GitFailed
from engine.executor.control import Control
from engine.executor.gate_round import Stopped, failures_of, is_stopped
from engine.executor.gatekeeper import Setting, Subject, needed_gates
from engine.executor.own_moves import OUR_BRANCHES
from engine.executor.runbook import RunScript
from engine.executor.settings import RunSettings
from engine.git.objects import resolve_commit, tree_of
from engine.git.program import Git
from engine.git.refs import branch_ref, delete_ref, move_ref, read_ref, run_ref
from engine.patches.application import Signature
from engine.patches.checkout import Refusal, find_checkouts
from engine.patches.decisions import NO_EXCEPTION
from engine.patches.judgement import judge
from engine.patches.message import first_line
from engine.patches.promotion import Intent, Outcome, Proposal, carry_out, finish, intend, propose
from engine.recovery import end_leftovers
from engine.states import GateState, PatchState, RunState
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.records import RunRecord
from engine.worktrees import locks

ROUNDS = 3
"""How often a target that moves in the meantime is merged and checked again, before it is left alone."""

_PAUSE_SECONDS = 0.02

PROMOTION, ROLLBACK = "promotion", "rollback"
PENDING, NONE, DONE, REFUSED = "pending", "none", "done", "refused"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What moving a branch stands on."""

    journal: Journal
    git: Git
    """It holds the run's lock."""
    lock_path: Path
    """One mover a repository: held from the last look to the record, and by every git that moves something."""
    signature: Signature
    open_script: Callable[[], tuple[RunScript, Setting]]
    """The run's plan, and where gates run; opened only if there is something to check, for it may need secrets."""
    free_worktrees: Callable[[], object] = lambda: None
    """Take back the worktrees in which checks of a dead owner worked."""
    control: Control | None = None

    @contextmanager
    def moving(self) -> Iterator[Git]:
        """Be the one that moves something in this repository. Stopped if somebody has lost patience before that."""
        descriptor = locks.open_lock(self.lock_path)
        try:
            while not locks.try_lock(descriptor):
                if self.is_stopped():
                    raise Stopped()
                time.sleep(_PAUSE_SECONDS)
            yield self.git.holding(descriptor)
        finally:
            os.close(descriptor)

    def is_stopped(self) -> bool:
        return self.control is not None and is_stopped(self.control)

    def failures(self, commit: str, step_ids: Iterable[str], *, purpose: str, patch_id: str | None = None) -> list[str]:
        """Execute the gates of some steps on a commit, and say which did not pass."""
        script, setting = self.open_script()
        wanted = set(step_ids)
        steps = [step for step in script.steps.values() if step.id in wanted]
        names = list(dict.fromkeys(name for step in steps for name in step.gates))
        if not names:
            return []
        subject = Subject(commit, patch_id, steps[-1].id, purpose, before=tuple(script.steps))
        gates = needed_gates(names, script.plan.gates)
        return failures_of(setting, subject, gates, slots=script.settings.max_concurrent, control=self.control)

    def close_gates(self, run_id: str) -> None:
        """End the checks that a dead owner has left running outside of its loop."""
        open_states = (GateState.PENDING, GateState.RUNNING)
        found = patch_queries.gates_of(self.journal.database, run_id=run_id, states=open_states)
        left = [gate for gate in found if gate.purpose in (PROMOTION, ROLLBACK)]
        end_leftovers(left)
        self.free_worktrees()
        with self.journal.group():
            for gate in left:
                self.journal.move(
                    gate, GateState.CANCELED, trigger="recovery", reason="orphaned", ended_at=self.journal.now()
                )


def is_unfinished(run: RunRecord) -> bool:
    """Whether a kill came between a run's end, or the beginning of a move, and what was to follow."""
    promotion = run.promotion or {}
    return bool(promotion.get("intent")) or (run.state == RunState.SUCCEEDED and promotion.get("state") == PENDING)


def noted(journal: Journal, run: RunRecord, **facts: Any) -> RunRecord:
    """Write down where a promotion stands; what is None is forgotten."""
    known = {**(run.promotion or {"state": NONE, "target": run.target}), **facts}
    return journal.amend(run, promotion={name: value for name, value in known.items() if value is not None})


def begin(journal: Journal, run: RunRecord, *, target: str | None, operator: str | None) -> RunRecord:
    """Let a run be promoted because somebody wants it; ActionRefused where that makes no sense."""
    promotion = run.promotion or {}
    if run.state != RunState.SUCCEEDED:
        going = "retry" if run.state in (RunState.FAILED, RunState.CANCELED) else "resume"
        raise ActionRefused("promote", run.run_id, f"it is {run.state}", hint=f"minipipe {going} {run.run_id}")
    if run.base_commit is None or run.head_commit == run.base_commit or run.mode == "shadow":
        raise ActionRefused("promote", run.run_id, "it has changed nothing", hint=f"minipipe show {run.run_id}")
    if promotion.get("state") == DONE:
        where = f"{promotion.get('target')} was moved to {str(promotion.get('commit'))[:12]}"
        raise ActionRefused("promote", run.run_id, f"it was promoted already: {where}")
    wanted = target or promotion.get("target") or run.target
    if wanted is None:
        hint = f"minipipe promote {run.run_id} --target BRANCH"
        raise ActionRefused("promote", run.run_id, "it has no target branch", hint=hint)
    return noted(journal, run, state=PENDING, target=wanted, is_explicit=True, operator=operator)


class Promotion:
    """One run's promotion, from pending to done, refused or none."""

    def __init__(self, grounds: Grounds, run: RunRecord) -> None:
        self._grounds = grounds
        self._journal = grounds.journal
        self._git = grounds.git
        self._run = run
        self._lineage = lineage(grounds.journal.database, run)

    @property
    def _facts(self) -> Mapping[str, Any]:
        return self._run.promotion or {}

    @property
    def _target(self) -> str:
        return str(self._facts["target"])

    @property
    def _head(self) -> str:
        assert self._run.head_commit is not None
        return self._run.head_commit

    @property
    def _base(self) -> str:
        """Where the target was when the work began, in the first of the runs that go on from one another."""
        base = self._lineage[0].base_commit
        assert base is not None
        return base

    def settle(self) -> RunRecord:
        """Go on until it is decided; answer the run's record."""
        self._grounds.close_gates(self._run.run_id)
        if self._facts.get("intent"):
            with self._grounds.moving() as git:
                intent = Intent.from_dict(self._facts["intent"])
                self._conclude(intent, finish(git, intent))
        if self._facts.get("target") is None:
            self._leave()
        elif self._facts.get("strays") and not self._facts.get("is_explicit"):
            strays = ", ".join(map(str, self._facts["strays"][:5]))
            self._refuse(Refusal(f"steps changed what is not theirs in the repository: {strays}", "look at that"))
        try:
            self._go_round()
        except Stopped:
            self._refuse(Refusal("it was stopped"))
        return self._run

    def _go_round(self) -> None:
        for left in reversed(range(ROUNDS)):
            if self._facts.get("state") != PENDING:
                return
            if self._grounds.is_stopped():
                raise Stopped()
            self._try(is_last=left == 0)
        if self._facts.get("state") == PENDING:
            self._refuse(Refusal(f"it has moved {ROUNDS} times while the changes were merged and checked"))

    # -- one round -------------------------------------------------------------------------------------

    def _try(self, *, is_last: bool) -> None:
        """Look, check where a merge has to be checked, and move; other runs move theirs while checks go on."""
        ref = branch_ref(self._target)
        with self._grounds.moving() as git:
            proposal = self._proposal(git, ref)
            if proposal is None:
                return
            if proposal.merged is None:
                self._move(git, ref, proposal)
                return
            if is_last:
                # No other run of ours may be faster this time.
                self._check_and_move(git, ref, proposal)
                return
        if refusal := self._distrust(proposal):
            self._refuse(refusal)
            return
        with self._grounds.moving() as git:
            if read_ref(git, ref) == proposal.old:
                self._move(git, ref, proposal)

    def _check_and_move(self, git: Git, ref: str, proposal: Proposal) -> None:
        if refusal := self._distrust(proposal):
            self._refuse(refusal)
        elif read_ref(git, ref) == proposal.old:
            self._move(git, ref, proposal)

    def _proposal(self, git: Git, ref: str) -> Proposal | None:
        """What the target could be moved to; None if it is decided already."""
        old = read_ref(git, ref)
        if old is None:
            self._refuse(Refusal("there is no such branch any more", f"git branch {self._target} {self._keep()}"))
            return None
        if resolve_commit(git, self._head) is None:
            self._refuse(Refusal("what it had committed is gone from the repository", is_for_git=True))
            return None
        if tree_of(git, self._head) == tree_of(git, self._base):
            self._settle_nothing()
            return None
        proposal = self._propose(git, old)
        if isinstance(proposal, Refusal):
            self._refuse(proposal)
        elif proposal is None:
            self._finish_well(old)
        return proposal if isinstance(proposal, Proposal) else None

    def _propose(self, git: Git, old: str) -> Proposal | Refusal | None:
        name = self._run.plan_name or self._run.plan_id
        message = f"{first_line(f'Merge run: {name}', {})}\n\nMinipipe-Run: {self._run.run_id}\n"
        proposal = propose(
            git, old=old, base=self._base, head=self._head, message=message, signature=self._grounds.signature
        )
        if not isinstance(proposal, Proposal):
            return proposal
        # Before the checks, which may take long: whether it could go there at all.
        look = intend(git, branch_ref(self._target), old, proposal.commit, why="look")
        return look if isinstance(look, Refusal) else proposal

    def _distrust(self, proposal: Proposal) -> Refusal | None:
        """What was verified is not what the merge makes of it: it is judged and checked again."""
        assert proposal.merged is not None
        rules = RunSettings.from_dict(self._run.settings).rules()
        findings = judge(self._git, proposal.merged, rules).findings
        if hard := [finding for finding in findings if finding.startswith(NO_EXCEPTION)]:
            return Refusal(f"merged with what is new on it, {'; '.join(hard[:5])}", is_for_git=True)
        failures = self._grounds.failures(proposal.commit, self._step_ids(), purpose=PROMOTION)
        if failures:
            return Refusal(f"merged with what is new on it, checks fail: {'; '.join(failures)}", is_for_git=True)
        return None

    def _step_ids(self) -> set[str]:
        return {
            patch.step_id
            for run in self._lineage
            for patch in patch_queries.patches_of(self._journal.database, run.run_id, states=(PatchState.COMMITTED,))
        }

    def _move(self, git: Git, ref: str, proposal: Proposal) -> None:
        intent = intend(git, ref, proposal.old, proposal.commit, why=f"minipipe: promote {self._run.run_id}")
        if isinstance(intent, Refusal):
            self._refuse(intent)
            return
        self._run = noted(self._journal, self._run, intent={"kind": PROMOTION, **intent.as_dict()})
        self._conclude(intent, carry_out(git, intent))

    def _conclude(self, intent: Intent, outcome: Outcome | Refusal) -> None:
        if isinstance(outcome, Refusal):
            self._refuse(outcome)
        elif outcome is Outcome.MOVED:
            self._finish_well(intent.new)
        else:
            self._run = noted(self._journal, self._run, intent=None)

    # -- how it ends -----------------------------------------------------------------------------------

    def _finish_well(self, commit: str) -> None:
        # Before it is on record: nobody comes back to a promotion that is done.
        self._let_go_of_branch()
        with self._journal.group():
            self._journal.note(
                "promotion_done",
                self._run,
                operator=self._facts.get("operator"),
                metadata={"target": self._target, "commit": commit},
            )
            self._run = noted(self._journal, self._run, state=DONE, commit=commit, **_FORGOTTEN)

    def _leave(self) -> None:
        """No target: the changes stay where they are, on a branch of their own."""
        where = self._keep()
        self._run = noted(
            self._journal,
            self._run,
            state=NONE,
            commit=self._head,
            **{**_FORGOTTEN, "reason": f"there is no target branch: the changes are on {where}", "branch": where},
        )

    def _settle_nothing(self) -> None:
        """What the run has committed comes to nothing: the target need not be touched for that."""
        if self._facts.get("is_explicit"):
            self._refuse(Refusal("nothing of its changes is left"))
            return
        reason = "its changes cancel each other out"
        self._run = noted(self._journal, self._run, state=NONE, **{**_FORGOTTEN, "reason": reason})

    def _refuse(self, refusal: Refusal) -> None:
        where = self._keep()
        hint = _advice(refusal, self._run.run_id, self._target, where)
        reason = f"{self._target} is left as it is: {refusal.why}"
        with self._journal.group():
            self._journal.note(
                "promotion_refused",
                self._run,
                reason=reason,
                operator=self._facts.get("operator"),
                metadata={"target": self._target, "commit": self._head, "branch": where, "hint": hint},
            )
            self._run = noted(
                self._journal,
                self._run,
                state=REFUSED,
                commit=self._head,
                **{**_FORGOTTEN, "reason": reason, "hint": hint, "branch": where},
            )

    def _keep(self) -> str:
        """A branch at the run's head, for people; the name of our ref where there can be none."""
        own, ref = own_branch(self._run.run_id), run_ref(self._run.run_id)
        found = read_ref(self._git, branch_ref(own))
        if found is None and read_ref(self._git, branch_ref(OUR_BRANCHES)) is None:
            try:
                move_ref(self._git, branch_ref(own), self._head, "0" * len(self._head), why="minipipe: keep")
            except GitFailed:
                return ref
            found = read_ref(self._git, branch_ref(own))
        return own if found == self._head else ref

    def _let_go_of_branch(self) -> None:
        """Where the changes have arrived, the branch that kept them is not needed, unless somebody uses it."""
        ref = branch_ref(own_branch(self._run.run_id))
        if read_ref(self._git, ref) == self._head and not find_checkouts(self._git, ref):
            delete_ref(self._git, ref, self._head)


_FORGOTTEN: Mapping[str, Any] = dict.fromkeys(("intent", "reason", "hint", "branch", "is_explicit", "operator"))


def own_branch(run_id: str) -> str:
    return f"{OUR_BRANCHES}/{run_id}"


def _advice(refusal: Refusal, run_id: str, target: str, where: str) -> str:
    if refusal.is_for_git:
        return f"on {target}: git merge {where}"
    return f"{refusal.advice}, then minipipe promote {run_id}" if refusal.advice else f"minipipe promote {run_id}"


def lineage(database: Database, run: RunRecord) -> list[RunRecord]:
    """A run and those that it goes on from, oldest first."""
    found = [run]
    while found[0].retry_of is not None:
        earlier = queries.find_run(database, found[0].retry_of)
        if earlier is None or earlier.head_commit != found[0].base_commit or earlier.base_commit is None:
            break
        found.insert(0, earlier)
    return found
