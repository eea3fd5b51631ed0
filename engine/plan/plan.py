"""A plan as the rest of the engine sees it: checked, immutable, without any trace of JSON.

`load.py` makes these from text, `expansion.py` turns `foreach` and `matrix` steps into plain ones, and
`invocation.py` fills in variables when a step is about to start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.masking import MASK

Scalar = str | int | float | bool
RunIf = Literal["success", "failure", "always"]
OrchestrationMode = Literal["sequential", "parallel", "hybrid"]
RolloutMode = Literal["shadow", "pilot", "production"]
Isolation = Literal["step", "run", "none"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A named value that a plan takes. `env` names the environment variable that may supply it, if any."""

    name: str
    default: Scalar | None = None
    description: str = ""
    required: bool = False
    secret: bool = False
    env: str | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before attempt after attempt; `resilience.retry` computes the waits from it."""

    initial_seconds: float = 1.0
    factor: float = 2.0
    max_seconds: float = 60.0
    jitter: float = 0.1


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step takes of the machine while it runs."""

    cpu: float = 0.0
    memory_mb: int = 0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """The paths that a step may change."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorktreeWishes:
    """What a step's worktree holds beside the files of the commit that it starts from."""

    copy_files: tuple[str, ...] = ()
    setup: str | None = None
    sparse: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """A check that must pass before a patch counts as verified."""

    id: str
    type: Literal["LINT", "UNIT", "INTEGRATION", "SECURITY", "CUSTOM"]
    command: tuple[str, ...] | None = None
    shell: str | None = None
    timeout_seconds: float | None = None
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Globals:
    """What holds for every step that does not say otherwise. None means: the configuration decides."""

    max_concurrent_steps: int | None = None
    isolation: Isolation = "step"
    is_isolation_given: bool = False
    """Whether the plan itself says how steps are isolated."""
    worktree: WorktreeWishes = WorktreeWishes()
    manual_review_required: bool = False
    retries: int | None = None
    timeout_seconds: float | None = None
    fail_fast: bool = False
    orchestration_mode: OrchestrationMode | None = None
    mode: RolloutMode | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One unit of work. After expansion `item` holds the values of the `foreach` or `matrix` it came from."""

    id: str
    kind: str = "command"
    name: str = ""
    description: str = ""
    command: tuple[str, ...] | None = None
    shell: str | None = None
    tool: str | None = None
    prompt: str | None = None
    depends_on: tuple[str, ...] = ()
    run_if: RunIf = "success"
    when: str | None = None
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    resources: Resources = Resources()
    priority: int = 0
    retries: int | None = None
    backoff: Backoff = Backoff()
    timeout_seconds: float | None = None
    critical: bool = True
    is_finally: bool = False
    workstream: str | None = None
    role: str | None = None
    scope: Scope = Scope()
    gates: tuple[str, ...] = ()
    review: Literal["auto", "always", "never"] = "auto"
    manual_review_required: bool | None = None
    expect_change: bool | None = None
    foreach: tuple[Scalar, ...] | str | None = None
    matrix: Mapping[str, tuple[Scalar, ...]] | None = None
    item: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan, as written: steps not yet expanded, `finally` steps among them (`is_finally`)."""

    plan_id: str
    name: str
    description: str
    variables: Mapping[str, Variable]
    globals: Globals
    gates: tuple[Gate, ...]
    steps: tuple[Step, ...]
    text: str
    """The source text; a run keeps it, so that a change of the file never changes a run under way."""
    digest: str
    """SHA-256 of the source text."""


@dataclass(frozen=True, slots=True)
class Values:
    """The variables of one run, resolved to text. `secrets` are the values that must never be shown."""

    by_name: Mapping[str, str]
    secret_names: frozenset[str] = frozenset()

    @property
    def shown(self) -> dict[str, str]:
        """The values as they may be kept and shown: a secret's name, never its value."""
        return {name: MASK if name in self.secret_names else value for name, value in self.by_name.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(self.by_name[name] for name in sorted(self.secret_names) if self.by_name.get(name))


@dataclass(frozen=True, slots=True)
class Invocation:
    """A step with everything filled in: what is started, where, and what is added to its environment."""

    argv: tuple[str, ...]
    cwd: str
    """Relative to the workspace, `.` for its top."""
    env: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    """The secret values that this step is given: its output is filtered for them."""
