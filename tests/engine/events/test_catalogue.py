"""The catalogue has a type for every move, and nothing that means nothing."""

import pytest

from engine.events.catalogue import CATALOGUE, event_type_for, severity_of
from engine.events.event import Severity
from engine.states import MACHINES

MOVES = [
    (entity, source, to.value)
    for entity, machine in MACHINES.items()
    for source in machine.states()
    for to in sorted(machine.allowed(source))
] + [(entity, None, state) for entity, machine in MACHINES.items() for state in machine.states()]

FURTHER = {
    "run_pausing", "run_canceling", "run_recovered", "step_orphaned", "step_output",
    "patch_rebased", "patch_released", "review_approved", "review_rejected", "review_changes_requested",
    "review_commented", "review_void", "promotion_done", "promotion_refused", "run_rolled_back",
    "planning_complete", "warning", "log_capped", "command_done", "command_refused",
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_every_move_of_every_table_has_a_type_in_the_catalogue(move: tuple[str, str | None, str]) -> None:
    assert event_type_for(*move) in CATALOGUE


@pytest.mark.parametrize(
    ("entity", "source", "to", "name"),
    [
        ("run", None, "pending", "run_created"),
        ("run", "pending", "running", "run_started"),
        ("run", "paused", "running", "run_resumed"),
        ("run", "quarantined", "running", "run_resumed"),
        ("run", "running", "running", "run_resumed"),
        ("run", "running", "paused", "run_paused"),
        ("run", "running", "succeeded", "run_succeeded"),
        ("task", "queued", "running", "step_started"),
        ("task", "running", "validating", "step_validating"),
        ("task", "validating", "completed", "step_completed"),
        ("task", None, "skipped", "step_skipped"),
        ("patch", "created", "validated", "patch_validated"),
        ("gate", "running", "passed", "gate_passed"),
        ("attempt", "running", "succeeded", "attempt_succeeded"),
        ("workstream", "planned", "ready", "workstream_ready"),
        ("breaker", "closed", "open", "breaker_open"),
    ],
)
def test_moves_have_their_documented_names(entity: str, source: str | None, to: str, name: str) -> None:
    assert event_type_for(entity, source, to) == name


def test_what_is_no_move_has_no_type() -> None:
    with pytest.raises(KeyError):
        event_type_for("run", "succeeded", "running")


def test_the_catalogue_holds_moves_and_the_listed_further_facts_and_nothing_else() -> None:
    assert set(CATALOGUE) == {event_type_for(*move) for move in MOVES} | FURTHER


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_type_is_lower_case_has_a_severity_and_says_something(name: str) -> None:
    kind = CATALOGUE[name]
    assert (kind.name, name) == (name, name.lower())
    assert severity_of(name) == kind.severity in set(Severity)
    assert len(kind.says) > 10
    assert "\n" not in kind.says


def test_failures_are_errors_and_waiting_for_a_person_is_a_warning() -> None:
    errors = ("run_failed", "step_failed", "gate_failed", "patch_quarantined", "run_quarantined")
    assert {severity_of(name) for name in errors} == {"error"}
    assert severity_of("patch_awaiting_review") == "warning"


def test_the_catalogue_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["mine"] = CATALOGUE["warning"]  # type: ignore[index]
