"""What a run would do."""

import json
from collections.abc import Callable

from engine.plan.expansion import expand
from engine.plan.explain import Explanation, explain
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables

Make = Callable[..., Plan]


def explained(plan: Plan, **given: str) -> dict[str, Explanation]:
    values = bind_variables(plan, given, {})
    return {one.step_id: one for one in explain(plan, expand(plan, values), values)}


def test_steps_are_told_in_order_with_what_starts_them(plan: Make) -> None:
    found = explained(
        plan(
            {"id": "c", "depends_on": ["a"], "run_if": "failure"},
            {"id": "a", "locks": ["x"], "retries": 1, "shell": "echo $V"},
            {"id": "z", "finally": True},
            variables={"V": {}},
            globals={"retries": 4, "timeout_seconds": 9},
        )
    )
    assert list(found) == ["a", "c", "z"]
    assert (found["a"].level, found["a"].locks, found["a"].retries, found["a"].tool) == (
        1,
        ("x",),
        1,
        "shell",
    )
    assert (found["c"].level, found["c"].retries, found["c"].timeout_seconds) == (2, 4, 9)
    assert found["c"].why == ("starts when a failed",)
    assert found["z"].why == ("runs at the end, whatever happens",)


def test_a_secret_is_never_shown(plan: Make) -> None:
    made = plan(
        {"id": "a", "command": ["login", "--token=${S}", "${V}"]},
        {"id": "b", "shell": "login $S", "env": {"X": "${S}"}, "when": "${S} == 'hush'"},
        variables={"S": {"secret": True}, "V": {}},
    )
    found = explained(made, S="hush-hush", V="open")
    assert found["a"].argv == ("login", "--token=***", "open")
    assert "hush-hush" not in json.dumps([one.to_dict() for one in found.values()])


def test_a_condition_is_decided_where_it_can_be(plan: Make) -> None:
    made = plan(
        {"id": "a", "when": "${V} == 1"},
        {"id": "b", "when": "${V} == 2"},
        {"id": "c", "when": "${a.k} == 2", "depends_on": ["a"], "command": ["x", "${a.k}"]},
        {"id": "d"},
        variables={"V": {"default": 1}},
    )
    found = explained(made)
    assert [found[name].when_holds for name in "abcd"] == [True, False, None, True]
    assert found["c"].argv == ("x", "${a.k}")


def test_the_value_of_a_loop_is_told(plan: Make) -> None:
    found = explained(plan({"id": "t", "foreach": ["x"], "command": ["run", "${item}"], "when": "${item} == x"}))
    assert found["t-x"].argv == ("run", "x")
    assert found["t-x"].when_holds is True
    assert "one of several: item=x" in found["t-x"].why
