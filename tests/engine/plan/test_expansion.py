"""Steps of a run from steps of a plan."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PlanError
from engine.ids import is_safe_name
from engine.plan.expansion import expand, name_items
from engine.plan.plan import Plan, Scope, Step, Values
from engine.plan.variables import bind_variables

Make = Callable[..., Plan]


def expanded(plan: Plan, **given: str) -> tuple[Step, ...]:
    return expand(plan, bind_variables(plan, given, {}))


def waits(steps: tuple[Step, ...]) -> Mapping[str, tuple[str, ...]]:
    return {step.id: step.depends_on for step in steps}


def test_a_plain_step_stays_the_object_that_it_is(plan: Make) -> None:
    made = plan({"id": "a", "locks": ["x"], "command": ["echo", "${V}"]}, variables={"V": {}})
    assert expanded(made)[0] is made.steps[0]


def test_a_list_makes_a_step_of_each_value(plan: Make) -> None:
    steps = expanded(plan({"id": "t", "foreach": ["a b", 2, True]}))
    assert [(step.id, step.item, step.foreach) for step in steps] == [
        ("t-a-b", {"item": "a b"}, None),
        ("t-2", {"item": 2}, None),
        ("t-true", {"item": True}, None),
    ]


def test_a_matrix_makes_every_combination_in_a_fixed_order(plan: Make) -> None:
    steps = expanded(plan({"id": "t", "matrix": {"os": ["linux", "mac"], "py": [3.11, "3.12"]}}))
    assert [step.id for step in steps] == ["t-linux-3-11", "t-linux-3-12", "t-mac-3-11", "t-mac-3-12"]
    assert steps[1].item == {"os": "linux", "py": "3.12"}


@pytest.mark.parametrize("text", ["a,b", "a\nb\n", " a , ,b"])
def test_a_variable_is_split_at_commas_and_lines(plan: Make, text: str) -> None:
    steps = expanded(plan({"id": "t", "foreach": "${N}"}, variables={"N": {}}), N=text)
    assert [step.id for step in steps] == ["t-a", "t-b"]


def test_depending_on_a_loop_means_all_of_its_steps(plan: Make) -> None:
    made = plan(
        {"id": "t", "foreach": ["a", "b"]},
        {"id": "all", "depends_on": ["t"]},
        {"id": "one", "depends_on": ["t-b"]},
        {"id": "both", "depends_on": ["t-a", "t"]},
        {"id": "u", "foreach": [1, 2], "depends_on": ["t"]},
    )
    assert waits(expanded(made)) == {
        "t-a": (),
        "t-b": (),
        "all": ("t-a", "t-b"),
        "one": ("t-b",),
        "both": ("t-a", "t-b"),
        "u-1": ("t-a", "t-b"),
        "u-2": ("t-a", "t-b"),
    }


def test_behind_an_empty_loop_one_waits_for_what_it_would_have_waited_for(plan: Make) -> None:
    made = plan(
        {"id": "first"},
        {"id": "t", "foreach": "${N}", "depends_on": ["first"]},
        {"id": "u", "foreach": "${N}", "depends_on": ["t"]},
        {"id": "last", "depends_on": ["u"]},
        variables={"N": {}},
    )
    assert waits(expanded(made)) == {"first": (), "last": ("first",)}


def test_what_the_schedule_needs_is_filled_in_and_the_rest_waits(plan: Make) -> None:
    made = plan(
        {
            "id": "t", "matrix": {"os": ["x"]}, "name": "On ${matrix.os}", "locks": ["db-${matrix.os}"],
            "workstream": "w-${V}", "outputs": ["out/${matrix.os}/${V}"], "scope": {"include": ["${V}/**"]},
            "command": ["run", "${matrix.os}"], "env": {"OS": "${matrix.os}"},
        },
        variables={"V": {"default": "v"}},
    )  # fmt: skip
    step = expanded(made)[0]
    assert (step.name, step.locks, step.workstream) == ("On x", ("db-x",), "w-v")
    assert (step.outputs, step.scope) == (("out/x/v",), Scope(("v/**",)))
    assert (step.command, step.env) == (("run", "${matrix.os}"), {"OS": "${matrix.os}"})


def test_the_environment_of_all_steps_is_in_each_and_its_own_wins(plan: Make) -> None:
    made = plan({"id": "a", "env": {"X": "own"}}, {"id": "b"}, globals={"env": {"X": "all", "Y": "y"}})
    assert [step.env for step in expanded(made)] == [{"X": "own", "Y": "y"}, {"X": "all", "Y": "y"}]


@pytest.mark.parametrize(
    ("step", "value", "message"),
    [
        ({"outputs": ["x/${V}"]}, "../../y", "leads out of the workspace"),
        ({"outputs": ["${V}"]}, "/etc/passwd", "relative to the workspace"),
        ({"locks": ["${V}"]}, "a b", "locks: "),
        ({"workstream": "${V}"}, "", "workstream: "),
    ],
)
def test_values_that_make_a_plan_impossible_are_told(
    plan: Make, step: dict[str, Any], value: str, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        expanded(plan({"id": "a", **step}, variables={"V": {}}), V=value)


def test_too_many_steps_are_refused_before_they_are_made(plan: Make) -> None:
    made = plan({"id": "t", "foreach": "${N}"}, variables={"N": {}})
    with pytest.raises(PlanError, match="becomes 20,001 steps"):
        expanded(made, N="x," * 20_001)


def test_too_many_dependencies_are_refused(plan: Make) -> None:
    loop = list(range(800))
    made = plan({"id": "t", "foreach": loop}, {"id": "u", "foreach": loop, "depends_on": ["t"]})
    with pytest.raises(PlanError, match="640,000 dependencies"):
        expanded(made)


@given(
    st.lists(st.text(max_size=80) | st.integers() | st.booleans(), max_size=30),
    st.sampled_from(["t", "t" * 64]),
)
def test_ids_are_safe_and_never_twice(items: list[Any], step_id: str) -> None:
    steps = [Step(step_id, foreach=tuple(items)), Step("t-1"), Step("t-a")]
    names = name_items(steps, {step_id: [{"item": item} for item in items]})[step_id]
    assert len({*names, step_id, "t-1", "t-a"}) == len(names) + len({step_id, "t-1", "t-a"})
    assert all(is_safe_name(name) for name in names)
    assert names == name_items(steps, {step_id: [{"item": item} for item in items]})[step_id]


def test_ids_that_a_plan_may_name_do_not_depend_on_values(plan: Make) -> None:
    made = plan(
        {"id": "t", "foreach": "${N}"},
        {"id": "t-a", "foreach": ["b"]},
        {"id": "last", "depends_on": ["t-a-b"]},
        variables={"N": {}},
    )
    steps = {step.id: step for step in expanded(made, N="a-b")}
    assert steps["last"].depends_on == ("t-a-b",)
    assert steps["t-a-b"].item == {"item": "b"}
    assert steps["t-a-b-2"].item == {"item": "a-b"}


def test_the_same_plan_and_values_give_the_same_steps(plan: Make) -> None:
    made = plan({"id": "t", "matrix": {"a": [1, 2], "b": ["x", "y"]}}, {"id": "u", "depends_on": ["t"]})
    assert expand(made, Values({})) == expand(made, Values({}))
