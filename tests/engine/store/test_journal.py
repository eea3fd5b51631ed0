# ruff: noqa: PT012 -- a group of several changes is what is tested
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidTransition, StaleRecord
from engine.events import Event, EventBus
from engine.ids import new_id
from engine.store import queries
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.records import AttemptRecord, CommandRecord, RunRecord, TaskRecord
from tests.engine.store.conftest import a_run, a_task


class Listener:
    """An audience that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.settled = 0

    def tell(self, events: list[Event]) -> None:
        self.events += events

    def settle(self) -> None:
        self.settled += 1


@pytest.fixture
def heard(journal: Journal) -> list[Event]:
    """What the bus told, as it comes in."""
    events: list[Event] = []
    journal.bus.subscribe(events.append)
    return events


def transitions(database: Database) -> list[tuple[Any, ...]]:
    return database.rows("SELECT entity_id, from_state, to_state FROM state_transitions ORDER BY seq")


def test_a_move_is_a_row_a_transition_and_an_event(database: Database, journal: Journal, run: RunRecord) -> None:
    moved = journal.move(run, "running", trigger="execute", reason="because", operator="me", metadata={"a": 1})
    assert queries.find_run(database, run.run_id) == moved
    assert (moved.state, moved.version, moved.reason) == ("running", 2, "because")
    assert transitions(database) == [(run.run_id, "pending", "running")]
    (event,) = queries.all_events(database)
    assert event.event_type == "run_started"
    assert (event.entity_type, event.entity_id, event.run_id) == ("run", run.run_id, run.run_id)
    assert (event.from_state, event.to_state, event.trigger) == ("pending", "running", "execute")
    assert (event.reason, event.operator, event.metadata, event.seq) == ("because", "me", {"a": 1}, 1)


def test_an_event_is_published_as_it_was_written(database: Database, journal: Journal, heard: list[Event]) -> None:
    run = a_run()
    with journal.group():
        journal.add(run)
        journal.note("run_created", run, metadata={"steps": 2})
        journal.move(run, "running", trigger="execute")
        assert heard == []
    assert heard == list(queries.all_events(database))
    assert [event.seq for event in heard] == [1, 2]


def test_what_happens_in_one_group_happens_at_one_time(database: Database, journal: Journal, run: RunRecord) -> None:
    with journal.group():
        now = journal.now()
        moved = journal.move(run, "running", trigger="execute", started_at=journal.now())
        journal.move(moved, "failed", trigger="tasks", ended_at=journal.now())
    assert {event.timestamp for event in queries.all_events(database)} == {now}


def test_several_moves_of_a_row_are_one_change_and_all_their_events(
    database: Database, journal: Journal, run: RunRecord
) -> None:
    task = a_task(run)
    with journal.group():
        journal.add(task)
        for state in ("queued", "running", "validating"):
            task = journal.move(task, state, trigger="test")
        task = journal.amend(task, attempt_count=1)
    assert queries.tasks_of(database, run.run_id) == [task]
    assert (task.state, task.version, task.attempt_count) == ("validating", 5, 1)
    assert [to for _, _, to in transitions(database)] == ["queued", "running", "validating"]


def test_a_group_that_fails_writes_nothing_and_publishes_nothing(
    database: Database, journal: Journal, run: RunRecord, heard: list[Event]
) -> None:
    with pytest.raises(RuntimeError, match="halfway"), journal.group():
        journal.move(run, "running", trigger="execute")
        journal.add(a_task(run))
        raise RuntimeError("halfway")
    assert queries.find_run(database, run.run_id) == run
    assert queries.tasks_of(database, run.run_id) == []
    assert heard == list(queries.all_events(database)) == []


def test_a_group_that_failed_leaves_nothing_behind_for_the_next(
    database: Database, journal: Journal, run: RunRecord
) -> None:
    with pytest.raises(RuntimeError), journal.group():
        journal.move(run, "canceled", trigger="test")
        raise RuntimeError
    journal.move(run, "running", trigger="execute")
    assert [to for _, _, to in transitions(database)] == ["running"]


def test_a_group_inside_a_group_is_written_with_the_outer_one(
    database: Database, journal: Journal, run: RunRecord
) -> None:
    with pytest.raises(RuntimeError), journal.group():
        with journal.group():
            journal.move(run, "running", trigger="execute")
        assert transitions(database) == []
        raise RuntimeError
    assert transitions(database) == []


def test_an_outer_group_cannot_write_what_failed_inside_it(
    database: Database, journal: Journal, run: RunRecord, heard: list[Event]
) -> None:
    with pytest.raises(RuntimeError, match="inside"), journal.group():
        try:
            with journal.group():
                journal.move(run, "running", trigger="execute")
                raise ValueError
        except ValueError:
            pass
    assert queries.find_run(database, run.run_id) == run
    assert heard == []


def test_a_write_that_fails_undoes_the_whole_group(
    database: Database, journal: Journal, run: RunRecord, heard: list[Event]
) -> None:
    other = a_run()
    journal.add(other)
    with pytest.raises(StaleRecord), journal.group():
        journal.move(other, "running", trigger="execute")
        journal.move(run._replace(version=7), "running", trigger="execute")
    assert queries.find_run(database, other.run_id) == other
    assert heard == []


def test_a_row_that_somebody_else_changed_is_not_overwritten(tmp_path: Path, journal: Journal, run: RunRecord) -> None:
    with Database(tmp_path / "state.db") as elsewhere:
        theirs = Journal(elsewhere).move(run, "running", trigger="execute")
        with pytest.raises(StaleRecord) as caught:
            journal.move(run, "canceled", trigger="cancel")
        assert queries.find_run(elsewhere, run.run_id) == theirs
    assert (caught.value.entity, caught.value.entity_id, caught.value.version) == ("run", run.run_id, 1)
    assert run.run_id in caught.value.message


def test_two_changes_of_one_version_in_a_group_are_refused(journal: Journal, run: RunRecord) -> None:
    with pytest.raises(StaleRecord), journal.group():
        journal.move(run, "running", trigger="execute")
        journal.move(run, "canceled", trigger="cancel")


def test_a_row_that_is_gone_is_stale(journal: Journal) -> None:
    with pytest.raises(StaleRecord):
        journal.move(a_run(), "running", trigger="execute")


def test_an_illegal_move_tells_the_whole_story(journal: Journal, run: RunRecord) -> None:
    running = journal.move(run, "running", trigger="execute")
    ended = journal.move(running, "failed", trigger="tasks")
    with pytest.raises(InvalidTransition) as caught:
        journal.move(ended, "running", trigger="again")
    refusal = caught.value
    assert (refusal.entity, refusal.entity_id) == ("run", run.run_id)
    assert (refusal.from_state, refusal.to_state, refusal.allowed) == ("failed", "running", ())
    assert refusal.story == ("execute: pending → running", "tasks: running → failed")
    assert "tasks: running → failed" in refusal.message


def test_an_illegal_move_names_what_would_be_allowed(journal: Journal, run: RunRecord) -> None:
    with pytest.raises(InvalidTransition) as caught:
        journal.move(run, "succeeded", trigger="test")
    assert caught.value.allowed == ("canceled", "failed", "running")


def test_an_illegal_move_inside_a_group_undoes_the_group(database: Database, journal: Journal, run: RunRecord) -> None:
    with pytest.raises(InvalidTransition), journal.group():
        moved = journal.move(run, "running", trigger="execute")
        journal.move(moved, "pending", trigger="test")
    assert queries.find_run(database, run.run_id) == run


def test_a_listener_that_fails_stops_nobody(database: Database, run: RunRecord) -> None:
    bus = EventBus()
    heard: list[Event] = []

    def fail(event: Event) -> None:
        raise RuntimeError

    bus.subscribe(fail)
    bus.subscribe(heard.append)
    moved = Journal(database, bus=bus).move(run, "running", trigger="execute")
    assert [event.event_type for event in heard] == ["run_started"]
    assert queries.find_run(database, run.run_id) == moved


def test_the_audience_hears_what_was_committed(database: Database, run: RunRecord) -> None:
    audience = Listener()
    journal = Journal(database, audience=(audience,))
    journal.move(run, "running", trigger="execute")
    assert audience.events == list(queries.all_events(database))
    journal.settle()
    assert audience.settled == 1


def test_a_command_gets_one_answer(database: Database, journal: Journal, run: RunRecord) -> None:
    command = CommandRecord(new_id("command"), run.run_id, "pause", run.created_at, operator="me")
    journal.add(command)
    assert [each.verb for each in queries.pending_commands(database, run.run_id)] == ["pause"]
    journal.answer(command, run, refusal="not now")
    journal.answer(command, run)
    found = queries.find_command(database, command.command_id)
    assert found is not None
    assert (found.state, found.message) == ("refused", "not now")
    assert queries.pending_commands(database, run.run_id) == []


def test_secrets_are_masked_wherever_text_comes_from_outside(
    tmp_path: Path, database: Database, journal: Journal, run: RunRecord
) -> None:
    journal.hide(["hunter2"])
    running = journal.move(
        run, "running", trigger="execute", reason="hunter2 said so", metadata={"message": ["it is hunter2"]}
    )
    task, attempt = a_task(run), AttemptRecord(new_id("attempt"), run.run_id, "task", "step", 1, "command", "", "")
    with journal.group():
        journal.add(task)
        journal.add(attempt)
    journal.amend(task, outputs={"token": "is hunter2"})
    journal.move(attempt, "failed", trigger="exit", message="exit hunter2")
    journal.note("warning", running, reason="hunter2", metadata={"token": "hunter2"})
    assert running.reason == "*** said so"
    assert queries.tasks_of(database, run.run_id)[0].outputs == {"token": "is ***"}
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.parametrize("secret", ["ended", "20", "a", "failed", "_", "canceling", "run"])
def test_a_secret_never_changes_the_engines_own_words(
    database: Database, journal: Journal, run: RunRecord, secret: str
) -> None:
    journal.hide([secret])
    running = journal.move(run, "running", trigger="execute", started_at="2031-01-01T00:00:00.000000Z")
    running = journal.amend(running, reason="canceling")
    task = a_task(run)
    journal.add(task)
    skipped = journal.move(task, "skipped", trigger="test", reason="dependency_failed", ended_at="2031-01-01")
    assert queries.find_run(database, run.run_id) == running
    assert (running.reason, running.started_at) == ("canceling", "2031-01-01T00:00:00.000000Z")
    assert (skipped.reason, skipped.ended_at) == ("dependency_failed", "2031-01-01")


def test_threads_share_a_journal(database: Database, journal: Journal) -> None:
    runs = [a_run() for _ in range(20)]
    for run in runs:
        journal.add(run)

    def drive(mine: list[RunRecord]) -> None:
        for run in mine:
            with journal.group():
                moved = journal.move(run, "running", trigger="execute")
                journal.move(moved, "succeeded", trigger="tasks")

    threads = [threading.Thread(target=drive, args=(runs[place::4],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in queries.all_events(database)] == list(range(1, 41))
    assert queries.counts_by_state(database, "run") == {"succeeded": 20}


def _write_from_elsewhere(path: str, start: Any, count: int) -> None:
    with Database(path) as database:
        journal = Journal(database)
        run = a_run()
        journal.add(run)
        start.wait(10)
        for _ in range(count):
            journal.note("warning", run)


def test_two_processes_number_their_events_without_gaps(tmp_path: Path, database: Database) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(2)
    writers = [context.Process(target=_write_from_elsewhere, args=(str(database.path), start, 100)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
        assert writer.exitcode == 0
    events = list(queries.all_events(database))
    assert [event.seq for event in events] == list(range(1, 201))
    assert len({event.event_id for event in events}) == 200
    assert len({event.run_id for event in events}) == 2


def test_a_task_record_reads_back_as_it_was_written(database: Database, journal: Journal, run: RunRecord) -> None:
    task = a_task(run, depends_on=("a", "b"), critical=False, is_finally=True, outputs={"k": "ü\n"})
    journal.add(task)
    assert queries.tasks_of(database, run.run_id) == [task]
    assert isinstance(queries.tasks_of(database, run.run_id)[0], TaskRecord)
