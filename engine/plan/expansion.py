"""`foreach` and `matrix` steps become plain steps before a run starts: its graph is fixed and visible.

What is known now is filled in now: names, locks, workstreams, outputs and scopes. Commands, prompts and
environments keep their references until the step starts. The same plan and values give the same steps.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from engine.errors import PlanError, Problem, UserError
from engine.ids import is_safe_name
from engine.plan.finding import quote
from engine.plan.limits import MAX_EDGES, MAX_STEPS
from engine.plan.lookup import Lookup
from engine.plan.paths import outside_reason
from engine.plan.plan import Plan, Scalar, Scope, Step, Values
from engine.plan.template import fill, references
from engine.plan.variables import scalar_text

Item = Mapping[str, Scalar]

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST_ID = 64


def is_loop(step: Step) -> bool:
    """Whether a written step stands for several."""
    return step.foreach is not None or step.matrix is not None


def item_count(step: Step) -> int:
    """How many steps a loop over written values makes, without making them."""
    if step.matrix is not None:
        return prod(len(choices) for choices in step.matrix.values())
    return len(step.foreach or ()) if not isinstance(step.foreach, str) else 0


def written_items(step: Step) -> list[Item]:
    """The items of a loop whose values stand in the plan; the last axis of a matrix turns fastest."""
    if step.matrix is not None:
        axes = list(step.matrix)
        return [dict(zip(axes, choice, strict=True)) for choice in product(*step.matrix.values())]
    return [{"item": value} for value in step.foreach or ()] if not isinstance(step.foreach, str) else []


def items_in_text(text: str) -> list[Item]:
    """The items in the value of a variable: split at commas and line breaks, empty ones left out."""
    return [{"item": part.strip()} for part in re.split(r"[,\n]", text) if part.strip()]


def name_items(steps: Sequence[Step], items: Mapping[str, Sequence[Item]]) -> dict[str, list[str]]:
    """The ids of the steps that each loop becomes.

    Written values are named first: the plan itself may refer to those ids.
    """
    names = _Names(step.id for step in steps)
    loops = [step for step in steps if step.id in items]
    loops.sort(key=lambda step: isinstance(step.foreach, str))
    return {step.id: [names.give(step.id, item) for item in items[step.id]] for step in loops}


class _Names:
    """Gives out ids: safe, at most 64 characters, no id twice."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def give(self, step_id: str, item: Item) -> str:
        slug = _UNSAFE.sub("-", "-".join(scalar_text(value) for value in item.values())[:200]).strip("-")
        wanted = f"{step_id}-{slug}"[:_LONGEST_ID].rstrip("-")
        name = wanted
        number = self._last.get(wanted, 1)
        while name in self._taken:
            number += 1
            ending = f"-{number}"
            name = wanted[: _LONGEST_ID - len(ending)] + ending
        self._last[wanted] = number
        self._taken.add(name)
        return name


def expand(plan: Plan, values: Values) -> tuple[Step, ...]:
    """The steps of a run, in plan order; raises PlanError where values make the plan impossible."""
    items = {step.id: _items(step, values) for step in plan.steps if is_loop(step)}
    count = len(plan.steps) - len(items) + sum(map(len, items.values()))
    if count > MAX_STEPS:
        raise _impossible(f"the plan becomes {count:,} steps; at most {MAX_STEPS:,} are allowed", plan)
    settler = _Settler(plan, values, items)
    steps = tuple(step for written in plan.steps for step in settler.settle(written))
    if settler.problems:
        raise PlanError(settler.problems, source=plan.plan_id)
    edges = sum(len(step.depends_on) for step in steps)
    if edges > MAX_EDGES:
        raise _impossible(f"the plan becomes {edges:,} dependencies; at most {MAX_EDGES:,} are allowed", plan)
    return steps


def _impossible(message: str, plan: Plan) -> PlanError:
    hint = "shorten a foreach or matrix, or put a step between that others wait for"
    return PlanError([Problem("$.steps", message, hint)], source=plan.plan_id)


def _items(step: Step, values: Values) -> list[Item]:
    if isinstance(step.foreach, str):
        return items_in_text(fill(step.foreach, Lookup(values)))
    count = item_count(step)
    if count > MAX_STEPS:
        message = f"{step.id} becomes {count:,} steps; at most {MAX_STEPS:,} are allowed"
        raise PlanError([Problem("$.steps", message)])
    return written_items(step)


