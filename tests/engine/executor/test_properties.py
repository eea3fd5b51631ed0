"""Whatever a plan asks for and however its steps end: the run ends, and its records agree with its events."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.backends.contract import ScriptedEnd
from engine.executor.control import Control, Verb
from engine.states import MACHINES, TaskStateMachine
from engine.states.reasons import OUR_REASONS
from engine.store import queries
from engine.store.records import Record
from tests.engine.conftest import Prompter, Stage

ends = st.builds(
    ScriptedEnd, exit_code=st.sampled_from([0, 0, 0, 1]), seconds=st.sampled_from([0.0, 0.0, 1.0, 2.0, 9e9])
)
requests = st.lists(st.sampled_from(["pause", "resume", "cancel", "retry"]), max_size=2)


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to eight steps, each depending on some before it."""
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 8))):
        step: dict[str, Any] = {"id": f"s{number}", "retries": draw(st.integers(0, 2))}
        if steps:
            earlier = [each["id"] for each in steps if not each.get("finally")]
            step["depends_on"] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        if step.get("depends_on"):
            step["run_if"] = draw(st.sampled_from(["success", "success", "failure", "always"]))
        elif number and draw(st.booleans()):
            step["finally"] = True
            del step["depends_on"]
        step["critical"] = draw(st.booleans())
        if draw(st.booleans()):
            step["when"] = draw(st.sampled_from(["1 == 1", "1 == 2"]))
        if draw(st.booleans()):
            step["locks"] = ["lock"]
        if draw(st.booleans()):
            step["workstream"] = draw(st.sampled_from(["v", "w"]))
        steps.append(step)
    return steps


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=plans(),
    script=st.dictionaries(
        st.sampled_from([f"s{number}" for number in range(8)]), st.lists(ends, min_size=1, max_size=3)
    ),
    asked=requests,
    fail_fast=st.booleans(),
    mode=st.sampled_from(["parallel", "sequential", "hybrid"]),
)
def test_a_run_ends_and_its_rows_are_what_its_events_tell(
    steps: list[dict[str, Any]], script: dict[str, list[ScriptedEnd]], asked: list[Any], fail_fast: bool, mode: str
) -> None:
    with TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        with stage.orchestrator:
            run_id = stage.create(*steps, globals={"fail_fast": fail_fast, "orchestration_mode": mode})
            _drive_to_its_end(stage, run_id, script, asked)
            _check(stage, run_id)


def _drive_to_its_end(stage: Stage, run_id: str, script: dict[str, list[ScriptedEnd]], asked: list[Any]) -> None:
    control = Control()
    try:
        backend = Prompter(script, 3, lambda: _ask_all(control, asked))
        run = stage.orchestrator.execute_run(run_id, backend=backend, control=control)
        if run.state == "paused":
            stage.drive(run_id, script, slots=3)
    finally:
        control.close()


def _ask_all(control: Control, verbs: list[Verb]) -> None:
    for verb in verbs:
        control.ask(verb)


def _check(stage: Stage, run_id: str) -> None:
    database = stage.orchestrator.database
    assert queries.inconsistencies(database) == []
    events = queries.events_after(database, 0)
    told: dict[str, str] = {}
    for event in events:
        if event.to_state is not None:
            machine = MACHINES[event.entity_type]
            assert event.from_state == told.get(event.entity_id, machine.initial)
            told[event.entity_id] = event.to_state
    run = queries.find_run(database, run_id)
    tasks = queries.tasks_of(database, run_id)
    workstreams = queries.workstreams_of(database, run_id)
    assert run is not None
    records: list[Record] = [run, *tasks, *workstreams]
    assert {record.id: record.state for record in records}.items() <= told.items()
    assert run.state in ("succeeded", "failed", "canceled")
    for task in tasks:
        endings = [event for event in events if event.entity_id == task.id and _is_terminal(event.to_state)]
        assert len(endings) == 1
        assert task.reason is None or task.reason in OUR_REASONS
    assert all(MACHINES["workstream"].is_terminal(each.state) for each in workstreams)


def _is_terminal(state: str | None) -> bool:
    return state is not None and TaskStateMachine.is_terminal(state)
