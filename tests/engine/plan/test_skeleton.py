"""The plan to begin with."""

import json

import pytest

from engine.errors import UsageError
from engine.plan.expansion import expand
from engine.plan.load import parse_plan
from engine.plan.order import topological_order
from engine.plan.skeleton import new_plan_text
from engine.plan.variables import bind_variables


def test_it_is_valid_and_runs_in_a_sensible_order() -> None:
    plan = parse_plan(new_plan_text("tidy-up"))
    assert plan.plan_id == "tidy-up"
    steps = expand(plan, bind_variables(plan, {}, {}))
    assert topological_order(steps) == ["write", "count", "report", "goodbye"]


def test_it_is_written_as_a_person_would() -> None:
    text = new_plan_text("x")
    assert '"command": ["echo", "done"]' in text
    assert len(text.splitlines()) <= 50


def test_it_shows_nothing_that_has_no_effect_yet() -> None:
    document = json.loads(new_plan_text("x"))
    assert not {"gates", "scope"} & {*document, *(key for step in document["steps"] for key in step)}


def test_every_step_says_what_it_shows() -> None:
    document = json.loads(new_plan_text("x"))
    assert all(step["description"] for step in document["steps"] + document["finally"])


@pytest.mark.parametrize("plan_id", ["", "a b", "../x", "x" * 65])
def test_an_unusable_id_is_refused(plan_id: str) -> None:
    with pytest.raises(UsageError):
        new_plan_text(plan_id)
