import pytest

from engine.errors import NotFound
from engine.ids import new_id
from engine.store import queries
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.records import AttemptRecord, RunRecord
from tests.engine.store.conftest import a_run, a_task


@pytest.fixture
def runs(journal: Journal) -> list[RunRecord]:
    """Seven runs, oldest first; every other one of another plan."""
    made = [a_run(plan_id="ab"[number % 2]) for number in range(7)]
    for run in made:
        journal.add(run)
    return made


def spoil(database: Database, sql: str, *parameters: str) -> None:
    with database.transaction() as cursor:
        cursor.execute(sql, parameters)


def test_pages_of_runs_join_without_gap_or_overlap(database: Database, runs: list[RunRecord]) -> None:
    found: list[str] = []
    cursor = None
    for _ in range(3):
        rows, cursor = queries.list_runs(database, limit=3, after=cursor)
        found += [row["run_id"] for row in rows]
    assert found == [run.run_id for run in reversed(runs)]
    assert cursor is None


def test_a_page_that_ends_with_the_last_run_has_no_cursor(database: Database, runs: list[RunRecord]) -> None:
    assert queries.list_runs(database, limit=7)[1] is None
    assert queries.list_runs(database, limit=6)[1] == runs[1].run_id


def test_runs_are_filtered_before_they_are_counted(database: Database, journal: Journal, runs: list[RunRecord]) -> None:
    journal.move(runs[2], "running", trigger="execute")
    assert [row["run_id"] for row in queries.list_runs(database, state="running", limit=1)[0]] == [runs[2].run_id]
    rows, cursor = queries.list_runs(database, plan_id="a", limit=2)
    assert [row["run_id"] for row in rows] == [runs[6].run_id, runs[4].run_id]
    assert cursor == runs[4].run_id


def test_a_run_is_found_by_a_beginning_of_its_id_in_either_case(database: Database, runs: list[RunRecord]) -> None:
    run_id = runs[3].run_id
    for given in (run_id, run_id[:-1] + run_id[-1].lower(), run_id.removeprefix("run_"), run_id.lower()):
        assert queries.resolve_run_id(database, given) == run_id


def test_the_last_run_has_a_name(database: Database, runs: list[RunRecord]) -> None:
    assert queries.resolve_run_id(database, "last") == runs[-1].run_id


@pytest.mark.parametrize("given", ["last", "", "run_", "nothing", "../x", "run_%"])
def test_an_id_that_names_nothing_is_not_found(database: Database, given: str) -> None:
    with pytest.raises(NotFound) as caught:
        queries.resolve_run_id(database, given)
    assert caught.value.candidates == ()


def test_an_ambiguous_beginning_names_its_candidates(database: Database, runs: list[RunRecord]) -> None:
    with pytest.raises(NotFound) as caught:
        queries.resolve_run_id(database, "run_0")
    assert set(caught.value.candidates) <= {run.run_id for run in runs}
    assert len(caught.value.candidates) > 1


def test_events_are_read_from_a_place_on(database: Database, journal: Journal, runs: list[RunRecord]) -> None:
    for run in runs:
        journal.move(run, "running", trigger="execute")
    assert [event.seq for event in queries.events_after(database, 3, limit=2)] == [4, 5]
    assert [event.seq for event in queries.events_after(database, 0, run_id=runs[2].run_id)] == [3]
    assert len(list(queries.all_events(database, page=2))) == 7
    assert queries.last_event_seq(database) == 7


def test_a_run_that_is_not_there_is_none(database: Database) -> None:
    assert queries.find_run(database, "run_nothing") is None
    assert queries.find_command(database, "cmd_nothing") is None


def test_recent_durations_are_those_of_successes(database: Database, journal: Journal, run: RunRecord) -> None:
    for number, (outcome, seconds) in enumerate([("ok", 1.0), ("ok", 3.0), ("failed", 90.0)]):
        attempt = AttemptRecord(new_id("attempt"), run.run_id, f"task{number}", "build", number, "command", "", "")
        journal.add(attempt._replace(outcome=outcome, duration_seconds=seconds))
    assert queries.recent_durations(database, "plan") == {"build": 2.0}
    assert queries.recent_durations(database, "other") == {}


def test_a_sound_history_has_no_inconsistencies(database: Database, journal: Journal, run: RunRecord) -> None:
    task = a_task(run)
    journal.add(task)
    running = journal.move(run, "running", trigger="execute")
    journal.move(task, "skipped", trigger="test")
    journal.move(running, "succeeded", trigger="tasks")
    assert queries.inconsistencies(database) == []


def test_a_state_that_was_changed_behind_the_journal_is_found(
    database: Database, journal: Journal, run: RunRecord
) -> None:
    journal.move(run, "running", trigger="execute")
    spoil(database, "UPDATE runs SET state = 'succeeded'")
    (found,) = queries.inconsistencies(database)
    assert run.run_id in found
    assert "succeeded" in found
    assert "running" in found


def test_a_move_that_no_table_lists_is_found(database: Database, journal: Journal, run: RunRecord) -> None:
    journal.move(run, "running", trigger="execute")
    spoil(database, "UPDATE events SET from_state = 'succeeded'")
    assert "a run went from succeeded to running, which its table does not list" in queries.inconsistencies(database)


def test_a_move_of_something_unknown_is_found(database: Database, journal: Journal, run: RunRecord) -> None:
    journal.move(run, "running", trigger="execute")
    spoil(database, "UPDATE events SET entity_type = 'teapot'")
    assert any("teapot" in found for found in queries.inconsistencies(database))


def test_an_event_that_is_missing_is_found(database: Database, journal: Journal, run: RunRecord) -> None:
    for _ in range(3):
        journal.note("warning", run)
    spoil(database, "DELETE FROM events WHERE seq = 2")
    assert queries.inconsistencies(database) == ["1 of 3 events is missing"]


def test_an_attempt_that_outlived_its_task_is_found(database: Database, journal: Journal, run: RunRecord) -> None:
    task = a_task(run)
    attempt = AttemptRecord(new_id("attempt"), run.run_id, task.task_id, "step0", 1, "command", "", "")
    with journal.group():
        journal.add(task)
        journal.add(attempt)
        journal.move(task, "skipped", trigger="test")
    (found,) = queries.inconsistencies(database)
    assert attempt.attempt_id in found


def test_a_task_that_outlived_its_run_is_found(database: Database, journal: Journal, run: RunRecord) -> None:
    task = a_task(run)
    journal.add(task)
    journal.move(run, "canceled", trigger="cancel")
    (found,) = queries.inconsistencies(database)
    assert task.task_id in found
