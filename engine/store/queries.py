"""The read side: questions about what is in the store, answered with plain rows or records.

Never writes, and works on a database that was opened read-only.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from peewee import fn

from engine.errors import NotFound
from engine.events.event import Event
from engine.states import RunState, StateMachine, TaskState
from engine.states.tables import MACHINES
from engine.store.records import AttemptRecord, CommandRecord, RunRecord, TaskRecord, WorkstreamRecord
from engine.store.tables import Command, EventRow, Run, StepAttempt, Task, Workstream
from engine.store.unfinished import UNFINISHED

if TYPE_CHECKING:
    from engine.store.database import Database


_LISTED = (
    Run.run_id, Run.project_id, Run.plan_id, Run.plan_name, Run.plan_path, Run.state, Run.reason, Run.pause_reason,
    Run.orchestration_mode, Run.mode, Run.target, Run.priority, Run.retry_of, Run.created_at, Run.started_at,
    Run.ended_at, Run.base_commit, Run.head_commit,
)  # fmt: skip
"""What a listing shows of a run: everything but the plan, which may be large."""


def list_runs(
    database: "Database",
    *,
    state: str | None = None,
    plan_id: str | None = None,
    limit: int = 20,
    after: str | None = None,
) -> tuple[list[dict[str, Any]], str | None]:
    """Runs, newest first, and the cursor that continues the list (None at its end)."""
    query = Run.select(*_LISTED).order_by(Run.run_id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Run.state == state)
    if plan_id is not None:
        query = query.where(Run.plan_id == plan_id)
    if after is not None:
        query = query.where(Run.run_id < after)
    rows = database.dicts(query)
    more = len(rows) > limit
    return rows[:limit], rows[limit - 1]["run_id"] if more else None


def find_run(database: "Database", run_id: str) -> RunRecord | None:
    rows = database.dicts(Run.select().where(Run.run_id == run_id))
    return _run(rows[0]) if rows else None


def unfinished_runs(database: "Database") -> list[RunRecord]:
    """Runs on which there is something to do that only an owner does, oldest first."""
    rows = database.rows(f"SELECT run_id FROM runs WHERE {UNFINISHED} ORDER BY run_id")
    found = [find_run(database, run_id) for (run_id,) in rows]
    return [run for run in found if run is not None]


def resolve_run_id(database: "Database", given: str) -> str:
    """The one run that an id, or the beginning of one, names; `last` is the newest."""
    if given == "last":
        rows = database.dicts(Run.select(Run.run_id).order_by(Run.run_id.desc()).limit(1))
    else:
        rows = database.dicts(Run.select(Run.run_id).where(begins(Run.run_id, given, "run_")).limit(6))
    if len(rows) != 1:
        raise NotFound("run", given, candidates=[row["run_id"] for row in rows])
    found: str = rows[0]["run_id"]
    return found


def begins(column: Any, given: str, prefix: str) -> Any:
    """Ids that begin with the given text, with or without the kind's prefix; letters in either case."""
    text = given if given.startswith(prefix) else prefix + given
    text = prefix + text[len(prefix) :].upper()
    return (column >= text) & (column < text + "\uffff")


def tasks_of(database: "Database", run_id: str) -> list[TaskRecord]:
    """In plan order."""
    return [_task(row) for row in database.tuples(Task.select().where(Task.run_id == run_id).order_by(Task.position))]


def attempts_of(database: "Database", run_id: str, *, state: str | None = None) -> list[AttemptRecord]:
    """Those of each step oldest first, whatever the clock did."""
    query = (
        StepAttempt.select().where(StepAttempt.run_id == run_id).order_by(StepAttempt.number, StepAttempt.attempt_id)
    )
    if state is not None:
        query = query.where(StepAttempt.state == state)
    return [_attempt(row) for row in database.dicts(query)]


def workstreams_of(database: "Database", run_id: str) -> list[WorkstreamRecord]:
    query = Workstream.select().where(Workstream.run_id == run_id).order_by(Workstream.position)
    return [WorkstreamRecord(**row) for row in database.dicts(query)]


