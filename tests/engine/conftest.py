"""A folder in which runs are made and driven, by a script or for real."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.backends.contract import ScriptedEnd
from engine.backends.scripted import ScriptedBackend
from engine.clock import monotonic
from engine.executor.control import Control
from engine.orchestrator import Orchestrator
from engine.store import queries
from engine.store.documents import run_document
from engine.store.records import TaskRecord
from tests.engine.landing import Landing

Script = Mapping[str, Sequence[ScriptedEnd]]
NO_WAIT = {"initial_seconds": 0, "jitter": 0}


class Stage:
    """A store of its own, and short ways to runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orchestrator = Orchestrator(folder / ".minipipe" / "state.db", environ={"PATH": os.environ["PATH"]})

    def create(self, *steps: dict[str, Any], **plan: Any) -> str:
        """A pending run; `declared` are the plan's variables, `variables` their values. Steps are retried at once."""
        variables = plan.pop("variables", None)
        plan["globals"] = {"isolation": "none", **plan.get("globals", {})}
        plan.setdefault("finally", [])
        plan["finally"] = [_whole(step) for step in plan["finally"]]
        plan["variables"] = plan.pop("declared", {})
        document = {"version": "1.0", "plan_id": "plan", "steps": [_whole(step) for step in steps], **plan}
        return self.orchestrator.create_run(document, variables=variables)

    def drive(self, run_id: str, script: Script | None = None, *, slots: int = 4, **how: Any) -> dict[str, Any]:
        """Execute a run by a script; answer its document."""
        backend = ScriptedBackend(script or {}, slots)
        self.orchestrator.execute_run(run_id, backend=backend, **how)
        return self.document(run_id)

    def play(self, *steps: dict[str, Any], script: Script | None = None, **plan: Any) -> dict[str, Any]:
        """Make a run and execute it by a script; answer its document."""
        return self.drive(self.create(*steps, **plan), script)

    def perform(self, *steps: dict[str, Any], **plan: Any) -> dict[str, Any]:
        """Make a run and execute it with real processes; answer its document."""
        run_id = self.create(*steps, **plan)
        self.orchestrator.execute_run(run_id)
        return self.document(run_id)

    def document(self, run_id: str) -> dict[str, Any]:
        assert queries.inconsistencies(self.orchestrator.database) == []
        return run_document(self.orchestrator.database, run_id)

    def tasks(self, run_id: str) -> dict[str, TaskRecord]:
        return {task.step_id: task for task in queries.tasks_of(self.orchestrator.database, run_id)}

    def states(self, run_id: str) -> dict[str, str]:
        return {step_id: told(task.state, task.reason) for step_id, task in self.tasks(run_id).items()}

    def workstreams(self, run_id: str) -> dict[str, str]:
        found = queries.workstreams_of(self.orchestrator.database, run_id)
        return {workstream.name: workstream.state for workstream in found}

    def started(self, run_id: str) -> list[str]:
        """The steps in the order in which their attempts were begun."""
        return [attempt.step_id for attempt in queries.attempts_of(self.orchestrator.database, run_id)]

    def event_types(self, run_id: str) -> list[str]:
        return [event.event_type for event in queries.events_after(self.orchestrator.database, 0, run_id=run_id)]


class Prompter(ScriptedBackend):
    """A scripted backend that lets something happen after the first attempts were started."""

    def __init__(self, script: Script, slots: int, happening: Callable[[], None]) -> None:
        super().__init__(script, slots)
        self._happening: Callable[[], None] | None = happening

    def wait(self, timeout: float | None) -> list[Any]:
        happening, self._happening = self._happening, None
        if happening is not None:
            happening()
        # As with processes, whoever calls is heard before anything else happens.
        return [] if self._selector.select(0) else super().wait(timeout)


def told(state: str, reason: str | None) -> str:
    return f"{state}({reason})" if reason else state


def outline(document: Mapping[str, Any]) -> dict[str, str]:
    """How each task of a run's document stands."""
    return {task["step_id"]: told(task["state"], task["reason"]) for task in document["tasks"]}


def outcomes(document: Mapping[str, Any], step_id: str) -> list[str]:
    """The outcomes of a step's attempts, the first first."""
    (task,) = [task for task in document["tasks"] if task["step_id"] == step_id]
    return [attempt["outcome"] for attempt in task["attempts"]]


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    until = monotonic() + seconds
    while not condition():
        assert monotonic() < until, "it never came about"
        os.sched_yield()


def _whole(step: dict[str, Any]) -> dict[str, Any]:
    is_working = {"command", "shell", "tool"} & step.keys()
    return {"backoff": NO_WAIT, **step} if is_working else {"backoff": NO_WAIT, "command": ["true"], **step}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    with made.orchestrator:
        yield made


@pytest.fixture
def control() -> Iterator[Control]:
    made = Control()
    yield made
    made.close()


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without anything in it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Landing]:
    """A repository whose branches move."""
    made = Landing(tmp_path / "repo")
    yield made
    made.close()
