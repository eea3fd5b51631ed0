"""Where the values of a run come from."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import PlanError
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables

Make = Callable[..., Plan]


@pytest.mark.parametrize(
    ("variable", "given", "environ", "value"),
    [
        ({"default": "d"}, {"V": "g"}, {"V": "e"}, "g"),
        ({"default": "d"}, {}, {"V": "e"}, "d"),
        ({"default": "d", "env": True}, {}, {"V": "e"}, "e"),
        ({"default": "d", "env": "OTHER"}, {}, {"V": "e", "OTHER": "o"}, "o"),
        ({"default": "d", "env": False}, {}, {"V": "e"}, "d"),
        ({"default": "d", "env": True}, {"V": ""}, {"V": "e"}, ""),
        ({"required": True}, {"V": "g"}, {}, "g"),
        ({"required": True, "env": True}, {}, {"V": "e"}, "e"),
        ({}, {}, {}, ""),
        ({"default": True}, {}, {}, "true"),
        ({"default": False}, {}, {}, "false"),
        ({"default": 3}, {}, {}, "3"),
        ({"default": 1.5}, {}, {}, "1.5"),
        ({"default": ""}, {}, {}, ""),
    ],
)
def test_a_value_comes_from_the_first_place_that_has_one(
    plan: Make, variable: dict[str, Any], given: dict[str, str], environ: dict[str, str], value: str
) -> None:
    values = bind_variables(plan({"id": "a"}, variables={"V": variable}), given, environ)
    assert values.by_name == {"V": value}


def test_every_missing_and_unknown_variable_is_told_at_once(plan: Make) -> None:
    made = plan({"id": "a"}, variables={"TARGET": {"required": True}, "B": {"required": True, "env": "BB"}})
    with pytest.raises(PlanError) as caught:
        bind_variables(made, {"TARGT": "x"}, {})
    assert [(problem.path, problem.hint) for problem in caught.value.problems] == [
        ("--var TARGT", 'did you mean "TARGET"?'),
        ("$.variables.TARGET", "give it with --var TARGET=…"),
        ("$.variables.B", "give it with --var B=…, or set BB in the environment"),
    ]


@pytest.mark.parametrize("value", ["a\0b", "a\udcffb"])
def test_a_value_that_is_not_text_is_refused(plan: Make, value: str) -> None:
    with pytest.raises(PlanError):
        bind_variables(plan({"id": "a"}, variables={"V": {}}), {"V": value}, {})


def test_secrets_are_known_by_their_values(plan: Make) -> None:
    made = plan({"id": "a"}, variables={"S": {"secret": True}, "E": {"secret": True}, "V": {}})
    values = bind_variables(made, {"S": "hush", "V": "seen"}, {})
    assert values.secrets == ("hush",)
