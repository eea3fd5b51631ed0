"""Every setting there is: name, type, default, limits and what it does, one line each.

The classes are the table: the loader, the docs and the checks read their fields. A setting is listed when
something uses it. `own_only` marks what a repository's file may not set, because it reaches outside the plan:
commands, and places elsewhere on the disk. Named tuples, because they cost a command's start the least.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple


class Limits(NamedTuple):
    """What is known of a setting beside its type and default."""

    says: str
    low: float | None = None
    high: float | None = None
    own_only: bool = False
    is_command: bool = False


class Setting(NamedTuple):
    """One line of the table."""

    key: str
    type: Any
    default: Any
    limits: Limits

    @property
    def type_name(self) -> str:
        return TYPE_NAMES[self.type]


TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[str, ...]: "a list of texts",
}

_YEAR = 366 * 86_400.0
_MANY = 1_000_000


def _count(says: str, *, low: int = 0, high: int = _MANY) -> Limits:
    return Limits(says, low, high)


def _seconds(says: str, *, low: float = 0.0) -> Limits:
    return Limits(says, low, _YEAR)


def _own(says: str, *, is_command: bool = False) -> Limits:
    return Limits(says, own_only=True, is_command=is_command)


class RunSettings(NamedTuple):
    """How plans are run, where the plan itself does not say."""

    max_concurrent_steps: Annotated[int, _count("how many steps of a run are executed at once", low=1)] = 4
    orchestration_mode: Annotated[str, Limits("sequential, parallel or hybrid")] = "parallel"
    retries: Annotated[int, _count("how often a failed step is tried again")] = 0
    timeout_seconds: Annotated[float, _seconds("how long an attempt may take; 0 is for ever")] = 3600.0
    grace_seconds: Annotated[float, _seconds("how long a step may take to obey before it is killed")] = 3.0
    log_cap_mb: Annotated[int, _count("how much of one attempt's output is kept", low=1)] = 16
    crash_loop_limit: Annotated[int, _count("how often a step is begun again after crashes", low=1)] = 20
    env_allow: Annotated[tuple[str, ...], _own("further environment variables that steps may see")] = ()
    labels: Annotated[tuple[str, ...], Limits("what this machine offers to steps that ask for a label")] = ()
    cpu: Annotated[int, _count("how many processors steps share out; 0 is all there are")] = 0
    memory_mb: Annotated[int, _count("how much memory steps share out; 0 is all there is", high=2**40)] = 0


class WorktreeSettings(NamedTuple):
    """The working trees that steps run in."""

    enabled: Annotated[bool, Limits("give steps working trees, if the plan does not say")] = True
    cleanup_on_success: Annotated[bool, Limits("remove idle working trees at the end of a run, but for keep_idle")] = (
        True
    )
    archive_on_failure: Annotated[bool, Limits("keep what is in a failed step's working tree")] = True
    dir: Annotated[str, _own("where working trees are made; empty is a place of our own")] = ""
    max: Annotated[int, _count("how many working trees of a repository may be in use at once; 0 is any number")] = 0
    keep_idle: Annotated[int, _count("how many unused working trees are kept ready")] = 4
    archive_days: Annotated[int, _count("how long what a failed or interrupted step had changed is kept, in days")] = 14


class PatchSettings(NamedTuple):
    """What becomes of changes before they are applied."""

    review_score: Annotated[int, _count("the risk from which on a person must look at a change", high=101)] = 50
    max_files: Annotated[int, _count("how many files one change may touch", low=1)] = 1000
    max_mb: Annotated[int, _count("how large one change may be", low=1)] = 16
    allow_filters: Annotated[
        tuple[str, ...], _own("git filters, such as lfs, whose files steps may change; they are not run")
    ] = ()
    pilot_share: Annotated[int, _count("how many of a hundred changes a pilot applies by itself", high=100)] = 20


class CommitSettings(NamedTuple):
    """The commits that changes become."""

    subject: Annotated[str, Limits("the first line: {plan}, {step}, {step_id} and {run_id} are filled in")] = (
        "{plan}: {step}"
    )
    sign: Annotated[bool, _own("sign commits, as your own git configuration says")] = False
    hooks: Annotated[bool, _own("run the repository's pre-commit hook as a gate of every change")] = False


class SessionSettings(NamedTuple):
    """Long-lived conversations with agents."""

    enabled: Annotated[bool, Limits("let steps take part in sessions")] = True


class TuiSettings(NamedTuple):
    """The terminal app."""

    enabled: Annotated[bool, Limits("open the app when there is a terminal")] = True


class UiSettings(NamedTuple):
    """How things look."""

    theme: Annotated[str, Limits("the name of the theme")] = "dark"


class DaemonSettings(NamedTuple):
    """The process that executes many runs."""

    max_concurrent_runs: Annotated[int, _count("how many runs are executed at once", low=1)] = 4
    poll_interval_seconds: Annotated[float, _seconds("how often to look for unannounced work", low=0.1)] = 5.0
    auto_cleanup_completed_runs: Annotated[bool, Limits("clear the disk after a completed run")] = False
    log_dir: Annotated[str, _own("where the daemon's logs go; empty is in .minipipe")] = ""
    minipipe_command: Annotated[tuple[str, ...], _own("what starts a run; empty is this program", is_command=True)] = ()


class AuditSettings(NamedTuple):
    """The audit trail."""

    max_mb: Annotated[int, _count("how large its file grows before it is set aside", low=1)] = 32
    keep: Annotated[int, _count("how many files that were set aside are kept", low=1)] = 5


class FollowSettings(NamedTuple):
    """How other processes' changes are noticed."""

    poll_interval_seconds: Annotated[float, _seconds("how often to look for unannounced changes", low=0.1)] = 5.0


