"""Short ways to plans for the tests of this room."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import PlanError, Problem
from engine.plan.load import parse_plan
from engine.plan.plan import Plan

Step = dict[str, Any]


def _document(*steps: Step, **more: Any) -> dict[str, Any]:
    return {"version": "1.0", "plan_id": "p", "steps": list(steps), **more}


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """A plan of the given steps; steps without any work get some."""

    def make(*steps: Step, **more: Any) -> Plan:
        return parse_plan(json.dumps(_document(*(with_work(step) for step in steps), **more)))

    return make


@pytest.fixture
def problems() -> Callable[..., list[Problem]]:
    """What is wrong with a plan of the given steps."""

    def find(*steps: Step, **more: Any) -> list[Problem]:
        with pytest.raises(PlanError) as caught:
            parse_plan(json.dumps(_document(*(with_work(step) for step in steps), **more), indent=1))
        return list(caught.value.problems)

    return find


def with_work(step: Step) -> Step:
    """The step, doing something."""
    is_working = not isinstance(step, dict) or {"command", "shell", "tool", "prompt"} & step.keys()
    return step if is_working else {**step, "command": ["true"]}
