"""Workstreams follow their tasks: ready with the first, executing with the first attempt, ended with the last.

Runs whose steps name no workstream pay nothing for this.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.states import TaskState, TaskStateMachine, WorkstreamState
from engine.store.journal import Journal
from engine.store.records import TaskRecord, WorkstreamRecord


class WorkstreamFollower:
    """Told of every task that moved; moves the workstream when its derived state changed."""

    def __init__(
        self, journal: Journal, workstreams: Iterable[WorkstreamRecord], tasks: Mapping[str, TaskRecord]
    ) -> None:
        self._journal = journal
        self._by_name = {workstream.name: workstream for workstream in workstreams}
        self._members: dict[str, list[str]] = {name: [] for name in self._by_name}
        self._open: dict[str, int] = dict.fromkeys(self._by_name, 0)
        for step_id, task in tasks.items():
            if task.workstream:
                self._members[task.workstream].append(step_id)
                self._open[task.workstream] += not TaskStateMachine.is_terminal(task.state)

    def follow(self, task: TaskRecord, tasks: Mapping[str, TaskRecord]) -> None:
        """Take note of a task that has just moved."""
        name = task.workstream
        if name is None:
            return
        if task.state == TaskState.QUEUED and self._by_name[name].state == WorkstreamState.PLANNED:
            self._move(name, WorkstreamState.READY)
        elif task.state == TaskState.RUNNING and self._by_name[name].state == WorkstreamState.READY:
            self._move(name, WorkstreamState.EXECUTING, started_at=self._journal.now())
        elif TaskStateMachine.is_terminal(task.state):
            self._open[name] -= 1
            if self._open[name] == 0:
                self._end(name, [tasks[step_id] for step_id in self._members[name]])

    def _end(self, name: str, members: list[TaskRecord]) -> None:
        final = _final_state(members)
        if self._by_name[name].state == WorkstreamState.EXECUTING:
            self._move(name, WorkstreamState.VALIDATING)
            self._move(name, final, ended_at=self._journal.now())
        else:
            never_ran = WorkstreamState.CANCELED if final == WorkstreamState.CANCELED else WorkstreamState.SKIPPED
            self._move(name, never_ran, ended_at=self._journal.now())

    def _move(self, name: str, state: WorkstreamState, **columns: Any) -> None:
        self._by_name[name] = self._journal.move(self._by_name[name], state, trigger="tasks", **columns)


def _final_state(members: list[TaskRecord]) -> WorkstreamState:
    if any(task.state == TaskState.CANCELED for task in members):
        return WorkstreamState.CANCELED
    if any(task.state == TaskState.FAILED or (task.critical and not succeeded(task)) for task in members):
        return WorkstreamState.FAILED
    return WorkstreamState.COMPLETED


UNREACHED = ("dependency_failed", "fail_fast")
"""Why a task was skipped although it was meant to run; every other skip counts as success."""


def succeeded(task: TaskRecord) -> bool:
    """Whether whoever depends on an ended task may go on."""
    return task.state == TaskState.COMPLETED or (task.state == TaskState.SKIPPED and task.reason not in UNREACHED)
