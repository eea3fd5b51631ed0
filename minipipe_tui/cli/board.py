"""What progress knows about a run: the state of the run and of each step, as events told it.

Pure: no clock, no drawing; `now` is monotonic time and comes from the caller. Steps are kept in groups by
what they do, so that neither an event nor a glance at the top of each group costs more in a longer plan.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING

from minipipe_tui.cli.wording import in_words, waits_for

if TYPE_CHECKING:
    from engine.events.event import Event

_AT_WORK = ("running", "validating", "retrying")
_ENDED = ("completed", "failed", "canceled", "skipped")
_RUN_ENDED = ("succeeded", "failed", "canceled")

_RUN_STATES = {
    "run_created": "pending",
    "run_started": "running",
    "run_resumed": "running",
    "run_recovered": "running",
    "run_pausing": "running",
    "run_canceling": "running",
    "run_paused": "paused",
    "run_quarantined": "quarantined",
    "run_succeeded": "succeeded",
    "run_failed": "failed",
    "run_canceled": "canceled",
}
"""What a run's events say about its state; those that are not here (a warning, an answered command) say nothing."""

_AIMS = {"run_pausing": "pausing", "run_canceling": "canceling"}
_STEP_STATES = {"step_started": "running"}


class Row:
    """One step."""

    __slots__ = ("ended", "number", "reason", "started", "state", "step_id")

    def __init__(self, step_id: str) -> None:
        self.step_id = step_id
        self.state = "pending"
        self.number = 0
        self.reason = ""
        self.started: float | None = None
        self.ended: float | None = None

    def seconds(self, now: float) -> float | None:
        """How long the present or the last attempt took so far."""
        if self.started is None:
            return None
        return (now if self.ended is None else self.ended) - self.started


