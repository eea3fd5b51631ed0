"""A plan taken through the real loop without starting anything: what would be started, in which order.

It uses a store of its own that is thrown away, a backend that starts nothing, and takes every step's evidence for
granted; values that steps would leave are shown as `<step.key>`.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.backends.contract import WorkOrder
from engine.backends.dry import DryBackend
from engine.executor.attempts import Attempts
from engine.executor.control import Control
from engine.executor.creation import write_run
from engine.executor.demands import check_demands
from engine.executor.inbox import Inbox
from engine.executor.loop import RunLoop
from engine.executor.opening import build_scheduler, open_book
from engine.executor.runbook import Runbook, RunScript
from engine.executor.settings import RunSettings
from engine.plan.condition import needs_outputs
from engine.plan.expansion import expand
from engine.plan.plan import Plan, Step
from engine.plan.variables import bind_variables
from engine.states import RunState
from engine.store.database import Database
from engine.store.documents import run_document
from engine.store.journal import Journal
from engine.workspace import Workspace


class _Values(dict[str, str]):
    """The values of a step that has not run."""

    def __init__(self, step_id: str) -> None:
        super().__init__()
        self._step_id = step_id

    def __missing__(self, key: str) -> str:
        return f"<{self._step_id}.{key}>"


class _Outputs(dict[str, Mapping[str, str]]):
    """The values of steps that have not run."""

    def __missing__(self, step_id: str) -> Mapping[str, str]:
        return _Values(step_id)


def rehearse_run(
    workspace: Workspace, plan: Plan, *, settings: RunSettings, variables: Mapping[str, str]
) -> tuple[dict[str, Any], list[WorkOrder]]:
    """The document of a run in which all goes well, and the orders it would give."""
    values = bind_variables(plan, variables, os.environ)
    steps = expand(plan, values)
    check_demands(plan, steps, settings, workspace)
    with TemporaryDirectory(prefix="minipipe-dry-") as scratch:
        there = Workspace(workspace.root, Path(scratch), workspace.git_folder)
        script = RunScript(plan, {step.id: _taken_for_granted(step) for step in steps}, values, settings, there)
        with Database(there.database_path) as database:
            journal = Journal(database)
            run = write_run(journal, plan, steps, values, settings, workspace=there.root)
            book = open_book(journal, run, script)
            book.outputs = _Outputs()
            book.move_run(RunState.RUNNING, trigger="execute")
            return _play(book, database)


def _taken_for_granted(step: Step) -> Step:
    """The step without what only a real run can decide: the files it leaves, and conditions on values of others."""
    is_open = step.when is not None and needs_outputs(step.when)
    return replace(step, outputs=(), when=None if is_open else step.when)


def _play(book: Runbook, database: Database) -> tuple[dict[str, Any], list[WorkOrder]]:
    backend = DryBackend(book.script.settings.max_concurrent)
    control = Control()
    try:
        inbox = Inbox(database, book.run.run_id)
        RunLoop(book, Attempts(book), build_scheduler(book, {}), backend, control, inbox).execute()
    finally:
        control.close()
        backend.close()
    return run_document(database, book.run.run_id), backend.orders
