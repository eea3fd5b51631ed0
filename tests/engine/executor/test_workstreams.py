import pytest

from engine.backends.contract import ScriptedEnd
from engine.store import queries
from tests.engine.conftest import Stage

FAIL = ScriptedEnd(exit_code=1)


def moves(stage: Stage, name: str) -> list[str]:
    """Every state that a workstream has had after its first."""
    database = stage.orchestrator.database
    ((run_id,),) = database.rows("SELECT run_id FROM runs")
    (found,) = [each for each in queries.workstreams_of(database, run_id) if each.name == name]
    events = queries.events_after(database, 0, run_id=run_id)
    return [str(event.to_state) for event in events if event.entity_id == found.workstream_id]


def test_a_workstream_follows_its_tasks(stage: Stage) -> None:
    stage.play({"id": "a", "workstream": "w"}, {"id": "b", "workstream": "w", "depends_on": ["a"]}, {"id": "c"})
    assert moves(stage, "w") == ["ready", "executing", "validating", "completed"]


@pytest.mark.parametrize("critical", [True, False])
def test_a_workstream_with_a_failed_task_fails(stage: Stage, critical: bool) -> None:
    stage.play(
        {"id": "a", "workstream": "w", "critical": critical}, {"id": "b", "workstream": "w"}, script={"a": [FAIL]}
    )
    assert moves(stage, "w") == ["ready", "executing", "validating", "failed"]


def test_a_workstream_that_was_never_reached_is_skipped(stage: Stage) -> None:
    stage.play({"id": "a"}, {"id": "b", "workstream": "w", "depends_on": ["a"]}, script={"a": [FAIL]})
    assert moves(stage, "w") == ["skipped"]


def test_a_workstream_whose_only_step_is_not_wanted_is_skipped(stage: Stage) -> None:
    stage.play({"id": "a", "workstream": "w", "when": "1 == 2"})
    assert moves(stage, "w") == ["ready", "skipped"]


def test_a_workstream_with_a_skipped_task_completes(stage: Stage) -> None:
    stage.play({"id": "a", "workstream": "w", "when": "1 == 2"}, {"id": "b", "workstream": "w"})
    assert moves(stage, "w")[-1] == "completed"


def test_a_retry_does_not_end_a_workstream(stage: Stage) -> None:
    stage.play({"id": "a", "workstream": "w", "retries": 1}, script={"a": [FAIL, ScriptedEnd()]})
    assert moves(stage, "w") == ["ready", "executing", "validating", "completed"]
