"""The checks of one commit: each executed in a worktree at that commit, whose changes are thrown away.

Knows nothing of patches' states: it is given a commit and gates, hands out work orders, takes their ends, and says at
last whether all have passed. A gate whose dependency did not pass fails without being started.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.backends.contract import AttemptEnd, EndedBy, ProcessFacts, WorkOrder
from engine.errors import MinipipeError, WorktreeUnavailable
from engine.executor.workplaces import Workplaces, after_setup
from engine.ids import new_id
from engine.plan.invocation import resolve_gate
from engine.plan.plan import Gate, Values
from engine.states import GateState
from engine.store.journal import Journal
from engine.store.records import GateRecord


@dataclass(frozen=True, slots=True)
class Setting:
    """What all gates of a run have in common."""

    journal: Journal
    places: Workplaces
    values: Values
    run_id: str
    environment: Mapping[str, str]
    logs: Path
    timeout_seconds: float | None
    grace_seconds: float
    log_cap_bytes: int
    setup: str | None = None
    """What is run in a worktree before anything else."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked, and for whom."""

    commit: str
    patch_id: str | None
    step_id: str
    purpose: str = "verify"
    before: tuple[str, ...] = ()
    """The steps whose kept files the checks may need."""


class Check:
    """One round of gates over one commit."""

    def __init__(self, setting: Setting, subject: Subject, gates: Sequence[Gate]) -> None:
        self.subject = subject
        self._setting = setting
        self._gates = {gate.id: gate for gate in gates}
        self._records: dict[str, GateRecord] = {}
        self._running: dict[str, str] = {}
        with setting.journal.group():
            for gate in gates:
                self._records[gate.id] = self._row(gate)

    def _row(self, gate: Gate) -> GateRecord:
        gate_id = new_id("gate")
        record = GateRecord(
            gate_id=gate_id,
            run_id=self._setting.run_id,
            patch_id=self.subject.patch_id,
            step_id=self.subject.step_id,
            name=gate.id,
            type=gate.type,
            purpose=self.subject.purpose,
            commit_id=self.subject.commit,
            log_path=str(self._setting.logs / f"{gate.id}.{gate_id}.log"),
            created_at=self._setting.journal.now(),
        )
        self._setting.journal.add(record)
        return record

    # -- asked -----------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return all(record.state in _ENDED for record in self._records.values())

    @property
    def is_working(self) -> bool:
        return bool(self._running)

    @property
    def failures(self) -> list[str]:
        """Why it did not pass, a line for each gate that did not."""
        return [
            f"{record.name}: {record.message or record.reason or record.state}"
            for record in self._records.values()
            if record.state in (GateState.FAILED, GateState.CANCELED)
        ]

    def runs(self, gate_id: str) -> bool:
        return gate_id in self._running

    # -- told ------------------------------------------------------------------------------------------

    def start(self, room: int) -> list[WorkOrder]:
        """The orders for gates that may be started now; each is on record as running."""
        orders: list[WorkOrder] = []
        places = self._setting.places.room()
        room = room if places is None else min(room, places)
        for name, record in list(self._records.items()):
            if record.state != GateState.PENDING:
                continue
            waits_for = [self._records[other] for other in self._gates[name].depends_on]
            if any(other.state in (GateState.FAILED, GateState.CANCELED) for other in waits_for):
                self._fail_unstarted(name, "a check that it depends on did not pass")
            elif len(orders) < room and all(other.state == GateState.PASSED for other in waits_for):
                orders += self._start_one(name)
        return orders

    def _start_one(self, name: str) -> Iterable[WorkOrder]:
        gate, record = self._gates[name], self._records[name]
        try:
            order = self._order(gate, record)
        except (MinipipeError, OSError) as error:
            self._setting.places.close(record.gate_id)
            if isinstance(error, WorktreeUnavailable) and error.retryable:
                return  # Others use all that there may be: it stays pending.
            self._fail_unstarted(name, str(error))
            return
        self._move(name, GateState.RUNNING, started_at=self._setting.journal.now())
        self._running[record.gate_id] = name
        yield order

    def _order(self, gate: Gate, record: GateRecord) -> WorkOrder:
        setting, subject = self._setting, self.subject
        invocation = resolve_gate(gate, setting.values)
        place = setting.places.open(record.gate_id, subject.commit, step_id=subject.step_id, before=subject.before)
        if gate.id == HOOK and place.worktree is not None:
            # As if the change had just been staged: that is what such a hook looks at.
            place.worktree.git().tell("update-ref", "--no-deref", "HEAD", f"{subject.commit}^")
        setup = setting.setup if place.worktree is not None else None
        timeout = gate.timeout_seconds if gate.timeout_seconds is not None else setting.timeout_seconds
        return WorkOrder(
            attempt_id=record.gate_id,
            run_id=setting.run_id,
            step_id=subject.step_id,
            number=1,
            argv=invocation.argv if setup is None else after_setup(setup, invocation),
            cwd=place.root,
            env={
                **setting.environment,
                **place.environment,
                **invocation.env,
                "MINIPIPE_STEP_ID": subject.step_id,
                "MINIPIPE_GATE": gate.id,
                "MINIPIPE_ATTEMPT_ID": record.gate_id,
            },
            log_path=Path(record.log_path),
            log_cap_bytes=setting.log_cap_bytes,
            timeout_seconds=timeout,
            grace_seconds=setting.grace_seconds,
            # Whether it is given one or not: it may find one in what a step has left.
            secrets=setting.values.secrets,
        )

    def settle(self, end: AttemptEnd) -> None:
        """Note how a gate ended."""
        name = self._running.pop(end.attempt_id)
        self._setting.places.close(end.attempt_id)
        state, reason, message = _verdict(end)
        self._move(
            name,
            state,
            reason=reason,
            exit_code=end.exit_code,
            message=message,
            duration_seconds=round(end.duration_seconds, 6),
            ended_at=self._setting.journal.now(),
        )

    def cancel(self) -> list[str]:
        """Give up what has not begun; answer the gates that run and have to be stopped."""
        for name, record in self._records.items():
            if record.state == GateState.PENDING:
                self._move(name, GateState.CANCELED, reason="canceled", ended_at=self._setting.journal.now())
        return list(self._running)

    def note_facts(self, gate_id: str, facts: ProcessFacts | None) -> None:
        """Which process executes a gate, so that it is found after our death."""
        name = self._running[gate_id]
        record = self._records[name]
        if facts is not None and record.pid is None:
            self._records[name] = self._setting.journal.amend(
                record, pid=facts.pid, process_started=facts.started, boot_id=facts.boot_id
            )

    @property
    def running(self) -> list[str]:
        return list(self._running)

    def _fail_unstarted(self, name: str, why: str) -> None:
        """The table knows no way from pending to failed: it counts as begun and ended in one moment."""
        now = self._setting.journal.now()
        self._move(name, GateState.RUNNING, started_at=now)
        self._move(name, GateState.FAILED, reason="not_started", message=why, ended_at=now)

    def _move(self, name: str, state: GateState, *, reason: str | None = None, **columns: Any) -> None:
        record = self._records[name]
        self._records[name] = self._setting.journal.move(
            record,
            state,
            trigger="gate",
            reason=reason,
            metadata={"name": name, "patch_id": record.patch_id, "step_id": record.step_id},
            **columns,
        )