def pending_commands(database: "Database", run_id: str) -> list[CommandRecord]:
    """What was asked of a run and not yet acted on, in the order of asking."""
    query = Command.select().where((Command.run_id == run_id) & (Command.state == "pending")).order_by(Command.seq)
    return [_command(row) for row in database.dicts(query)]


def find_command(database: "Database", command_id: str) -> CommandRecord | None:
    rows = database.dicts(Command.select().where(Command.command_id == command_id))
    return _command(rows[0]) if rows else None


def events_after(database: "Database", seq: int, *, run_id: str | None = None, limit: int | None = None) -> list[Event]:
    """Events in journal order, from the one after a place."""
    query = EventRow.select().where(EventRow.seq > seq).order_by(EventRow.seq)
    if run_id is not None:
        query = query.where(EventRow.run_id == run_id)
    if limit is not None:
        query = query.limit(limit)
    return [_event(row) for row in database.dicts(query)]


def warnings_of(database: "Database", run_id: str) -> list[str]:
    """What was found not to be as it should be with a run, oldest first."""
    query = EventRow.select(EventRow.reason).where((EventRow.run_id == run_id) & (EventRow.event_type == "warning"))
    return [row["reason"] for row in database.dicts(query.order_by(EventRow.seq))]


def refusals_of(database: "Database", run_id: str) -> dict[str, str]:
    """Why tasks failed that could not even be tried, by task id."""
    query = EventRow.select(EventRow.entity_id, EventRow.metadata).where(
        (EventRow.run_id == run_id) & (EventRow.event_type == "step_failed") & (EventRow.trigger == "resolve")
    )
    return {row["entity_id"]: json.loads(row["metadata"]).get("message", "") for row in database.dicts(query)}


def all_events(database: "Database", *, page: int = 5000) -> Iterator[Event]:
    """Every event, read page by page."""
    seq = 0
    while events := events_after(database, seq, limit=page):
        yield from events
        seq = events[-1].seq


def last_event_seq(database: "Database") -> int:
    return int(database.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])


def counts_by_state(database: "Database", entity: str) -> dict[str, int]:
    """How many there are in each state that occurs."""
    table: Any = {"run": Run, "task": Task}[entity]
    query = table.select(table.state, fn.COUNT("*").alias("number")).group_by(table.state).order_by(table.state)
    return {row["state"]: row["number"] for row in database.dicts(query)}


def recent_durations(database: "Database", plan_id: str, *, runs: int = 3) -> dict[str, float]:
    """What each step of a plan took lately: the mean over its successful attempts in the newest runs."""
    recent = [
        row["run_id"]
        for row in database.dicts(
            Run.select(Run.run_id).where(Run.plan_id == plan_id).order_by(Run.run_id.desc()).limit(runs)
        )
    ]
    mean = fn.AVG(StepAttempt.duration_seconds)
    query = (
        StepAttempt.select(StepAttempt.step_id, mean.alias("seconds"))
        .where(StepAttempt.run_id.in_(recent) & (StepAttempt.outcome == "ok"))
        .group_by(StepAttempt.step_id)
    )
    return {row["step_id"]: row["seconds"] for row in database.dicts(query)}


def inconsistencies(database: "Database") -> list[str]:
    """Where the tables disagree with each other or with the state tables; empty when all is well."""
    return [
        *_missing_events(database),
        *_illegal_moves(database),
        *_states_without_their_move(database),
        *_left_open(database),
    ]


def _missing_events(database: "Database") -> Iterator[str]:
    ((count, span),) = database.rows("SELECT count(*), coalesce(max(seq) - min(seq) + 1, 0) FROM events")
    if count != span:
        yield f"{span - count} of {span} events {'is' if span - count == 1 else 'are'} missing"


def _illegal_moves(database: "Database") -> Iterator[str]:
    moves = database.rows("SELECT DISTINCT entity_type, from_state, to_state FROM state_transitions")
    for entity, old, new in moves:
        machine: type[StateMachine] | None = MACHINES.get(entity)
        if machine is None or new not in machine.allowed(old):
            yield f"a {entity} went from {old} to {new}, which its table does not list"