class _Settler:
    """Turns written steps into the steps of a run."""

    def __init__(self, plan: Plan, values: Values, items: Mapping[str, Sequence[Item]]) -> None:
        self.problems: list[Problem] = []
        self._values = values
        self._env = plan.globals.env
        self._items = items
        self._names = name_items(plan.steps, items)
        self._loops = {step.id: step for step in plan.steps if step.id in items}

    def settle(self, written: Step) -> Iterator[Step]:
        if written.id not in self._items:
            yield self._settled(written, {})
            return
        for name, item in zip(self._names[written.id], self._items[written.id], strict=True):
            yield self._settled(written, {"id": name, "item": item, "foreach": None, "matrix": None})

    def _settled(self, written: Step, changes: dict[str, Any]) -> Step:
        if self._env:
            changes["env"] = {**self._env, **written.env}
        if self._loops and any(name in self._loops for name in written.depends_on):
            changes["depends_on"] = tuple(dict.fromkeys(self._waits_for(written.depends_on)))
        if has_early_references(written):
            lookup = Lookup(self._values, item=changes.get("item", {}))
            self._fill(written, lookup, changes)
        return replace(written, **changes) if changes else written

    def _waits_for(self, names: Iterable[str]) -> Iterator[str]:
        """All steps of a loop; where a loop came out empty, what it would have waited for."""
        waiting = list(names)[::-1]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in self._loops:
                yield name
            elif self._names[name]:
                yield from self._names[name]
            else:
                waiting.extend(self._loops[name].depends_on[::-1])

    def _fill(self, written: Step, lookup: Lookup, changes: dict[str, Any]) -> None:
        step_id = changes.get("id", written.id)
        try:
            changes.update(_early_values(written, lookup))
        except UserError as error:
            self.problems.append(Problem(f"step {step_id}", error.message, error.hint))
            return
        for reason in _unfit(changes):
            self.problems.append(Problem(f"step {step_id}", f"{step_id}: {reason}"))


def _unfit(changes: Mapping[str, Any]) -> Iterator[str]:
    """What may not be, now that the values are known."""
    yield from (f"outputs: {reason}" for output in changes["outputs"] if (reason := outside_reason(output)))
    workstream = changes["workstream"]
    for key, name in [*(("locks", lock) for lock in changes["locks"]), ("workstream", workstream)]:
        if name is not None and not is_safe_name(name):
            yield f"{key}: {quote(name)} is not a name of letters, digits, - and _"


def early_texts(step: Step) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts that must be known before a run starts, with their places in the step."""
    yield ("name",), step.name
    if step.workstream is not None:
        yield ("workstream",), step.workstream
    for key, texts in (("locks", step.locks), ("outputs", step.outputs)):
        for index, text in enumerate(texts):
            yield (key, index), text
    for key, texts in (("include", step.scope.include), ("exclude", step.scope.exclude)):
        for index, text in enumerate(texts):
            yield ("scope", key, index), text


def has_early_references(step: Step) -> bool:
    """Whether any of those texts holds a reference; nearly always not."""
    if not (step.outputs or step.locks or step.workstream or step.scope is not _NO_SCOPE):
        return "${" in step.name
    return any("${" in text for _, text in early_texts(step))


_NO_SCOPE = Step.__dataclass_fields__["scope"].default


def _early_values(step: Step, lookup: Lookup) -> dict[str, Any]:
    def filled(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(fill(text, lookup) for text in texts)

    return {
        "name": fill(step.name, lookup),
        "workstream": None if step.workstream is None else fill(step.workstream, lookup),
        "locks": filled(step.locks),
        "outputs": filled(step.outputs),
        "scope": Scope(filled(step.scope.include), filled(step.scope.exclude)),
    }


def loop_variable(step: Step) -> str | None:
    """The variable that a `foreach` written as text runs over; None if it is not exactly one reference."""
    if not isinstance(step.foreach, str):
        return None
    found = references(step.foreach)
    is_one = len(found) == 1 and found[0].step is None and str(found[0]) == step.foreach.strip()
    return found[0].name if is_one else None