class Board:
    """The run and its steps, in the order of the plan."""

    def __init__(
        self, steps: Iterable[str] | Mapping[str, str] = (), patches: Iterable[tuple[str, str, str]] = ()
    ) -> None:
        """`steps` may say which state each is in by now, and `patches` id, step and state of those there are."""
        self.rows = {step_id: Row(step_id) for step_id in steps}
        self.working: dict[str, Row] = {}
        self.failed: dict[str, Row] = {}
        self.ended_otherwise: dict[str, Row] = {}
        self.queued: dict[str, Row] = {}
        self.waiting = dict(self.rows)
        self.counts = {"waiting": len(self.rows)}
        """How many steps are in each state; all that have not begun count as waiting."""
        self._step_of_patch: dict[str, str] = {}
        self.run_id = ""
        self.run_state = "pending"
        self.aim = ""
        """What a running run is about to become: `pausing`, `canceling`, or nothing."""
        self.reason = ""
        self.started: float | None = None
        self.ended: float | None = None
        if isinstance(steps, Mapping):
            self._begin_with(steps, patches)

    def _begin_with(self, states: Mapping[str, str], patches: Iterable[tuple[str, str, str]]) -> None:
        """A run that goes on: nothing tells again what its steps have come to before."""
        for step_id, state in states.items():
            with self._moving(self.rows[step_id]) as row:
                row.state = state
        for patch_id, step_id, state in patches:
            self._step_of_patch[patch_id] = step_id
            if step_id in self.rows:
                _await(self.rows[step_id], waits_for(state))

    @property
    def is_over(self) -> bool:
        return self.run_state in _RUN_ENDED

    @property
    def ended_count(self) -> int:
        return len(self.failed) + len(self.ended_otherwise)

    @property
    def waiting_count(self) -> int:
        """How many steps have not begun, whether their turn has come or not."""
        return len(self.queued) + len(self.waiting)

    @property
    def is_ticking(self) -> bool:
        """Whether a clock on the screen moves although nothing happens."""
        return self.started is not None and self.ended is None

    def apply(self, event: "Event", now: float) -> Row | None:
        """Take an event in; the step that it is about, if it is about one."""
        self.run_id = event.run_id or self.run_id
        if event.entity_type == "run":
            if event.event_type in _RUN_STATES:
                self._apply_to_run(event, now)
            return None
        if event.entity_type in ("patch", "gate"):
            return self._apply_to_patch(event)
        step_id = event.metadata.get("step_id")
        if event.entity_type != "task" or step_id is None:
            return None
        state = event.to_state or _STEP_STATES.get(event.event_type) or event.event_type.partition("_")[2]
        with self._moving(self.rows.get(step_id) or self._new_row(step_id)) as row:
            _apply_to_step(row, state, event, now)
        return row

    def seconds(self, now: float) -> float:
        if self.started is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.started

    def visible(self, room: int) -> list[Row]:
        """The rows that deserve a place, given that there is room for so many.

        The plan's order if all fit; else what is at work, then what ended (failures first, then the newest;
        half of the room that is left, or more where little waits), then what comes next.
        """
        if len(self.rows) <= room:
            return list(self.rows.values())
        chosen = list(islice(self.working.values(), room))
        left = room - len(chosen)
        for_ended = max(left - self.waiting_count, (left + 1) // 2)
        for group in (self.failed, self.ended_otherwise):
            newest = list(islice(reversed(group.values()), for_ended))
            chosen += newest
            for_ended -= len(newest)
        return chosen + list(islice(chain(self.queued.values(), self.waiting.values()), room - len(chosen)))

    def _new_row(self, step_id: str) -> Row:
        """A step that nobody announced."""
        row = self.rows[step_id] = self.waiting[step_id] = Row(step_id)
        self._count(row, +1)
        return row

    @contextmanager
    def _moving(self, row: Row) -> Iterator[Row]:
        """Change the state of a row: it leaves its group and joins the one where it belongs then."""
        self._count(row, -1)
        del self._group(row)[row.step_id]
        yield row
        self._group(row)[row.step_id] = row
        self._count(row, +1)

    def _apply_to_patch(self, event: "Event") -> Row | None:
        """What a step's change, or a check of it, has come to; the step that it is about."""
        patch_id = event.metadata.get("patch_id") if event.entity_type == "gate" else event.entity_id
        step_id = event.metadata.get("step_id") or self._step_of_patch.get(patch_id or "")
        if step_id is None:
            return None
        if patch_id is not None:
            self._step_of_patch[patch_id] = step_id
        row = self.rows.get(step_id)
        if row is not None and event.to_state is not None:
            _await(row, _awaited(event))
        return row

    def _group(self, row: Row) -> dict[str, Row]:
        if row.state in _AT_WORK:
            return self.working
        if row.state == "failed":
            return self.failed
        if row.state in _ENDED:
            return self.ended_otherwise
        return self.queued if row.state == "queued" else self.waiting

    def _count(self, row: Row, change: int) -> None:
        group = self._group(row)
        key = "waiting" if group is self.waiting or group is self.queued else row.state
        self.counts[key] = self.counts.get(key, 0) + change

    def _apply_to_run(self, event: "Event", now: float) -> None:
        state = self.run_state = _RUN_STATES[event.event_type]
        self.aim = _AIMS.get(event.event_type, "")
        self.reason = in_words(event.reason)
        if state == "running" and self.ended is not None:
            self.started, self.ended = now, None
        if state == "running" and self.started is None:
            self.started = now
        elif state not in ("pending", "running"):
            self.ended = now


def _awaited(event: "Event") -> str:
    """What is waited for, now that a patch or a check of one has come to a state."""
    if event.entity_type == "patch":
        return waits_for(event.to_state or "")
    return f"the check {event.metadata.get('name', '')}" if event.to_state == "running" else ""


def _await(row: Row, what: str) -> None:
    if what and row.state == "validating":
        row.reason = f"waits for {what}"


def _apply_to_step(row: Row, state: str, event: "Event", now: float) -> None:
    row.state = state
    row.reason = in_words(event.reason, event.metadata.get("message"))
    if state == "running":
        row.started, row.ended = now, None
        row.number = int(event.metadata.get("number", row.number + 1))
    elif (state == "retrying" or state in _ENDED) and row.ended is None:
        row.ended = now
