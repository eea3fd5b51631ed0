"""New runs: of a plan, of an ended run, of changes from outside. Each is pending until somebody executes it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import ActionRefused, NotFound
from engine.executor.creation import kept_variables, write_run
from engine.executor.demands import check_demands
from engine.executor.settings import RunSettings, settings_for
from engine.executor.start import NO_TARGET, Start, start_of
from engine.git.repository import find_repository
from engine.imports import Importing, ImportWishes, gates_of_step, read_branch, read_patch_file
from engine.orchestrator.runs import Runs
from engine.patches.decisions import Decision, check_decision
from engine.plan.expansion import expand
from engine.plan.load import load_plan, parse_plan
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables
from engine.states import RunStateMachine, TaskState
from engine.store import patch_queries, queries
from engine.store.records import RunRecord, TaskRecord

PlanSource = Plan | Mapping[str, Any] | str | os.PathLike[str]


class Making(Runs):
    """Makes runs."""

    def create_run(
        self,
        plan: PlanSource,
        *,
        path: Path | None = None,
        variables: Mapping[str, str] | None = None,
        settings: RunSettings | None = None,
        project_id: str | None = None,
        target: str | None = None,
    ) -> str:
        """Write a pending run of a plan (a Plan, its JSON as a mapping, or a path) and answer its id.

        `target` is the branch that gets the run's changes: by default the one that is checked out, `none` for none.
        """
        plan, path = _read_plan(plan, path)
        self._plan_at_hand = plan
        values = bind_variables(plan, variables or {}, self._environ)
        steps = expand(plan, values)
        settings = settings or settings_for(plan, self.config)
        check_demands(plan, steps, settings, self.workspace)
        start = start_of(self.workspace, settings, target=target)
        self.journal.hide(values.secrets)
        run = write_run(
            self.journal,
            plan,
            steps,
            values,
            settings,
            workspace=self.workspace.root,
            plan_path=str(path.absolute()) if path else None,
            project_id=project_id,
            base_commit=start.base_commit,
            target=start.target,
            warnings=start.warnings,
        )
        return run.run_id

    def retry_run(self, run_id: str, *, variables: Mapping[str, str] | None = None) -> str:
        """A new run of an ended run's plan, in which what was completed is carried over; answer its id."""
        old = self._find(run_id)
        if not RunStateMachine.is_terminal(old.state):
            raise ActionRefused("retry", run_id, f"it is {old.state}", hint=f"minipipe resume {run_id}")
        plan = self._plan_of(old)
        values = bind_variables(plan, {**kept_variables(old, plan), **(variables or {})}, self._environ)
        settings = RunSettings.from_dict(old.settings)
        self.journal.hide(values.secrets)
        run = write_run(
            self.journal,
            plan,
            expand(plan, values),
            values,
            settings,
            workspace=self.workspace.root,
            plan_path=old.plan_path,
            project_id=old.project_id,
            retry_of=old,
            carried=self._carried(old),
            # What the old run has committed is there already: the new one goes on from it.
            base_commit=old.base_commit if old.mode == "shadow" else old.head_commit,
            target=old.target,
        )
        return run.run_id

    def _carried(self, old: RunRecord) -> dict[str, TaskRecord]:
        """What need not be done again; of a shadow run all that was done is gone."""
        if old.mode == "shadow":
            return {}
        return {task.step_id: task for task in queries.tasks_of(self.database, old.run_id) if _is_done(task)}

    def import_patch(
        self, text: bytes, *, name: str, strip: int | None = None, target: str | None = None, how: ImportWishes
    ) -> str:
        """A pending run that takes a patch file in; answer its id. `execute_run` goes on with it."""
        start, importing = self._importing(target, how)
        assert start.base_commit is not None
        foreign = read_patch_file(importing.git, text, start.base_commit, name=name, strip=strip)
        return importing.make_run(how.plan_for(name), foreign, start, how.settings)

    def import_branch(self, branch: str, *, target: str | None = None, how: ImportWishes) -> str:
        """The same for everything that a branch has and the target has not."""
        start, importing = self._importing(target, how)
        assert start.base_commit is not None
        foreign = read_branch(importing.git, branch, start.base_commit)
        return importing.make_run(how.plan_for(branch), foreign, start, how.settings)

    def release_into_new_run(self, patch_id: str, *, operator: str | None = None) -> str:
        """A pending run of a patch that stands in quarantine and whose own run has ended; answer its id."""
        patch = patch_queries.find_patch(self.database, patch_id)
        if patch is None:
            raise NotFound("patch", patch_id, hint="minipipe patch list lists them")
        check_decision(patch, Decision("release", patch_id, operator))
        old = self._find(patch.run_id)
        gates, wanted = gates_of_step(old, patch.step_id)
        how = ImportWishes(RunSettings.from_dict(old.settings), gates=tuple(gates), wanted=tuple(wanted))
        start, importing = self._importing(old.target or NO_TARGET, how)
        return importing.make_run_of_released(
            how.plan_for(patch.step_id), patch, start, how.settings, operator=operator
        )

    def _importing(self, target: str | None, how: ImportWishes) -> tuple[Start, Importing]:
        check_demands(how.plan_for("import"), (), how.settings, self.workspace)
        start = start_of(self.workspace, how.settings, target=target)
        assert self.workspace.git_folder is not None
        repository = find_repository(self.workspace.root, self.workspace.git_folder)
        return start, Importing(self.journal, self.workspace, repository.git)


def _read_plan(source: PlanSource, path: Path | None) -> tuple[Plan, Path | None]:
    if isinstance(source, Plan):
        return source, path
    if isinstance(source, Mapping):
        return parse_plan(json.dumps(source)), path
    return load_plan(Path(source)), Path(source)


def _is_done(task: TaskRecord) -> bool:
    """Whether a new run need not do a task again; what a condition decided is decided anew."""
    return task.state == TaskState.COMPLETED or (task.state == TaskState.SKIPPED and task.reason == "carried")
