"""The state tables against the contract, written down here a second time, and every pair of states tried."""

from itertools import product

import pytest

from engine.errors import InvalidTransition
from engine.states import MACHINES, StateMachine

CONTRACT = {
    "run": """
        pending: running canceled failed
        running: paused quarantined succeeded failed canceled
        paused: running failed canceled
        quarantined: running failed canceled
        succeeded: -
        failed: -
        canceled: -
    """,
    "task": """
        pending: queued blocked skipped canceled
        blocked: pending skipped canceled
        queued: running pending canceled skipped
        running: validating retrying failed canceled
        validating: completed retrying failed canceled
        retrying: queued failed canceled
        completed: -
        failed: -
        canceled: -
        skipped: -
    """,
    "attempt": """
        running: succeeded failed canceled
        succeeded: -
        failed: -
        canceled: -
    """,
    "workstream": """
        planned: ready blocked skipped canceled
        blocked: ready skipped canceled
        ready: executing skipped canceled
        executing: validating failed canceled
        validating: completed failed canceled
        completed: -
        failed: -
        canceled: -
        skipped: -
    """,
    "worker": """
        idle: busy paused failed shutdown
        busy: idle failed shutdown
        paused: idle shutdown
        failed: idle shutdown
        shutdown: -
    """,
    "patch": """
        created: validated quarantined dropped
        validated: queued awaiting_review quarantined dropped
        awaiting_review: queued dropped superseded quarantined
        queued: applied apply_failed awaiting_review quarantined dropped
        apply_failed: queued superseded quarantined dropped
        applied: verified rolled_back quarantined
        verified: committed rolled_back quarantined
        committed: rolled_back
        quarantined: validated superseded dropped
        rolled_back: -
        dropped: -
        superseded: -
    """,
    "gate": """
        pending: running blocked canceled
        blocked: pending canceled
        running: passed failed canceled
        passed: -
        failed: -
        canceled: -
    """,
    "breaker": """
        closed: open
        open: half_open closed
        half_open: closed open
    """,
    "session": """
        created: active failed
        active: paused completed failed
        paused: active completed failed
        completed: -
        failed: -
    """,
    "gap": """
        discovered: clustered deferred
        clustered: planned deferred discovered
        planned: in_progress deferred
        in_progress: resolved planned deferred
        deferred: discovered
        resolved: -
    """,
}

INITIAL = {
    "run": "pending",
    "task": "pending",
    "attempt": "running",
    "workstream": "planned",
    "worker": "idle",
    "patch": "created",
    "gate": "pending",
    "breaker": "closed",
    "session": "created",
    "gap": "discovered",
}


def table(entity: str) -> dict[str, set[str]]:
    rows = (line.strip().split(": ") for line in CONTRACT[entity].strip().splitlines())
    return {state: set(targets.split()) - {"-"} for state, targets in rows}


TABLES = {entity: table(entity) for entity in CONTRACT}
MOVES = [
    (entity, start, end, end in rows[start]) for entity, rows in TABLES.items() for start, end in product(rows, rows)
]
ENTITIES = sorted(CONTRACT)


def test_there_is_a_machine_for_every_entity_of_the_contract() -> None:
    assert sorted(MACHINES) == ENTITIES
    assert all(machine.entity == entity for entity, machine in MACHINES.items())


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_machine_has_exactly_the_states_of_the_contract(entity: str) -> None:
    assert set(MACHINES[entity].states()) == set(TABLES[entity])
    assert MACHINES[entity].initial == INITIAL[entity]


@pytest.mark.parametrize(("entity", "start", "end", "is_allowed"), MOVES)
def test_a_move_is_accepted_if_it_is_listed_and_refused_with_its_story_if_not(
    entity: str, start: str, end: str, *, is_allowed: bool
) -> None:
    machine = MACHINES[entity]
    if is_allowed:
        machine.validate_transition(start, end)
        return
    with pytest.raises(InvalidTransition) as caught:
        machine.validate_transition(start, end, entity_id="it_1")
    error = caught.value
    assert (error.entity, error.entity_id, error.from_state, error.to_state) == (entity, "it_1", start, end)
    assert set(error.allowed) == TABLES[entity][start]
    for word in (entity, "it_1", start, end, *TABLES[entity][start]):
        assert word in str(error)


@pytest.mark.parametrize("entity", ENTITIES)
def test_exactly_the_final_states_of_the_contract_are_final(entity: str) -> None:
    machine = MACHINES[entity]
    final = {state for state, targets in TABLES[entity].items() if not targets}
    assert set(machine.terminal()) == final
    assert {state for state in machine.states() if machine.is_terminal(state)} == final


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_state_can_be_reached_from_the_initial_one(entity: str) -> None:
    assert reachable(MACHINES[entity], MACHINES[entity].initial) == set(MACHINES[entity].states())


@pytest.mark.parametrize("entity", sorted(set(ENTITIES) - {"breaker"}))
def test_every_state_can_come_to_an_end(entity: str) -> None:
    machine = MACHINES[entity]
    assert all(reachable(machine, state) & set(machine.terminal()) for state in machine.states())


def reachable(machine: type[StateMachine], state: str) -> set[str]:
    found = [str(state)]
    for known in found:  # grows while it is walked
        found += sorted(machine.allowed(known) - set(found))
    return set(found)


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_state_that_does_not_exist_is_refused(entity: str) -> None:
    machine = MACHINES[entity]
    with pytest.raises(InvalidTransition):
        machine.validate_transition(machine.initial, "nowhere")
    with pytest.raises(InvalidTransition):
        machine.validate_transition("nowhere", machine.initial)
