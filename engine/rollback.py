"""Undoing what a run has committed: the inverse of each patch on top of where it lives now, checked, then moved there.

A patch lives on the target branch once it has arrived there, else on its run's own ref. Several patches are one move,
all or none. Nothing newer is ever overwritten: what conflicts, or is no longer there, is refused, and says why.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.errors import ActionRefused
from engine.git.changes import DiffStats
from engine.git.diffs import changes_between
from engine.git.objects import is_ancestor
from engine.git.program import Git
from engine.git.refs import branch_ref, move_ref, read_ref, run_ref
from engine.patches.checkout import Refusal, find_checkouts
from engine.patches.inversion import find_commit, invert
from engine.patches.promotion import Intent, Outcome, carry_out, finish, intend
from engine.promotion import DONE, ROLLBACK, ROUNDS, Grounds, noted, own_branch
from engine.states import PatchLedgerStateMachine, PatchState, RunState, RunStateMachine
from engine.store import patch_queries
from engine.store.journal import Journal
from engine.store.records import PatchRecord, RunRecord

_HELD = (RunState.PAUSED, RunState.QUARANTINED)


class Undone(NamedTuple):
    """A head without some patches: the commit that undoes each, by patch."""

    ref: str
    old: str
    new: str
    commits: Mapping[str, str]


def check_run(run: RunRecord) -> None:
    """Raise where a run is in the middle of something."""
    if not (RunStateMachine.is_terminal(run.state) or run.state in _HELD):
        raise ActionRefused("roll back", run.run_id, f"it is {run.state}", hint=f"minipipe resume {run.run_id}")


class Rollback:
    """Undoes committed patches of one run, whose lock the caller holds."""

    def __init__(self, grounds: Grounds, run: RunRecord) -> None:
        self._grounds = grounds
        self._journal = grounds.journal
        self._git = grounds.git
        self._run = run

    def undo_patch(self, patch: PatchRecord, *, operator: str | None = None) -> RunRecord:
        PatchLedgerStateMachine.validate_transition(patch.state, PatchState.ROLLED_BACK, entity_id=patch.patch_id)
        return self._undo([patch], what=patch.patch_id, operator=operator)

    def undo_all(self, *, operator: str | None = None) -> RunRecord:
        """Undo everything that the run has committed, newest first, as one move."""
        database, run_id = self._journal.database, self._run.run_id
        committed = patch_queries.patches_of(database, run_id, states=(PatchState.COMMITTED,))
        if not committed:
            why = "nothing that it has committed is left"
            raise ActionRefused("roll back", run_id, why, hint=f"minipipe show {run_id}")
        order = self._git.line("rev-list", "--topo-order", self._head()).split("\n")
        places = {commit: place for place, commit in enumerate(order)}
        committed.sort(key=lambda patch: places.get(patch.committed_commit or "", len(places)))
        return self._undo(committed, what=run_id, operator=operator, is_whole=True)

    def _head(self) -> str:
        assert self._run.head_commit is not None
        return self._run.head_commit

    # -- one move --------------------------------------------------------------------------------------

    def _undo(
        self, patches: Sequence[PatchRecord], *, what: str, operator: str | None, is_whole: bool = False
    ) -> RunRecord:
        if self._run.base_commit is None:
            raise ActionRefused("roll back", what, "its run has committed nothing")
        self._grounds.close_gates(self._run.run_id)
        facts = {"kind": ROLLBACK, "operator": operator, "is_whole": is_whole}
        for _ in range(ROUNDS):
            undone = self._without(patches, what)
            self._look(undone, what)
            self._check(undone, patches, what)
            if self._move(undone, facts, what):
                return self._run
        raise ActionRefused("roll back", what, f"{_named(undone.ref)} has moved {ROUNDS} times meanwhile")

    def _where(self, patch: PatchRecord) -> tuple[str, str]:
        """The ref that a patch is to be undone on, and where that is."""
        promotion = self._run.promotion or {}
        target = promotion.get("target") or self._run.target
        if target is not None:
            ref = branch_ref(target)
            found = read_ref(self._git, ref)
            has_arrived = promotion.get("state") == DONE
            if found is None and has_arrived:
                why = f"it was promoted to {target}, and there is no such branch any more"
                raise ActionRefused("roll back", patch.patch_id, why, hint=f"git branch {target}")
            if found is not None and (has_arrived or is_ancestor(self._git, patch.committed_commit or "", found)):
                return ref, found
        return run_ref(self._run.run_id), self._head()

    def _without(self, patches: Sequence[PatchRecord], what: str) -> Undone:
        ref, old = self._where(patches[0])
        new, commits = old, dict[str, str]()
        for patch in patches:
            commit = find_commit(self._git, old, patch.patch_id, patch.committed_commit or "")
            if commit is None:
                why = f"{_named(ref)} does not hold it (any more)"
                raise ActionRefused("roll back", what, _about(patch, what, why), hint=_show(patch))
            inverse = invert(
                self._git,
                head=new,
                commit=commit,
                patch_id=patch.patch_id,
                run_id=patch.run_id,
                signature=self._grounds.signature,
            )
            if isinstance(inverse, Refusal):
                raise ActionRefused("roll back", what, _about(patch, what, inverse.why), hint=_show(patch))
            new = commits[patch.patch_id] = inverse
        return Undone(ref, old, new, commits)

    def _look(self, undone: Undone, what: str) -> None:
        with self._grounds.moving() as git:
            look = intend(git, undone.ref, undone.old, undone.new, why="look")
        if isinstance(look, Refusal):
            self._refuse(undone, what, look)

    def _refuse(self, undone: Undone, what: str, refusal: Refusal) -> None:
        by_hand = f"git revert {' '.join(commit[:12] for commit in undone.commits.values())}"
        hint = by_hand if refusal.is_for_git else refusal.advice
        raise ActionRefused("roll back", what, f"{_named(undone.ref)} is left as it is: {refusal.why}", hint=hint)

    def _check(self, undone: Undone, patches: Sequence[PatchRecord], what: str) -> None:
        only = patches[0].patch_id if len(patches) == 1 else None
        step_ids = {patch.step_id for patch in patches}
        if failures := self._grounds.failures(undone.new, step_ids, purpose=ROLLBACK, patch_id=only):
            why = f"without it checks fail: {'; '.join(failures)}"
            raise ActionRefused("roll back", what, why, hint=f"minipipe show {self._run.run_id}")

    def _move(self, undone: Undone, facts: Mapping[str, Any], what: str) -> bool:
        """Move the ref, and write it down; False if somebody else has moved it."""
        with self._grounds.moving() as git:
            if read_ref(git, undone.ref) != undone.old:
                return False
            intent = intend(git, undone.ref, undone.old, undone.new, why=f"minipipe: roll back {what}")
            if isinstance(intent, Refusal):
                self._refuse(undone, what, intent)
                return False
            kept = {**facts, **intent.as_dict(), "patches": dict(undone.commits)}
            self._run = noted(self._journal, self._run, intent=kept)
            outcome = carry_out(git, intent)
            self._run = conclude(self._journal, git, self._run, outcome)
        if isinstance(outcome, Refusal):
            self._refuse(undone, what, outcome)
        return outcome is Outcome.MOVED


def finish_interrupted(grounds: Grounds, run: RunRecord) -> RunRecord:
    """A kill came while something was being undone: it is undone now, or nothing has happened."""
    grounds.close_gates(run.run_id)
    kept = (run.promotion or {})["intent"]
    with grounds.moving() as git:
        return conclude(grounds.journal, git, run, finish(git, Intent.from_dict(kept)))


def conclude(journal: Journal, git: Git, run: RunRecord, outcome: Outcome | Refusal) -> RunRecord:
    """Write down what has become of an intended roll back."""
    kept = (run.promotion or {})["intent"]
    intent = Intent.from_dict(kept)
    if outcome is Outcome.MOVED and intent.ref == run_ref(run.run_id):
        # Before it is on record: nobody comes back to a roll back that is done.
        _take_branch_along(git, run.run_id, intent)
    with journal.group():
        if isinstance(outcome, Refusal):
            journal.note("warning", run, reason=f"{_named(intent.ref)} was not rolled back: {outcome.why}")
        elif outcome is Outcome.MOVED:
            _note_undone(journal, run, kept)
        moved = {"ref": intent.ref, "new": intent.new} if outcome is Outcome.MOVED else None
        run = noted(journal, run, intent=None, moved=moved)
        if outcome is Outcome.MOVED and intent.ref == run_ref(run.run_id):
            assert run.base_commit is not None
            stats = DiffStats.of(changes_between(git, run.base_commit, intent.new))
            run = journal.amend(run, head_commit=intent.new, diff_stats=stats.to_dict())
    return run


def _note_undone(journal: Journal, run: RunRecord, kept: Mapping[str, Any]) -> None:
    for patch_id, commit in kept["patches"].items():
        patch = patch_queries.find_patch(journal.database, patch_id)
        assert patch is not None
        journal.move(
            patch,
            PatchState.ROLLED_BACK,
            trigger="rollback",
            operator=kept["operator"],
            reason=f"undone by {commit[:12]} on {_named(kept['ref'])}",
            metadata={"commit": commit, "ref": kept["ref"], "head": kept["new"]},
        )
    if kept["is_whole"]:
        journal.note(
            "run_rolled_back",
            run,
            operator=kept["operator"],
            metadata={"ref": kept["ref"], "commit": kept["new"], "patches": list(kept["patches"])},
        )


def _take_branch_along(git: Git, run_id: str, intent: Intent) -> None:
    """The branch that shows a run's changes to people follows, unless somebody works on it."""
    ref = branch_ref(own_branch(run_id))
    if read_ref(git, ref) == intent.old and not find_checkouts(git, ref):
        move_ref(git, ref, intent.new, intent.old, why=intent.why)


def _named(ref: str) -> str:
    return ref.removeprefix(branch_ref(""))


def _about(patch: PatchRecord, what: str, why: str) -> str:
    return why if what == patch.patch_id else f"patch {patch.patch_id} ({patch.step_id}): {why}"


def _show(patch: PatchRecord) -> str:
    return f"minipipe show {patch.run_id}"
