"""A document as far as it could be read: what every rule looks at, whether or not all of it was right.

A part with a wrong key is kept without that key, so that the rules can go on and everything that is wrong
is told at once; `is_broken` says of which parts a rule must not expect too much.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from engine.plan.document import (
    BackoffForm,
    GateForm,
    GlobalsForm,
    HeaderForm,
    PlanForm,
    ResourcesForm,
    ScopeForm,
    StepForm,
    VariableForm,
    WorktreeForm,
)
from engine.plan.finding import STAND_IN, Finding, Path
from engine.plan.limits import MAX_FINDINGS, MAX_STEPS
from engine.plan.plan import Backoff, Gate, Globals, Resources, Scope, Step, Variable, WorktreeWishes
from engine.plan.wording import describe, to_finding


@dataclass(slots=True)
class Draft:
    """The parts of a plan with the places they were read from."""

    header: Mapping[str, Any] = field(default_factory=dict)
    use_worktrees: bool | None = None
    isolation: str | None = None
    globals: Globals = field(default_factory=Globals)
    variables: dict[str, Variable] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    ordinary_count: int = 0
    """The steps after these many come from the plan's own `finally`."""
    broken_steps: set[int] = field(default_factory=set)
    broken_gates: set[int] = field(default_factory=set)
    gate_ids: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def step_path(self, index: int) -> Path:
        if index < self.ordinary_count:
            return ("steps", index)
        return ("finally", index - self.ordinary_count)


def _keys(form: Any) -> list[str]:
    names = {"is_finally": "finally", "finals": "finally", "copy_files": "copy"}
    return [names.get(key, key) for key in form.__annotations__]


class _Form:
    """One of the forms, ready to read with."""

    def __init__(self, form: Any, *, parts: Mapping[str, Any] | None = None) -> None:
        self.validate = TypeAdapter(form).validator.validate_python
        self._keys = _keys(form)
        self._part_keys = {name: _keys(part) for name, part in (parts or {}).items()}

    def read(self, raw: object, path: Path, findings: list[Finding], **stand_ins: Any) -> dict[str, Any]:
        """The values that were given; where some are wrong, the others, and stand-ins for what must be."""
        try:
            return cast(dict[str, Any], self.validate(raw))
        except ValidationError as failure:
            errors = failure.errors(include_url=False)
        findings.extend(to_finding(error, path, self._known(error["loc"])) for error in errors)
        wrong = {error["loc"][0] for error in errors if error["loc"]}
        right = {key: value for key, value in raw.items() if key not in wrong} if isinstance(raw, dict) else {}
        return cast(dict[str, Any], self.validate(stand_ins | right))

    def _known(self, place: tuple[int | str, ...]) -> Iterable[str]:
        return self._part_keys.get(str(place[0]), ()) if len(place) > 1 else self._keys


class _HeaderReader(_Form):
    """The header, which stands among keys that others read."""

    def __init__(self) -> None:
        super().__init__(HeaderForm, parts={"globals": GlobalsForm, "worktree": WorktreeForm})
        self._keys = _keys(PlanForm)


_header = _HeaderReader()
_variable = _Form(VariableForm)
_gate = _Form(GateForm)
_step = _Form(StepForm, parts={"backoff": BackoffForm, "resources": ResourcesForm, "scope": ScopeForm})
_READ_APART = ("variables", "gates", "steps", "finally")


def read_document(data: Mapping[str, Any]) -> Draft:
    """Everything of the document that has the right form, and findings about the rest."""
    draft = Draft()
    _read_header({key: value for key, value in data.items() if key not in _READ_APART}, draft)
    for name, raw in _members(data, "variables", draft.findings).items():
        draft.variables[name] = _read_variable(name, raw, draft.findings)
    for index, raw in enumerate(_list(data, "gates", draft.findings)):
        _read_gate(index, raw, draft)
    _read_steps(data, draft)
    return draft


def _read_header(raw: dict[str, Any], draft: Draft) -> None:
    fields = _header.read(raw, (), draft.findings, version="1.0", plan_id=STAND_IN)
    common = fields.pop("globals", {})
    draft.header = fields
    draft.use_worktrees = common.pop("use_worktrees", None)
    draft.isolation = common.get("isolation")
    if draft.isolation is None and draft.use_worktrees is False:
        common["isolation"] = "none"
    common["is_isolation_given"] = draft.isolation is not None or draft.use_worktrees is not None
    if "worktree" in common:
        common["worktree"] = WorktreeWishes(**common["worktree"])
    draft.globals = Globals(**common)


def _read_variable(name: str, raw: object, findings: list[Finding]) -> Variable:
    fields = _variable.read(raw, ("variables", name), findings)
    env = fields.pop("env", None)
    if isinstance(env, bool):
        env = name if env else None
    return Variable(name=name, env=env, **fields)


def _read_gate(index: int, raw: object, draft: Draft) -> None:
    if len(draft.findings) >= MAX_FINDINGS:
        return
    count = len(draft.findings)
    fields = _gate.read(raw, ("gates", index), draft.findings, id=f"{STAND_IN}{index}", type="CUSTOM")
    if len(draft.findings) > count:
        draft.broken_gates.add(index)
    gate = Gate(**fields)
    draft.gates.append(gate)
    draft.gate_ids.add(gate.id)


def _read_steps(data: Mapping[str, Any], draft: Draft) -> None:
    ordinary = _list(data, "steps", draft.findings)
    finals = _list(data, "finally", draft.findings)
    if "steps" not in data:
        draft.findings.append(Finding((), '"steps" is missing', "a plan has at least one step"))
    elif data["steps"] == []:
        draft.findings.append(Finding(("steps",), '"steps" is empty', "a plan has at least one step"))
    if len(ordinary) + len(finals) > MAX_STEPS:
        message = f"a plan of {len(ordinary) + len(finals):,} steps; at most {MAX_STEPS:,} are allowed"
        draft.findings.append(Finding(("steps",), message))
        return
    draft.ordinary_count = len(ordinary)
    for raw in ordinary:
        draft.steps.append(_read_step(raw, draft))
    for raw in finals:
        draft.steps.append(_read_step(raw, draft, is_finally=True))


def _read_step(raw: object, draft: Draft, *, is_finally: bool = False) -> Step:
    index = len(draft.steps)
    if len(draft.findings) >= MAX_FINDINGS:
        return Step(id=f"{STAND_IN}{index}")
    count = len(draft.findings)
    fields = _step.read(raw, draft.step_path(index), draft.findings, id=f"{STAND_IN}{index}")
    if len(draft.findings) > count:
        draft.broken_steps.add(index)
    if is_finally:
        fields["is_finally"] = True
    return _to_step(fields)


def _to_step(fields: dict[str, Any]) -> Step:
    if "backoff" in fields:
        fields["backoff"] = Backoff(**fields["backoff"])
    if "resources" in fields:
        fields["resources"] = Resources(**fields["resources"])
    if "scope" in fields:
        fields["scope"] = Scope(**fields["scope"])
    return Step(**fields)


def _list(data: Mapping[str, Any], key: str, findings: list[Finding]) -> Sequence[object]:
    value = data.get(key, [])
    if isinstance(value, list):
        return value
    findings.append(Finding((key,), f'"{key}" should be a list, not {describe(value)}'))
    return []


def _members(data: Mapping[str, Any], key: str, findings: list[Finding]) -> Mapping[str, object]:
    value = data.get(key, {})
    if isinstance(value, dict):
        return value
    findings.append(Finding((key,), f'"{key}" should be an object, not {describe(value)}'))
    return {}
