"""The form of a plan file: every key, its type, its bounds, and what it is for.

The same declarations check a plan and make the JSON Schema for editors. A form says nothing about how keys
and steps fit together: that is `check.py`. Types are strict: "3" is no number, 1 is not true.
"""

from math import isfinite
from typing import Annotated, Any, Literal, Required

from pydantic import (
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    StrictBool,
    StrictStr,
    WithJsonSchema,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from engine.plan.limits import MAX_CONDITION, MAX_INTEGER, MAX_SECONDS, MAX_STEPS
from engine.plan.plan import Isolation, OrchestrationMode, RolloutMode, RunIf, Scalar

_STRICT = with_config(ConfigDict(extra="forbid", title=None))
_ID_PATTERN = {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"}
_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}


def _is_scalar(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return isinstance(value, str) or (isinstance(value, float) and isfinite(value))


def _scalar(value: Any) -> Any:
    if _is_scalar(value):
        return value
    raise PydanticCustomError("scalar", "should be a text, a number, true or false")


def _scalars(value: Any) -> tuple[Scalar, ...]:
    if isinstance(value, list) and all(map(_is_scalar, value)):
        return tuple(value)
    raise PydanticCustomError("scalars", "should be a list of texts, numbers, true or false")


def _items(value: Any) -> tuple[Scalar, ...] | str:
    return value if isinstance(value, str) else _scalars(value)


def _environment_name(value: Any) -> bool | str:
    if isinstance(value, bool | str):
        return value
    raise PydanticCustomError("environment", "should be true, or the name of an environment variable")


def _about(text: str, **more: Any) -> Any:
    return Field(description=text, **more)


def _whole(least: int, most: int) -> Any:
    return Field(strict=True, ge=least, le=most)


def _number(least: float, most: float) -> Any:
    return Field(strict=True, ge=least, le=most, allow_inf_nan=False)


AnyScalar = Annotated[Scalar, PlainValidator(_scalar), WithJsonSchema(_SCALAR_SCHEMA)]
Scalars = Annotated[
    tuple[Scalar, ...],
    PlainValidator(_scalars),
    WithJsonSchema({"type": "array", "minItems": 1, "items": _SCALAR_SCHEMA}),
]
Items = Annotated[
    tuple[Scalar, ...] | str,
    PlainValidator(_items),
    WithJsonSchema({"anyOf": [{"type": "array", "minItems": 1, "items": _SCALAR_SCHEMA}, {"type": "string"}]}),
]
EnvironmentName = Annotated[
    bool | str, PlainValidator(_environment_name), WithJsonSchema({"type": ["boolean", "string"]})
]
Texts = Annotated[tuple[StrictStr, ...], FailFast()]
TextMap = dict[StrictStr, StrictStr]
Id = Annotated[StrictStr, Field(json_schema_extra=_ID_PATTERN)]
Ids = Annotated[tuple[Id, ...], FailFast()]
Command = Annotated[Texts, Field(json_schema_extra={"minItems": 1})]
Seconds = Annotated[float, Field(strict=True, gt=0, le=MAX_SECONDS, allow_inf_nan=False)]


@_STRICT
class VariableForm(TypedDict, total=False):
    """A value that the plan takes from outside."""

    default: Annotated[AnyScalar, _about("The value when none is given. Not for required or secret variables.")]
    description: Annotated[StrictStr, _about("What the value is for.")]
    required: Annotated[StrictBool, _about("Whether a run may not start without a value. Default: false.")]
    secret: Annotated[StrictBool, _about("Whether the value is masked wherever it would be shown. Default: false.")]
    env: Annotated[
        EnvironmentName,
        _about("Take the value from the environment: true for the variable of the same name, or another name."),
    ]


@_STRICT
class BackoffForm(TypedDict, total=False):
    """How long to wait before the next attempt."""

    initial_seconds: Annotated[float, _number(0, 86_400), _about("Wait before the second attempt. Default: 1.")]
    factor: Annotated[float, _number(1, 100), _about("Every wait is this many times the one before. Default: 2.")]
    max_seconds: Annotated[float, _number(0, 86_400), _about("No wait is longer. Default: 60.")]
    jitter: Annotated[float, _number(0, 1), _about("Share of a wait that is left to chance. Default: 0.1.")]


@_STRICT
class ResourcesForm(TypedDict, total=False):
    """What the step takes of the machine while it runs."""

    cpu: Annotated[float, _number(0, 1024), _about("Processor cores. Default: 0, nothing worth counting.")]
    memory_mb: Annotated[int, _whole(0, 16 * 1024 * 1024), _about("Memory in MiB. Default: 0.")]
    labels: Annotated[Ids, _about("Labels that a worker must have.")]


@_STRICT
class ScopeForm(TypedDict, total=False):
    """The paths that the step may change; a change elsewhere is quarantined."""

    include: Annotated[Texts, _about('Globs, such as "src/**". Without any, every path.')]
    exclude: Annotated[Texts, _about("Globs that are taken out again.")]


@_STRICT
class GateForm(TypedDict, total=False):
    """A check that must pass before a change counts as verified."""

    id: Required[Annotated[Id, _about("The name by which steps and other gates mean this gate.")]]
    type: Required[
        Annotated[Literal["LINT", "UNIT", "INTEGRATION", "SECURITY", "CUSTOM"], _about("What kind of check it is.")]
    ]
    command: Annotated[Command, _about("Program and arguments.")]
    shell: Annotated[StrictStr, _about("A shell command line, instead of `command`.")]
    timeout_seconds: Annotated[Seconds, _about("The gate fails when it takes longer.")]
    depends_on: Annotated[Ids, _about("Gates that must have passed before.")]


@_STRICT
class WorktreeForm(TypedDict, total=False):
    """What a step's worktree holds beside the files of the commit that it starts from."""

    copy_files: Annotated[
        Texts,
        Field(alias="copy"),
        _about('Files that git ignores and that are copied from the repository\'s folder, such as ".env".'),
    ]
    setup: Annotated[StrictStr, _about("A line for /bin/sh that is run in the worktree before the step starts.")]
    sparse: Annotated[Texts, _about("Patterns of a sparse checkout: only these files are there. Default: all.")]


@_STRICT
class GlobalsForm(TypedDict, total=False):
    """What holds for the run, and for every step that does not say otherwise."""

    max_concurrent_steps: Annotated[int, _whole(1, 1024), _about("How many steps may run at once.")]
    use_worktrees: Annotated[StrictBool, _about("Whether steps run in worktrees. false is `isolation: none`.")]
    isolation: Annotated[
        Isolation,
        _about("One worktree a step, one for the run, or none: in the folder itself. Default: step."),
    ]
    worktree: Annotated[WorktreeForm, _about("What a step's worktree holds beside the files of its commit.")]
    manual_review_required: Annotated[StrictBool, _about("Whether a person looks at every change. Default: false.")]
    retries: Annotated[int, _whole(0, 100), _about("Attempts after the first, for steps that do not say.")]
    timeout_seconds: Annotated[Seconds, _about("Time limit of an attempt, for steps that do not say.")]
    fail_fast: Annotated[StrictBool, _about("Whether nothing new starts once a critical step failed. Default: false.")]
    orchestration_mode: Annotated[OrchestrationMode, _about("Which steps may run side by side.")]
    mode: Annotated[RolloutMode, _about("What becomes of changes: only reported, partly applied, or applied.")]
    env: Annotated[TextMap, _about("Environment of every step; a step's own `env` wins.")]


@_STRICT
class StepForm(TypedDict, total=False):
    """One unit of work: exactly one of `command`, `shell`, or `tool` and `prompt`."""

    id: Required[Annotated[Id, _about("The step's name in the plan: letters, digits, - and _, at most 64.")]]
    kind: Annotated[Id, _about("What kind of work it is, such as command, format, test, code_edit. Default: command.")]
    name: Annotated[StrictStr, _about("A title for people.")]
    description: Annotated[StrictStr, _about("More about it, for people.")]
    command: Annotated[Command, _about("Program and arguments; a `${NAME}` is always within one argument.")]
    shell: Annotated[StrictStr, _about("A line for /bin/sh; a `${NAME}` arrives as an environment variable.")]
    tool: Annotated[Id, _about("The tool that does it, such as claude or ruff.")]
    prompt: Annotated[StrictStr, _about("What an agent is asked to do.")]
    depends_on: Annotated[Ids, _about("Steps that must be over before this one starts.")]
    run_if: Annotated[RunIf, _about("How the steps it depends on must have ended. Default: success.")]
    when: Annotated[
        StrictStr,
        Field(max_length=MAX_CONDITION),
        _about("Run only if this holds, such as `${OS} == 'linux' and ${build.changed} != 0`."),
    ]
    cwd: Annotated[StrictStr, _about("Folder to run in, relative to the workspace.")]
    env: Annotated[TextMap, _about("Additions to the environment.")]
    outputs: Annotated[Texts, _about("Files that must exist afterwards, relative to the workspace.")]
    locks: Annotated[Texts, _about("Names; steps that share one never run at the same time.")]
    resources: Annotated[ResourcesForm, _about("What the step takes of the machine while it runs.")]
    priority: Annotated[int, _whole(-1000, 1000), _about("Among ready steps the higher goes first. Default: 0.")]
    retries: Annotated[int, _whole(0, 100), _about("Attempts after the first.")]
    backoff: Annotated[BackoffForm, _about("How long to wait before the next attempt.")]
    timeout_seconds: Annotated[Seconds, _about("Time limit of one attempt.")]
    critical: Annotated[StrictBool, _about("Whether the run fails when the step does. Default: true.")]
    is_finally: Annotated[
        StrictBool,
        Field(alias="finally"),
        _about("Whether the step runs at the end whatever happens, as those in the plan's own `finally` do."),
    ]
    workstream: Annotated[StrictStr, _about("The group of steps that it belongs to.")]
    role: Annotated[Id, _about("Who does it in sequential mode, such as architect, tester, implementer.")]
    scope: Annotated[ScopeForm, _about("The paths that the step may change.")]
    gates: Annotated[Ids, _about("Gates that its change must pass.")]
    review: Annotated[
        Literal["auto", "always", "never"],
        _about("Whether a person looks at its change. Default: auto, by risk."),
    ]
    manual_review_required: Annotated[StrictBool, _about("The plan's setting of this name, for this step.")]
    expect_change: Annotated[
        StrictBool, _about("Whether changing nothing is a failure. Default: true for code_edit, else false.")
    ]
    foreach: Annotated[
        Items,
        _about("One step for each value, as `${item}`: a list, or a `${NAME}` split at commas and lines."),
    ]
    matrix: Annotated[
        dict[StrictStr, Scalars], _about("One step for each combination, as `${matrix.axis}`: lists by axis.")
    ]


@_STRICT
class HeaderForm(TypedDict, total=False):
    """What a plan says about itself. Variables, gates and steps are read one by one."""

    version: Required[Annotated[Literal["1.0"], _about("The version of this format.")]]
    plan_id: Required[Annotated[Id, _about("The plan's name for machines: letters, digits, - and _, at most 64.")]]
    name: Annotated[StrictStr, _about("A title for people.")]
    description: Annotated[StrictStr, _about("What the plan is for.")]
    globals: Annotated[GlobalsForm, _about("What holds for every step that does not say otherwise.")]


@_STRICT
class PlanForm(HeaderForm, total=False):
    """A minipipe plan: steps that depend on one another, and what they have in common."""

    variables: Annotated[dict[StrictStr, VariableForm], _about("Values that the plan takes, by name.")]
    gates: Annotated[list[GateForm], _about("Checks that steps may name.")]
    steps: Required[
        Annotated[list[StepForm], Field(min_length=1, max_length=MAX_STEPS), _about("The work, in any order.")]
    ]
    finals: Annotated[
        list[StepForm],
        Field(alias="finally"),
        _about('Steps that run at the end whatever happens; the same as `"finally": true` on a step.'),
    ]
