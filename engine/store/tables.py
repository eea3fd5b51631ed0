"""The tables as Peewee models: what the read side queries and what the journal writes.

The migrations create them; a test holds the two against each other. Models are not bound to a database,
so that one process can hold several; every query names the database that it runs on.
"""

from peewee import BooleanField, CompositeKey, FloatField, IntegerField, Model, TextField


class Table(Model):
    """What all tables share: nothing but the way they are made."""


class Run(Table):
    run_id = TextField(primary_key=True)
    project_id = TextField(null=True)
    plan_id = TextField()
    plan_name = TextField()
    plan_path = TextField(null=True)
    plan_text = TextField()
    plan_digest = TextField()
    workspace = TextField()
    variables = TextField()
    settings = TextField()
    orchestration_mode = TextField()
    mode = TextField()
    target = TextField(null=True)
    priority = IntegerField()
    retry_of = TextField(null=True)
    created_at = TextField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    pause_reason = TextField(null=True)
    owner_pid = IntegerField(null=True)
    owner_host = TextField(null=True)
    started_at = TextField(null=True)
    ended_at = TextField(null=True)

    class Meta:
        table_name = "runs"


class Task(Table):
    task_id = TextField(primary_key=True)
    run_id = TextField()
    step_id = TextField()
    position = IntegerField()
    kind = TextField()
    depends_on = TextField()
    workstream = TextField(null=True)
    role = TextField(null=True)
    critical = BooleanField()
    is_finally = BooleanField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    attempt_count = IntegerField()
    charged_count = IntegerField()
    orphaned_count = IntegerField()
    retry_at = TextField(null=True)
    started_at = TextField(null=True)
    ended_at = TextField(null=True)
    outputs = TextField()

    class Meta:
        table_name = "tasks"


class StepAttempt(Table):
    attempt_id = TextField()
    run_id = TextField()
    task_id = TextField()
    step_id = TextField()
    number = IntegerField()
    tool_id = TextField()
    log_path = TextField()
    started_at = TextField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    outcome = TextField(null=True)
    exit_code = IntegerField(null=True)
    message = TextField(null=True)
    duration_seconds = FloatField(null=True)
    ended_at = TextField(null=True)
    pid = IntegerField(null=True)
    process_started = IntegerField(null=True)
    boot_id = TextField(null=True)
    diff_stats = TextField(null=True)
    output_patch_id = TextField(null=True)
    session_id = TextField(null=True)

    class Meta:
        table_name = "step_attempts"
        primary_key = CompositeKey("run_id", "attempt_id")


class Workstream(Table):
    workstream_id = TextField(primary_key=True)
    run_id = TextField()
    name = TextField()
    position = IntegerField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    started_at = TextField(null=True)
    ended_at = TextField(null=True)

    class Meta:
        table_name = "workstreams"


class Command(Table):
    seq = IntegerField(primary_key=True)
    command_id = TextField(unique=True)
    run_id = TextField()
    verb = TextField()
    created_at = TextField()
    arguments = TextField()
    operator = TextField(null=True)
    state = TextField()
    acted_at = TextField(null=True)
    message = TextField(null=True)

    class Meta:
        table_name = "commands"


class StateTransition(Table):
    """A view of the events that moved something."""

    seq = IntegerField(primary_key=True)
    entity_type = TextField()
    entity_id = TextField()
    run_id = TextField(null=True)
    from_state = TextField()
    to_state = TextField()
    trigger = TextField()
    reason = TextField(null=True)
    operator = TextField(null=True)
    metadata = TextField()
    timestamp = TextField()

    class Meta:
        table_name = "state_transitions"


class EventRow(Table):
    seq = IntegerField(primary_key=True)
    event_id = TextField()
    timestamp = TextField()
    event_type = TextField()
    severity = TextField()
    entity_type = TextField()
    entity_id = TextField()
    from_state = TextField(null=True)
    to_state = TextField(null=True)
    trigger = TextField(null=True)
    reason = TextField(null=True)
    operator = TextField(null=True)
    run_id = TextField(null=True)
    metadata = TextField()

    class Meta:
        table_name = "events"


class SchemaMigration(Table):
    number = IntegerField(primary_key=True)
    name = TextField()
    applied_at = TextField()

    class Meta:
        table_name = "schema_migrations"


TABLES: tuple[type[Table], ...] = (
    Run,
    Task,
    StepAttempt,
    Workstream,
    Command,
    StateTransition,
    EventRow,
    SchemaMigration,
)
