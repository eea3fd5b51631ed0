"""The read side of the ledger."""

from engine.ids import new_id
from engine.store.database import Database
from engine.store.journal import Journal
from engine.store.patch_queries import worker_name
from engine.store.records import AttemptRecord, GateRecord, RunRecord


def test_attempts_and_gates_are_known_by_the_names_of_the_plan(
    database: Database, journal: Journal, run: RunRecord
) -> None:
    attempt = AttemptRecord(new_id("attempt"), run.run_id, "task", "build", 1, "command", "", "")
    gate = GateRecord(new_id("gate"), run.run_id, None, None, "unit", "test", "verify", "", "", "")
    journal.add(attempt)
    journal.add(gate)
    assert worker_name(database, run.run_id, attempt.attempt_id) == "step build"
    assert worker_name(database, run.run_id, gate.gate_id) == "gate unit"
    assert worker_name(database, "another run", attempt.attempt_id) is None
    assert worker_name(database, run.run_id, "step") is None