def _states_without_their_move(database: "Database") -> Iterator[str]:
    for entity, table, key, initial in (
        ("run", "runs", "run_id", RunState.PENDING),
        ("task", "tasks", "task_id", TaskState.PENDING),
        ("attempt", "step_attempts", "attempt_id", "running"),
        ("workstream", "workstreams", "workstream_id", "planned"),
        ("patch", "patches", "patch_id", "created"),
        ("gate", "gates", "gate_id", "pending"),
    ):
        rows = database.rows(
            f"WITH newest AS (SELECT entity_id, max(seq) AS seq FROM state_transitions WHERE entity_type = ? "
            f"GROUP BY entity_id) "
            f"SELECT e.{key}, e.state, coalesce(t.to_state, ?) FROM {table} e "
            f"LEFT JOIN newest n ON n.entity_id = e.{key} LEFT JOIN state_transitions t ON t.seq = n.seq "
            f"WHERE e.state != coalesce(t.to_state, ?) LIMIT 20",
            (entity, str(initial), str(initial)),
        )
        for entity_id, state, logged in rows:
            yield f"{entity} {entity_id} is {state}, but its last recorded move led to {logged}"


def _left_open(database: "Database") -> Iterator[str]:
    attempts = database.rows(
        "SELECT a.attempt_id FROM step_attempts a JOIN tasks t ON t.task_id = a.task_id "
        "WHERE a.state = 'running' AND t.state IN ('completed', 'failed', 'canceled', 'skipped') LIMIT 20"
    )
    for (attempt_id,) in attempts:
        yield f"attempt {attempt_id} is still running although its task has ended"
    tasks = database.rows(
        "SELECT t.task_id, t.state FROM tasks t JOIN runs r ON r.run_id = t.run_id "
        "WHERE t.state NOT IN ('completed', 'failed', 'canceled', 'skipped') "
        "AND r.state IN ('succeeded', 'failed', 'canceled') LIMIT 20"
    )
    for task_id, state in tasks:
        yield f"task {task_id} is still {state} although its run has ended"
    patches = database.rows(
        "SELECT p.patch_id, p.state FROM patches p JOIN runs r ON r.run_id = p.run_id "
        "WHERE p.state IN ('created', 'validated', 'awaiting_review', 'queued', 'applied', 'apply_failed', 'verified') "
        "AND r.state IN ('succeeded', 'failed', 'canceled') LIMIT 20"
    )
    for patch_id, state in patches:
        yield f"patch {patch_id} is still {state} although its run has ended"
    gates = database.rows(
        "SELECT g.gate_id FROM gates g JOIN runs r ON r.run_id = g.run_id WHERE g.state IN ('pending', 'blocked', "
        "'running') AND g.purpose = 'verify' AND r.state IN ('succeeded', 'failed', 'canceled') LIMIT 20"
    )
    for (gate_id,) in gates:
        yield f"gate {gate_id} is still open although its run has ended"


_RUN_JSON = ("variables", "settings", "diff_stats", "promotion")


# -- rows into records ---------------------------------------------------------------------------------------


def _run(row: Mapping[str, Any]) -> RunRecord:
    read = {name: json.loads(row[name]) if row[name] else None for name in _RUN_JSON}
    return RunRecord(**{**row, **read})


def _task(row: tuple[Any, ...]) -> TaskRecord:
    # By place and not by name: a large run has many of them, and they are read at every start.
    raw = TaskRecord._make(row)
    return raw._replace(depends_on=tuple(json.loads(str(raw.depends_on))), outputs=json.loads(str(raw.outputs)))


def _attempt(row: Mapping[str, Any]) -> AttemptRecord:
    stats = row["diff_stats"]
    return AttemptRecord(**{**row, "diff_stats": json.loads(stats) if stats else None})


def _command(row: Mapping[str, Any]) -> CommandRecord:
    return CommandRecord(**{**row, "arguments": json.loads(row["arguments"])})


def _event(row: Mapping[str, Any]) -> Event:
    return Event(**{**row, "metadata": json.loads(row["metadata"])})
