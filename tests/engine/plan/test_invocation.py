"""What is started for a step, tried with a real shell where one is started."""

# ruff: noqa: S604 (a step has a field of the name "shell")

import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.plan.invocation import resolve_environment, resolve_gate, resolve_step, resolve_text
from engine.plan.plan import Gate, Invocation, Scalar, Step, Values

HOSTILE = [
    "$(touch pwned)",
    "`id`",
    "; rm -rf x",
    "a b",
    "'",
    '"',
    "${HOME}",
    "$${A}",
    "\n",
    "*",
    "-n",
    "\\",
    "",
]
VALUES = Values({"A": "a", "B": "b c", "S": "hush", "T": "tell"}, frozenset({"S", "T"}))


def printed(invocation: Invocation) -> str:
    """What the invocation prints, with nothing else in its environment but a path."""
    environment = {"PATH": "/usr/bin:/bin", **invocation.env}
    return subprocess.run(invocation.argv, env=environment, capture_output=True, text=True, check=True).stdout


def test_in_a_command_a_value_stays_within_its_argument() -> None:
    invocation = resolve_step(Step("s", command=("x", "${B}", "-${A}-${B}")), VALUES, {})
    assert invocation == Invocation(("x", "b c", "-a-b c"), ".", {})


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("text", ['printf %s "${V}"', 'printf %s "$V"', 'printf %s "${o.k}"', 'printf %s "${item}"'])
def test_in_a_shell_line_no_value_becomes_code(text: str, value: str) -> None:
    step = Step("s", shell=text, item={"item": value})
    invocation = resolve_step(step, Values({"V": value}), {"o": {"k": value}})
    assert value in invocation.env.values()
    assert invocation.argv[:2] == ("/bin/sh", "-c")
    assert printed(invocation) == value


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")))
def test_any_value_comes_out_of_a_shell_as_it_went_in(value: str) -> None:
    invocation = resolve_step(Step("s", shell='printf %s "$V"'), Values({"V": value}), {})
    assert printed(invocation) == value


def test_a_shell_gets_only_the_variables_that_it_mentions() -> None:
    step = Step("s", shell="echo ${A} ${HOME} $UNKNOWN ${f%.txt} $$B", env={"X": "${B}"})
    assert resolve_step(step, VALUES, {}).env == {"A": "a", "X": "b c"}


@pytest.mark.parametrize("text", ["${A:-x}", "${A%.txt}", "${#A}", "$A.txt", "'${A}'"])
def test_every_way_of_a_shell_to_use_a_variable_gets_it(text: str) -> None:
    assert resolve_step(Step("s", shell=f"echo {text}"), VALUES, {}).env == {"A": "a"}


def test_a_shell_can_use_several_outputs_and_axes() -> None:
    step = Step("s", shell="echo ${a.k} ${a.j} ${matrix.os} ${a.k}", item={"os": "linux"})
    invocation = resolve_step(step, VALUES, {"a": {"k": "1", "j": "2"}})
    assert printed(invocation) == "1 2 linux 1\n"
    assert len(invocation.env) == 3


def test_the_steps_own_environment_wins() -> None:
    step = Step("s", shell='printf %s "$A"', env={"A": "<${A}>"})
    assert printed(resolve_step(step, VALUES, {})) == "<a>"


@pytest.mark.parametrize(
    "step",
    [
        Step("s", command=("x", "-${S}")),
        Step("s", shell="echo $S"),
        Step("s", command=("x",), env={"E": "${S}"}),
        Step("s", command=("x",), cwd="${S}"),
    ],
)
def test_a_secret_that_is_given_away_is_told(step: Step) -> None:
    assert resolve_step(step, VALUES, {}).secrets == ("hush",)


def test_a_secret_that_is_not_used_is_not_told() -> None:
    assert resolve_step(Step("s", command=("x", "${A}")), VALUES, {}).secrets == ()


@pytest.mark.parametrize("outputs", [{}, {"o": {}}, {"o": {"other": "1"}}])
@pytest.mark.parametrize("step", [Step("s", command=("x", "${o.k}")), Step("s", shell="echo ${o.k}")])
def test_an_output_that_was_never_left_is_a_clear_error(step: Step, outputs: Mapping[str, dict[str, str]]) -> None:
    with pytest.raises(UserError, match=r"\$\{o\.k\} has no value: the step o left"):
        resolve_step(step, VALUES, outputs)


def test_an_output_that_is_not_text_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="is not text"):
        resolve_step(Step("s", command=("x", "${o.k}")), VALUES, {"o": {"k": "a\0b"}})


@pytest.mark.parametrize("folder", ["../x", "/etc", "a/../../b", ""])
def test_a_value_cannot_lead_out_of_the_workspace(folder: str) -> None:
    with pytest.raises(UserError, match="cwd"):
        resolve_step(Step("s", command=("x",), cwd="${D}"), Values({"D": folder}), {})


def test_a_program_without_a_name_is_not_started() -> None:
    with pytest.raises(UserError, match="name of the program is empty"):
        resolve_step(Step("s", command=("${P}",)), Values({"P": ""}), {})


def test_a_step_of_a_tool_has_no_program_of_its_own() -> None:
    step = Step("s", tool="claude", prompt="mend ${A}", cwd="sub", env={"E": "${S}"})
    with pytest.raises(UserError, match="its tool decides"):
        resolve_step(step, VALUES, {})
    assert resolve_environment(step, VALUES, {}) == Invocation((), "sub", {"E": "hush"}, ("hush",))


@pytest.mark.parametrize(("item", "text"), [({"item": 1.5}, "${item}"), ({"x": True}, "${matrix.x}")])
def test_a_prompt_is_filled_in_with_its_secrets_told(item: Mapping[str, Scalar], text: str) -> None:
    filled, secrets = resolve_text(text + " ${T} ${o.k} $${A}", VALUES, {"o": {"k": "v"}}, item)
    assert filled in ("1.5 tell v ${A}", "true tell v ${A}")
    assert secrets == ("tell",)


def test_a_gate_is_resolved_like_a_step() -> None:
    assert resolve_gate(Gate("g", "UNIT", command=("x", "${B}")), VALUES).argv == ("x", "b c")
    assert resolve_gate(Gate("g", "UNIT", shell="echo $S"), VALUES).secrets == ("hush",)
