"""Changes from outside: a patch file, a branch, or a patch whose run has ended becomes a run with one patch.

The run has one step that has nothing to do but to wait for its patch, so the change takes the same way as any other:
judged, reviewed, gated, committed, promoted. Executing the run goes on from the patch as it does after a kill. A kill
before the patch is on record leaves a pending run whose step can only fail.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ActionRefused, GitFailed, PatchConflict, UsageError
from engine.executor.creation import write_run
from engine.executor.settings import RunSettings
from engine.executor.start import Start
from engine.git.diffs import changes_between
from engine.git.index import apply_text
from engine.git.objects import merge_base, resolve_commit, tree_of, write_commit
from engine.git.program import Git
from engine.git.refs import create_ref, patch_ref
from engine.patches.intake import Intake, Origin
from engine.patches.text_rules import scan_patch_text
from engine.plan.expansion import expand
from engine.plan.load import parse_plan
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables
from engine.states import PatchState, TaskState
from engine.store import patch_queries, queries
from engine.store.journal import Journal
from engine.store.records import PatchRecord, RunRecord
from engine.workspace import Workspace

STEP = "import"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A change that no step of ours has made: a commit on a base."""

    name: str
    base: str
    commit: str


def read_patch_file(git: Git, text: bytes, base: str, *, name: str, strip: int | None = None) -> Foreign:
    """What a patch file makes of a commit; PatchRefused or PatchConflict where it cannot be trusted or does not fit."""
    found = scan_patch_text(text, source=name)
    level = found.strip if strip is None else strip
    if level is None:
        raise UsageError(
            f"{name}: nothing tells how many folders to strip from its names",
            hint="--strip 0 takes them as they are, --strip 1 leaves out the first folder",
        )
    try:
        tree = apply_text(git, tree_of(git, base), found.diff(text), strip=level)
    except GitFailed as error:
        raise PatchConflict(name, [error.said]) from error
    if tree == tree_of(git, base):
        raise ActionRefused("import", name, "it changes nothing here: it is applied already")
    return Foreign(name, base, write_commit(git, tree, [base], f"import {name}\n"))


def read_branch(git: Git, branch: str, base: str) -> Foreign:
    """What a branch has that the base has not, as one change."""
    tip = resolve_commit(git, branch)
    if tip is None:
        raise UsageError(f"--branch: there is no branch or commit {branch!r}")
    fork = merge_base(git, base, tip)
    if fork is None:
        raise ActionRefused("import", branch, "it has no commit in common with the target")
    if not changes_between(git, fork, tip):
        raise ActionRefused("import", branch, "it changes nothing that the target has not")
    commit = write_commit(git, tree_of(git, tip), [fork], f"import {branch}\n")
    return Foreign(branch, fork, commit)


def import_plan(name: str, *, gates: Sequence[Mapping[str, Any]] = (), wanted: Sequence[str] = (), review: str) -> Plan:
    """The plan of a run that has nothing but one change to take in."""
    step = {"id": STEP, "kind": "import", "name": name, "command": ["false"], "gates": list(wanted), "review": review}
    document = {
        "version": "1.0",
        "plan_id": "import",
        "name": "Import",
        # Whatever the configuration says of steps: there is none here, but a change that needs a place to be checked.
        "globals": {"isolation": "step"},
        "gates": list(gates),
        "steps": [step],
    }
    return parse_plan(json.dumps(document), source="import")


@dataclass(frozen=True, slots=True)
class ImportWishes:
    """How an import is to be treated: gates by their definitions, those that it must pass, and review."""

    settings: RunSettings
    gates: tuple[Mapping[str, Any], ...] = ()
    wanted: tuple[str, ...] = ()
    review: str = "auto"

    def plan_for(self, name: str) -> Plan:
        return import_plan(name, gates=self.gates, wanted=self.wanted, review=self.review)


@dataclass(frozen=True, slots=True)
class Importing:
    """Makes runs of foreign changes."""

    journal: Journal
    workspace: Workspace
    git: Git

    def make_run(self, plan: Plan, foreign: Foreign, start: Start, settings: RunSettings) -> str:
        """A pending run that waits to take the change in."""
        return self._make(plan, foreign, start, settings, approved=None)

    def make_run_of_released(
        self, plan: Plan, patch: PatchRecord, start: Start, settings: RunSettings, *, operator: str | None
    ) -> str:
        """The same for a patch that a person took out of quarantine after its run had ended."""
        foreign = Foreign(patch.step_id, patch.base_commit, patch.commit_id)
        approved = patch._replace(review_status="approved", reviewed_by=operator, reviewed_at=self.journal.now())
        return self._make(plan, foreign, start, settings, approved=approved)

    def _make(
        self, plan: Plan, foreign: Foreign, start: Start, settings: RunSettings, *, approved: PatchRecord | None
    ) -> str:
        values = bind_variables(plan, {}, {})
        run = write_run(
            self.journal,
            plan,
            expand(plan, values),
            values,
            settings,
            workspace=self.workspace.root,
            base_commit=start.base_commit,
            target=start.target,
            warnings=start.warnings,
        )
        with self.journal.group():
            patch = self._admit(run, foreign, settings, approved)
        create_ref(self.git, patch_ref(patch.patch_id), patch.commit_id)
        return run.run_id

    def _admit(
        self, run: RunRecord, foreign: Foreign, settings: RunSettings, approved: PatchRecord | None
    ) -> PatchRecord:
        (task,) = queries.tasks_of(self.journal.database, run.run_id)
        for state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.VALIDATING):
            task = self.journal.move(task, state, trigger="import", metadata={"step_id": STEP})
        intake = Intake(self.journal, self.git, self.workspace.run_folder(run.run_id) / "patches")
        parent = approved.patch_id if approved is not None else None
        origin = Origin(run.run_id, task.task_id, STEP, kind="import", parent_patch_id=parent)
        patch = intake.admit(origin, foreign.base, foreign.commit, settings.rules(), approved=approved)
        if approved is not None:
            self._supersede(approved, patch)
            patch = self._release(patch)
        return patch

    def _supersede(self, old: PatchRecord, new: PatchRecord) -> None:
        found = patch_queries.find_patch(self.journal.database, old.patch_id)
        assert found is not None
        self.journal.move(
            found,
            PatchState.SUPERSEDED,
            trigger="release",
            operator=old.reviewed_by,
            reason="released into a new run",
            superseded_by=new.patch_id,
        )

    def _release(self, patch: PatchRecord) -> PatchRecord:
        """What was found against it once is found again; the person who released it knew of that."""
        if patch.state != PatchState.QUARANTINED:
            return self.journal.amend(patch, is_released=True)
        return self.journal.move(
            patch, PatchState.VALIDATED, trigger="release", operator=patch.reviewed_by, is_released=True
        )


def gates_of_step(run: RunRecord, step_id: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The gates that a run's plan has, as they are written, and the names of those that a step's change must pass."""
    document = json.loads(run.plan_text)
    steps = [*document.get("steps", ()), *document.get("finally", ())]
    names: list[str] = next((step.get("gates", []) for step in steps if step.get("id") == step_id), [])
    return document.get("gates", []), names
