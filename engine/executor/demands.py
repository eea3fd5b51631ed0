"""What a plan asks of the place that it is to run in, checked before anything is written down."""

import shlex
from collections.abc import Iterable, Iterator

from engine.errors import EnvironmentUnfit, PlanError, Problem
from engine.executor.settings import RunSettings
from engine.git.program import look_at_head
from engine.plan.plan import Plan, Step
from engine.workspace import Workspace


def check_demands(plan: Plan, steps: Iterable[Step], settings: RunSettings, workspace: Workspace) -> None:
    """Raise if a step could never start here."""
    problems = list(_missing_labels(steps, settings))
    if problems:
        raise PlanError(problems, source=plan.plan_id)
    if settings.isolation != "none":
        _check_repository(workspace)


def _missing_labels(steps: Iterable[Step], settings: RunSettings) -> Iterator[Problem]:
    for step in steps:
        for label in step.resources.labels:
            if label not in settings.labels:
                yield Problem(
                    f"{step.id}.resources.labels",
                    f"nothing here offers the label {label!r}",
                    f'set run.labels = ["{label}"] in minipipe.toml if this machine does',
                )


def _check_repository(workspace: Workspace) -> None:
    """Isolated steps need a commit to start from."""
    if workspace.git_folder is None:
        raise EnvironmentUnfit(
            f"{workspace.root} is not in a git repository",
            hint='run `git init` and commit, or set "isolation": "none" in the plan\'s globals',
        )
    head = look_at_head(workspace.root)
    if head.trouble:
        raise EnvironmentUnfit(
            f"git cannot work in the repository {workspace.root}: {head.trouble}",
            hint=f"git -C {shlex.quote(str(workspace.root))} status says more",
        )
    if not head.has_commit:
        raise EnvironmentUnfit(
            f"the repository {workspace.root} has no commit yet",
            hint='commit once, or set "isolation": "none" in the plan\'s globals',
        )