_ENDED = (GateState.PASSED, GateState.FAILED, GateState.CANCELED)


def _verdict(end: AttemptEnd) -> tuple[GateState, str | None, str | None]:
    if end.ended_by is EndedBy.CANCEL:
        return GateState.CANCELED, "canceled", None
    if end.ended_by is EndedBy.EXIT and end.exit_code == 0:
        return GateState.PASSED, None, None
    if end.ended_by is EndedBy.TIMEOUT:
        return GateState.FAILED, "timeout", end.message
    if end.ended_by is EndedBy.SPAWN:
        return GateState.FAILED, "spawn", end.message
    return GateState.FAILED, "failed", end.message or f"exit code {end.exit_code}"


HOOK = "git:pre-commit"
"""The gate that is the repository's own hook; no plan can give a gate this name."""


def hook_gate(git_folder: Path) -> list[Gate]:
    """The repository's pre-commit hook as a gate, if there is one that can be started."""
    hook = git_folder / "hooks" / "pre-commit"
    return [Gate(HOOK, "CUSTOM", command=(str(hook),))] if os.access(hook, os.X_OK) else []


def needed_gates(names: Sequence[str], gates: Iterable[Gate]) -> list[Gate]:
    """The named gates and those that they depend on, in the order of the plan."""
    by_id = {gate.id: gate for gate in gates}
    needed, waiting = set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed and name in by_id:
            needed.add(name)
            waiting.extend(by_id[name].depends_on)
    return [gate for gate in by_id.values() if gate.id in needed]
