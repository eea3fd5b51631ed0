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
    base_commit = TextField(null=True)
    head_commit = TextField(null=True)
    diff_stats = TextField(null=True)
    promotion = TextField(null=True)

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


class Patch(Table):
    """The ledger: every change that a step made, or that somebody brought in."""

    patch_id = TextField(primary_key=True)
    run_id = TextField()
    task_id = TextField()
    step_id = TextField()
    attempt_id = TextField(null=True)
    origin = TextField()
    parent_patch_id = TextField(null=True)
    created_at = TextField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    base_commit = TextField()
    commit_id = TextField()
    patch_hash = TextField()
    stable_id = TextField()
    diff_path = TextField(null=True)
    diff_stats = TextField()
    risk_score = IntegerField()
    risk_reasons = TextField()
    findings = TextField()
    is_released = BooleanField()
    superseded_by = TextField(null=True)
    candidate_commit = TextField(null=True)
    candidate_head = TextField(null=True)
    committed_commit = TextField(null=True)
    manual_review_required = BooleanField()
    review_status = TextField()
    reviewer = TextField(null=True)
    reviewed_by = TextField(null=True)
    reviewed_at = TextField(null=True)
    review_comment = TextField(null=True)
    review_reason = TextField(null=True)

    class Meta:
        table_name = "patches"


class PatchFile(Table):
    """What a patch changes in one file; the files of each commit that a patch has had."""

    patch_id = TextField()
    commit_id = TextField()
    position = IntegerField()
    path = TextField()
    old_path = TextField(null=True)
    status = TextField()
    old_mode = TextField()
    new_mode = TextField()
    lines_added = IntegerField()
    lines_deleted = IntegerField()
    is_binary = BooleanField()

    class Meta:
        table_name = "patch_files"
        primary_key = CompositeKey("patch_id", "commit_id", "position")


class Review(Table):
    """A person's decision about one commit of a patch."""

    review_id = TextField(primary_key=True)
    patch_id = TextField()
    run_id = TextField()
    commit_id = TextField()
    decision = TextField()
    created_at = TextField()
    reviewer = TextField(null=True)
    comment = TextField(null=True)
    files = TextField()
    hunks = TextField()
    edited_commit = TextField(null=True)
    sends_back = BooleanField()
    version = IntegerField()
    acted_at = TextField(null=True)
    outcome = TextField(null=True)

    class Meta:
        table_name = "reviews"


class ReviewComment(Table):
    comment_id = TextField(primary_key=True)
    patch_id = TextField()
    run_id = TextField()
    commit_id = TextField()
    created_at = TextField()
    author = TextField(null=True)
    path = TextField(null=True)
    line = IntegerField(null=True)
    side = TextField()
    text = TextField()

    class Meta:
        table_name = "review_comments"


class Gate(Table):
    """One execution of a check."""

    gate_id = TextField(primary_key=True)
    run_id = TextField()
    patch_id = TextField(null=True)
    step_id = TextField(null=True)
    name = TextField()
    type = TextField()
    purpose = TextField()
    commit_id = TextField()
    log_path = TextField()
    created_at = TextField()
    state = TextField()
    version = IntegerField()
    reason = TextField(null=True)
    exit_code = IntegerField(null=True)
    message = TextField(null=True)
    duration_seconds = FloatField(null=True)
    started_at = TextField(null=True)
    ended_at = TextField(null=True)
    pid = IntegerField(null=True)
    process_started = IntegerField(null=True)
    boot_id = TextField(null=True)

    class Meta:
        table_name = "gates"


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
    Patch,
    PatchFile,
    Review,
    ReviewComment,
    Gate,
    Command,
    StateTransition,
    EventRow,
    SchemaMigration,
)