class DbSettings(NamedTuple):
    """The database."""

    busy_timeout_seconds: Annotated[float, _seconds("how long to wait while another program holds it")] = 10.0


class Config(NamedTuple):
    """All settings, complete and checked."""

    run: RunSettings = RunSettings()
    worktrees: WorktreeSettings = WorktreeSettings()
    patches: PatchSettings = PatchSettings()
    commits: CommitSettings = CommitSettings()
    sessions: SessionSettings = SessionSettings()
    tui: TuiSettings = TuiSettings()
    ui: UiSettings = UiSettings()
    daemon: DaemonSettings = DaemonSettings()
    audit: AuditSettings = AuditSettings()
    follow: FollowSettings = FollowSettings()
    db: DbSettings = DbSettings()
    given: frozenset[str] = frozenset()
    """The keys that somebody set, whatever to."""


SECTIONS: Mapping[str, Any] = {name: kind for name, kind in Config.__annotations__.items() if name != "given"}


def _settings() -> dict[str, Setting]:
    found = {}
    for section, kind in SECTIONS.items():
        for name, hint in kind.__annotations__.items():
            key = f"{section}.{name}"
            found[key] = Setting(key, hint.__origin__, kind._field_defaults[name], hint.__metadata__[0])
    return found


SETTINGS: Mapping[str, Setting] = _settings()

ALIASES: Mapping[str, str] = {
    "enable_worktrees": "worktrees.enabled",
    "enable_sessions": "sessions.enabled",
    "enable_tui": "tui.enabled",
}
"""Older names, without a section, for some of the settings."""


def describe_config() -> list[tuple[str, str, object, str]]:
    """Key, type, default and description of every setting, for the docs."""
    return [(each.key, each.type_name, each.default, each.limits.says) for each in SETTINGS.values()]


def config_from(values: Mapping[str, Any]) -> Config:
    """A configuration of checked values by key; what is not given has its default."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    made = {section: SECTIONS[section](**given) for section, given in sections.items()}
    return Config(**made, given=frozenset(values))
