"""Every type of event there is: its name, how serious it is, and what it says.

The one list that the journal, the audit trail, the screens and the docs read. Names are lower case and past
tense where English allows it. A move in a state table always has a type here: `<entity>_<to_state>`, but for
runs and tasks, whose names are older than the rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.events.event import Severity
from engine.states import MACHINES


@dataclass(frozen=True, slots=True)
class EventType:
    """One line of the catalogue."""

    name: str
    severity: str
    says: str


_types: dict[str, EventType] = {}
CATALOGUE: Mapping[str, EventType] = MappingProxyType(_types)


def _type(name: str, severity: Severity, says: str) -> None:
    if name in _types:
        raise ValueError(f"the event type {name} is listed twice")
    _types[name] = EventType(name, severity.value, says)


_D, _I, _W, _E = Severity.DEBUG, Severity.INFO, Severity.WARNING, Severity.ERROR

_type("run_created", _I, "a run was made from a plan and waits to be started")
_type("run_started", _I, "a run began to execute")
_type("run_resumed", _I, "a run went on after a pause, a quarantine or a change of owner")
_type("run_pausing", _I, "a run starts nothing new and waits for its running attempts")
_type("run_paused", _W, "a run stands still until somebody decides or it is resumed")
_type("run_quarantined", _E, "a run was stopped because a critical patch cannot be trusted")
_type("run_canceling", _I, "a run is being canceled; its final steps still run")
_type("run_succeeded", _I, "a run ended and everything that matters in it succeeded")
_type("run_failed", _E, "a run ended and something that matters in it failed")
_type("run_canceled", _W, "a run ended because somebody canceled it")
_type("run_recovered", _W, "a run whose owner had died was taken over")

_type("step_pending", _D, "a step waits for the steps that it depends on")
_type("step_blocked", _W, "a step cannot go on because of another step")
_type("step_queued", _D, "a step is ready and waits for a free place")
_type("step_started", _I, "an attempt at a step was started")
_type("step_validating", _I, "a step's result is being captured, checked, reviewed or applied")
_type("step_retrying", _W, "a step failed and will be tried again")
_type("step_completed", _I, "a step is done and its change, if any, is committed")
_type("step_failed", _E, "a step failed for good")
_type("step_canceled", _W, "a step was canceled")
_type("step_skipped", _I, "a step was not run because it was not needed or not wanted")
_type("step_orphaned", _W, "an attempt was found whose owner had died")
_type("step_output", _D, "a step left values for later steps")

_type("attempt_running", _D, "an attempt was claimed and is being started")
_type("attempt_succeeded", _D, "an attempt ended well")
_type("attempt_failed", _W, "an attempt ended badly")
_type("attempt_canceled", _D, "an attempt was ended by a cancel")

_type("patch_created", _I, "a change was captured as a patch")
_type("patch_validated", _I, "a patch passed the checks that need no gate")
_type("patch_awaiting_review", _W, "a patch waits for a person's decision")
_type("patch_queued", _I, "a patch may be applied and waits for its turn")
_type("patch_applied", _I, "a patch was merged with the head of its run and is to be verified")
_type("patch_apply_failed", _W, "a patch conflicts with the head of its run")
_type("patch_verified", _I, "a patch passed its gates")
_type("patch_committed", _I, "a patch is on its run's integration branch")
_type("patch_quarantined", _E, "a patch was set aside because it cannot be trusted")
_type("patch_rolled_back", _W, "a patch was undone")
_type("patch_dropped", _I, "a patch was given up and is kept for the record")
_type("patch_superseded", _I, "a patch was replaced by a newer one")

_type("patch_rebased", _I, "a patch that waits for review was brought onto the new head of its run")
_type("patch_released", _W, "a person took a patch out of quarantine")

_type("review_approved", _I, "a person approved a patch, or a part of it")
_type("review_rejected", _W, "a person rejected a patch")
_type("review_changes_requested", _I, "a person sent a patch back with comments")
_type("review_commented", _I, "a person commented on a patch")
_type("review_void", _W, "a decision did not count: the patch had changed since")

_type("promotion_done", _I, "the target branch was moved to what a run has committed")
_type("promotion_refused", _W, "the target branch was left as it is, and why")
_type("run_rolled_back", _W, "what a run had committed was undone")

_type("gate_pending", _D, "a check on a patch is to be run")
_type("gate_blocked", _W, "a check cannot run because another one has not passed")
_type("gate_running", _D, "a check was started")
_type("gate_passed", _I, "a check passed")
_type("gate_failed", _E, "a check failed")
_type("gate_canceled", _D, "a check was canceled")

_type("workstream_planned", _D, "a workstream was made")
_type("workstream_blocked", _W, "a workstream waits for another one that has not completed")
_type("workstream_ready", _D, "a workstream may begin")
_type("workstream_executing", _I, "a workstream's first task began")
_type("workstream_validating", _I, "a workstream's tasks have ended and are being checked")
_type("workstream_completed", _I, "a workstream is done")
_type("workstream_failed", _E, "a workstream failed")
_type("workstream_canceled", _W, "a workstream was canceled")
_type("workstream_skipped", _I, "a workstream had nothing to do")

_type("worker_idle", _D, "a worker waits for work")
_type("worker_busy", _D, "a worker began an attempt")
_type("worker_paused", _I, "a worker takes no new work")
_type("worker_failed", _W, "a worker was lost")
_type("worker_shutdown", _D, "a worker ended")

_type("breaker_closed", _I, "a tool may be used")
_type("breaker_open", _W, "a tool failed too often and is not used for a while")
_type("breaker_half_open", _I, "a tool is being tried again")

_type("session_created", _I, "a conversation with an agent was registered")
_type("session_active", _I, "a conversation with an agent goes on")
_type("session_paused", _I, "a conversation with an agent was paused")
_type("session_completed", _I, "a conversation with an agent ended well")
_type("session_failed", _W, "a conversation with an agent ended badly")

_type("gap_discovered", _I, "something missing or wrong was found")
_type("gap_clustered", _D, "a gap was put together with others like it")
_type("gap_planned", _I, "a gap is part of a plan")
_type("gap_in_progress", _I, "a gap is being worked on")
_type("gap_resolved", _I, "a gap is gone, which a new search has shown")
_type("gap_deferred", _I, "a gap was put off")

_type("planning_complete", _I, "a plan was made and may be executed")
_type("command_done", _I, "what somebody asked for was done")
_type("command_refused", _W, "what somebody asked for cannot be done in the present state")
_type("log_capped", _W, "a step printed more than its log may hold; the middle was cut")
_type("warning", _W, "something is not as it should be and does not stop the work")

_RUN_NAMES = {
    (None, "pending"): "run_created",
    (None, "running"): "run_started",
    ("pending", "running"): "run_started",
    ("paused", "running"): "run_resumed",
    ("quarantined", "running"): "run_resumed",
    # Another process took over: the state stays, the owner changes.
    ("running", "running"): "run_resumed",
}


def _name(entity: str, from_state: str | None, to_state: str) -> str:
    if entity == "run" and (from_state, to_state) in _RUN_NAMES:
        return _RUN_NAMES[from_state, to_state]
    if entity == "task":
        return "step_started" if to_state == "running" else f"step_{to_state}"
    return f"{entity}_{to_state}"


def _names() -> dict[tuple[str, str | None, str], str]:
    """The type of every move in every table; an entity may be born in any state (carried over, imported)."""
    moves: set[tuple[str, str | None, str]] = {("run", "running", "running")}
    for entity, machine in MACHINES.items():
        moves.update((entity, None, state) for state in machine.states())
        moves.update((entity, source, to.value) for source in machine.states() for to in machine.allowed(source))
    return {move: _name(*move) for move in moves}


_by_move = _names()


def event_type_for(entity: str, from_state: str | None, to_state: str) -> str:
    """The type of the event that tells of a move, or of a birth (`from_state` None); else KeyError."""
    return _by_move[entity, from_state, to_state]


def severity_of(event_type: str) -> str:
    """How serious an event of a type is. KeyError for a type that the catalogue does not list."""
    return _types[event_type].severity
