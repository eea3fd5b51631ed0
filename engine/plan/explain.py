"""What a run would do, step by step, told before anything starts. Secret values never appear."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.plan.condition import condition_holds, needs_outputs
from engine.plan.lookup import Lookup
from engine.plan.order import levels, topological_order
from engine.plan.plan import Globals, Plan, Step, Values
from engine.plan.template import Reference, fill


@dataclass(frozen=True, slots=True)
class Explanation:
    """One step of a run to be. `when_holds` is None where it depends on outputs that do not exist yet."""

    step_id: str
    level: int
    why: tuple[str, ...]
    waits_for: tuple[str, ...]
    argv: tuple[str, ...]
    tool: str | None
    kind: str
    when: str | None
    when_holds: bool | None
    locks: tuple[str, ...]
    retries: int | None
    timeout_seconds: float | None
    is_finally: bool

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def explain(plan: Plan, steps: Sequence[Step], values: Values) -> list[Explanation]:
    """The expanded steps in the order in which one worker would run them."""
    by_id = {step.id: step for step in steps}
    level_of = dict(zip(by_id, levels(steps), strict=True))
    masked = Values(values.shown)
    return [
        _explanation(by_id[step_id], level_of[step_id] + 1, plan.globals, masked, values)
        for step_id in topological_order(steps)
    ]


def _explanation(step: Step, level: int, common: Globals, masked: Values, values: Values) -> Explanation:
    holds = _when_holds(step, values)
    return Explanation(
        step_id=step.id,
        level=level,
        why=tuple(_reasons(step, holds)),
        waits_for=step.depends_on,
        argv=_argv(step, masked),
        tool=step.tool or ("command" if step.command else "shell" if step.shell else None),
        kind=step.kind,
        when=step.when,
        when_holds=holds,
        locks=step.locks,
        retries=common.retries if step.retries is None else step.retries,
        timeout_seconds=common.timeout_seconds if step.timeout_seconds is None else step.timeout_seconds,
        is_finally=step.is_finally,
    )


def _reasons(step: Step, holds: bool | None) -> list[str]:
    reasons = [_start_reason(step)]
    if step.when is not None:
        verdict = {
            True: "holds",
            False: "does not hold: the step is skipped",
            None: "is decided during the run",
        }
        reasons.append(f"when {step.when}: {verdict[holds]}")
    if step.item:
        reasons.append("one of several: " + ", ".join(f"{name}={value}" for name, value in step.item.items()))
    return reasons


def _start_reason(step: Step) -> str:
    if not step.depends_on:
        return "runs at the end, whatever happens" if step.is_finally else "waits for nothing"
    before = ", ".join(step.depends_on)
    if step.run_if == "success":
        when = f"starts when {before} succeeded"
    elif step.run_if == "always":
        when = f"starts when {before} ended, however that was"
    elif len(step.depends_on) == 1:
        when = f"starts when {before} failed"
    else:
        when = f"starts when {before} ended and one of them failed"
    return f"{when}, at the end of the run" if step.is_finally else when


def _when_holds(step: Step, values: Values) -> bool | None:
    if step.when is None:
        return True
    if needs_outputs(step.when):
        return None
    return condition_holds(step.when, values, {}, step.item)


def _argv(step: Step, masked: Values) -> tuple[str, ...]:
    """What would be started; a shell line is shown as it is written, since its values come by environment."""
    if step.shell is not None:
        return ("/bin/sh", "-c", step.shell)
    lookup = Lookup(masked, item=step.item)

    def shown(reference: Reference) -> str:
        return str(reference) if reference.is_output else lookup(reference)

    return tuple(fill(argument, shown) for argument in step.command or ())
