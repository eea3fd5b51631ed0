"""From the variables that a plan declares to the values of one run.

First what was given (`--var`), then the environment where the variable allows it, then the default; a
variable that has none of these and is not required is empty. Everything that is wrong is told at once.
"""

import json
from collections.abc import Iterator, Mapping

from engine.errors import PlanError, Problem
from engine.plan.finding import did_you_mean, quote
from engine.plan.plan import Plan, Scalar, Values, Variable


def scalar_text(value: Scalar) -> str:
    """How a value of a plan looks as text: `true`, `1.5`, or the text itself."""
    return value if isinstance(value, str) else json.dumps(value)


def bind_variables(plan: Plan, given: Mapping[str, str], environ: Mapping[str, str]) -> Values:
    """The values of a run; raises PlanError with every missing, unknown or unusable one."""
    by_name = {name: _value(variable, given, environ) for name, variable in plan.variables.items()}
    problems = [*_unknown(plan, given), *_missing(plan, by_name), *_unusable(by_name)]
    if problems:
        raise PlanError(problems, source=plan.plan_id)
    resolved = {name: value or "" for name, value in by_name.items()}
    return Values(resolved, frozenset(name for name, variable in plan.variables.items() if variable.secret))


def _value(variable: Variable, given: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    if variable.name in given:
        return given[variable.name]
    if variable.env is not None and variable.env in environ:
        return environ[variable.env]
    return None if variable.default is None else scalar_text(variable.default)


def _unknown(plan: Plan, given: Mapping[str, str]) -> Iterator[Problem]:
    for name in given:
        if name not in plan.variables:
            hint = did_you_mean(name, plan.variables) or _declared(plan)
            yield Problem(f"--var {name}", f"the plan has no variable {quote(name)}", hint)


def _declared(plan: Plan) -> str:
    return f"it has {', '.join(sorted(plan.variables))}" if plan.variables else "it has no variables at all"


def _missing(plan: Plan, by_name: Mapping[str, str | None]) -> Iterator[Problem]:
    for name, variable in plan.variables.items():
        if variable.required and by_name[name] is None:
            hint = f"give it with --var {name}=…"
            if variable.env is not None:
                hint += f", or set {variable.env} in the environment"
            yield Problem(f"$.variables.{name}", f'the variable "{name}" needs a value', hint)


def _unusable(by_name: Mapping[str, str | None]) -> Iterator[Problem]:
    for name, value in by_name.items():
        if value is not None and not is_usable(value):
            yield Problem(f"$.variables.{name}", f'the value of "{name}" is not text: it holds a NUL or is not UTF-8')


def is_usable(value: str) -> bool:
    """Whether a value can be an argument, be stored and be shown."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
