"""Plans as they are written: what they mean, and what is said about wrong ones."""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import PlanError, Problem
from engine.plan.load import parse_plan
from engine.plan.plan import Backoff, Plan, Resources, Scope
from engine.plan.schema import plan_schema

Problems = Callable[..., list[Problem]]
Make = Callable[..., Plan]

# Steps and other keys of a plan; then the path, a part of the message, and a part of the hint to be told.
BAD: list[tuple[list[Any], dict[str, Any], str, str, str]] = [
    ([{"id": "a", "depnds_on": []}], {}, "$.steps[0].depnds_on", 'unknown key "depnds_on"', '"depends_on"'),
    ([{"id": "a", "needs": []}], {}, "$.steps[0].needs", 'unknown key "needs"', 'did you mean "depends_on"?'),
    ([{"id": "a", "zzz": []}], {}, "$.steps[0].zzz", "unknown key", "known are id, kind"),
    ([{"id": "a"}], {"stepps": []}, "$.stepps", 'unknown key "stepps"', 'did you mean "steps"?'),
    ([{"id": "a", "cache": True}], {}, "$.steps[0].cache", "not supported yet", "later version"),
    ([{"id": "a", "include": "b.json"}], {}, "$.steps[0].include", "not supported yet", "later version"),
    ([{"id": "a", "backoff": {"factr": 2}}], {}, "$.steps[0].backoff.factr", "unknown key", '"factor"'),
    ([{"id": "a"}], {"globals": {"retrys": 2}}, "$.globals.retrys", "unknown key", '"retries"'),
    ([{"id": "a"}], {"version": "2.0"}, "$.version", '"version" should be "1.0"', ""),
    ([{"id": "a"}], {"version": 1.0}, "$.version", "not the number 1.0", "double quotes"),
    ([{"id": "a"}], {"plan_id": "a/b"}, "$.plan_id", 'not a usable plan_id: it holds "/"', "letters"),
    ([], {}, "$.steps", '"steps" is empty', "at least one"),
    ([{"command": ["x"]}], {}, "$.steps[0]", '"id" is missing', '"id": "build"'),
    (["x"], {}, "$.steps[0]", "should be an object, not the text", ""),
    ([{"id": "a", "retries": "3"}], {}, "$.steps[0].retries", "not the text", "write 3 without quotes"),
    ([{"id": "a", "retries": True}], {}, "$.steps[0].retries", "a whole number, not true", ""),
    ([{"id": "a", "retries": 1.5}], {}, "$.steps[0].retries", "a whole number, not the number 1.5", ""),
    ([{"id": "a", "retries": 101}], {}, "$.steps[0].retries", "at most 100, not the number 101", ""),
    ([{"id": "a", "retries": -1}], {}, "$.steps[0].retries", "at least 0, not the number -1", ""),
    ([{"id": "a", "timeout_seconds": 0}], {}, "$.steps[0].timeout_seconds", "more than 0", ""),
    ([{"id": "a", "timeout_seconds": 10**400}], {}, "$.steps[0].timeout_seconds", "of 401 digits", ""),
    ([{"id": "a", "critical": 1}], {}, "$.steps[0].critical", "not the number 1", "write true"),
    ([{"id": "a", "critical": "yes"}], {}, "$.steps[0].critical", "true or false", "write true without"),
    ([{"id": "a", "name": None}], {}, "$.steps[0].name", "a text, not null", "leave the key out"),
    ([{"id": "a", "run_if": "failed"}], {}, "$.steps[0].run_if", '"failure" or "always"', '"failure"'),
    ([{"id": "a", "depends_on": "b"}], {}, "$.steps[0].depends_on", "should be a list", '["b"]'),
    ([{"id": "a", "env": {"A": 1}}], {}, "$.steps[0].env.A", "should be a text", "double quotes"),
    ([{"id": "a", "env": {"A=B": "1"}}], {}, '$.steps[0].env["A=B"]', "cannot be the name", "letters"),
    ([{"id": "a", "env": {"MINIPIPE_X": "1"}}], {}, "$.steps[0].env.MINIPIPE_X", "minipipe's own", "X"),
    ([{"id": "a"}, {"id": "a"}], {}, "$.steps[1].id", '"a" is taken by steps[0]', "of its own"),
    ([{"id": "a.b"}], {}, "$.steps[0].id", 'it holds "."', "letters"),
    ([{"id": "../x"}], {}, "$.steps[0].id", 'not a usable id: it holds "."', "letters"),
    ([{"id": "x" * 65}], {}, "$.steps[0].id", "it has 65 characters", "at most 64"),
    ([{"id": "matrix"}], {}, "$.steps[0].id", "means a matrix value", "another id"),
    ([{"id": "a", "locks": ["x y"]}], {}, "$.steps[0].locks[0]", "not a usable lock name", ""),
    ([{"id": "build"}, {"id": "b", "depends_on": ["biuld"]}], {}, "$.steps[1].depends_on[0]",
     'there is no step "biuld"', 'did you mean "build"?'),
    ([{"id": "a", "depends_on": ["a"]}], {}, "$.steps[0].depends_on[0]", "depends on itself", "remove"),
    ([{"id": "a"}, {"id": "b", "depends_on": ["a", "a"]}], {}, "$.steps[1].depends_on[1]", "twice", "once"),
    ([{"id": "a", "depends_on": ["b"]}, {"id": "b", "depends_on": ["a"]}], {}, "$.steps[0].depends_on",
     "steps form a cycle: a → b → a", "take one"),
    ([{"id": "a", "depends_on": ["z"]}, {"id": "z", "finally": True}], {}, "$.steps[0].depends_on[0]",
     "runs at the very end", "finally"),
    ([{"id": "a", "command": []}], {}, "$.steps[0].command", "the command is empty", "pytest"),
    ([{"id": "a", "command": ["", "x"]}], {}, "$.steps[0].command[0]", "name of the program is empty", ""),
    ([{"id": "a", "command": "ls -l"}], {}, "$.steps[0].command", "should be a list", '["ls", "-l"]; or let "shell"'),
    ([{"id": "a", "command": "x" * 99}], {}, "$.steps[0].command", "should be a list", '["pytest", "-q"]'),
    ([{"id": "a"}], {"variables": {"A": "x"}}, "$.variables.A", "should be an object", 'write {"default": "x"}'),
    ([{"id": "a", "continue_on_error": True}], {}, "$.steps[0].continue_on_error", "unknown key", '"critical"'),
    ([{"id": "a", "command": ["x", 1]}], {}, "$.steps[0].command[1]", "command[1] should be a text", ""),
    ([{"id": "a", "command": ["x"], "shell": "y"}], {}, "$.steps[0].shell", 'both "command" and "shell"', ""),
    ([{"id": "a", "shell": " "}], {}, "$.steps[0].shell", "the shell line is empty", ""),
    ([{"id": "a", "prompt": "x"}], {}, "$.steps[0].prompt", "nothing says who", "code_edit"),
    ([{"id": "a", "command": ["x"], "prompt": "x"}], {}, "$.steps[0].prompt", "reads no prompt", "keep one"),
    ([{"id": "a", "tool": "ruff", "command": ["x"]}], {}, "$.steps[0].tool", "has its own command", "leave"),
    ([{"id": "a", "tool": "shell"}], {}, "$.steps[0]", 'the tool "shell" needs a "shell"', ""),
    ([{"id": "a", "gates": ["unti"]}], {"gates": [{"id": "unit", "type": "UNIT", "shell": "x"}]},
     "$.steps[0].gates[0]", 'there is no gate "unti"', '"unit"'),
    ([{"id": "a"}], {"gates": [{"id": "g", "type": "unit", "shell": "x"}]}, "$.gates[0].type", "should be",
     'did you mean "UNIT"?'),
    ([{"id": "a"}], {"gates": [{"id": "g", "type": "UNIT"}]}, "$.gates[0]", "nothing to do", "shell"),
    ([{"id": "a"}], {"gates": [{"id": "g", "type": "UNIT", "shell": "x", "depends_on": ["h"]},
                               {"id": "h", "type": "UNIT", "shell": "x", "depends_on": ["g"]}]},
     "$.gates[0].depends_on", "gates form a cycle: g → h → g", ""),
    ([{"id": "a"}], {"globals": {"use_worktrees": False, "isolation": "step"}}, "$.globals.use_worktrees",
     "contradict each other", "the same as"),
    ([{"id": "a"}], {"globals": {"use_worktrees": True, "isolation": "none"}}, "$.globals.use_worktrees",
     "contradict each other", "keep one"),
    ([{"id": "a", "cwd": "/tmp"}], {}, "$.steps[0].cwd", "relative to the workspace", ""),
    ([{"id": "a", "cwd": ""}], {}, "$.steps[0].cwd", "may not be empty", ""),
    ([{"id": "a", "outputs": ["x/../../y"]}], {}, "$.steps[0].outputs[0]", "leads out of the workspace", ""),
    ([{"id": "a", "when": "${A} = 1"}], {"variables": {"A": {}}}, "$.steps[0].when", 'write "=="', "such as"),
    ([{"id": "a", "when": "${A} == 1"}], {}, "$.steps[0].when", 'there is no variable "A"', "declare"),
    ([{"id": "a", "command": ["${TARGT}"]}], {"variables": {"TARGET": {}}}, "$.steps[0].command[0]",
     'there is no variable "TARGT"', 'did you mean "TARGET"?'),
    ([{"id": "a", "command": ["x", "${A"]}], {}, "$.steps[0].command[1]", '"${" is not closed', "$${"),
    ([{"id": "a", "command": ["x", "${A B}"]}], {}, "$.steps[0].command[1]", "is not a reference", "$${"),
    ([{"id": "a", "env": {"X": "${Y}"}}], {}, "$.steps[0].env.X", 'no variable "Y"', ""),
    ([{"id": "a"}], {"globals": {"env": {"X": "${Y}"}}}, "$.globals.env.X", 'no variable "Y"', ""),
    ([{"id": "a", "prompt": "${Y}", "tool": "claude"}], {}, "$.steps[0].prompt", 'no variable "Y"', ""),
    ([{"id": "a", "command": ["${b.x}"]}], {}, "$.steps[0].command[0]", 'there is no step "b"', ""),
    ([{"id": "a", "shell": "echo ${b.x}"}], {}, "$.steps[0].shell", 'there is no step "b"', ""),
    ([{"id": "a", "command": ["${a.x}"]}], {}, "$.steps[0].command[0]", "cannot use its own outputs", ""),
    ([{"id": "a"}, {"id": "b", "command": ["${a.x}"]}], {}, "$.steps[1].command[0]", "need not be over",
     'add "a" to its "depends_on"'),
    ([{"id": "a"}, {"id": "b", "depends_on": ["a"], "locks": ["${a.x}"]}], {}, "$.steps[1].locks[0]",
     "not known before the run starts", "use a variable"),
    ([{"id": "a", "locks": ["${S}"]}], {"variables": {"S": {"secret": True}}}, "$.steps[0].locks[0]",
     "the secret S would be shown", ""),
    ([{"id": "a", "foreach": [], "command": ["x"]}], {}, "$.steps[0].foreach", "the list is empty", ""),
    ([{"id": "a", "foreach": [[]], "command": ["x"]}], {}, "$.steps[0].foreach", "a list of texts", ""),
    ([{"id": "a", "foreach": "a,b"}], {}, "$.steps[0].foreach", "is not one variable", "a list such as"),
    ([{"id": "a", "foreach": "${S}"}], {"variables": {"S": {"secret": True}}}, "$.steps[0].foreach",
     "the secret S would be shown in the ids", ""),
    ([{"id": "a", "matrix": {}}], {}, "$.steps[0].matrix", "the matrix is empty", ""),
    ([{"id": "a", "matrix": {"os": []}}], {}, "$.steps[0].matrix.os", "the list is empty", ""),
    ([{"id": "a", "matrix": {"item": [1]}}], {}, "$.steps[0].matrix.item", "belongs to foreach", ""),
    ([{"id": "a", "matrix": {c: list(range(100)) for c in "abcdefghij"}}], {}, "$.steps[0]", "becomes", ""),
    ([{"id": "a", "foreach": [1], "matrix": {"x": [1]}}], {}, "$.steps[0].matrix", "both", "keep one"),
    ([{"id": "a", "command": ["${item}"]}], {}, "$.steps[0].command[0]", "without a foreach", ""),
    ([{"id": "a", "command": ["${matrix.x}"]}], {}, "$.steps[0].command[0]", "without a matrix", ""),
    ([{"id": "a", "matrix": {"os": [1]}, "command": ["${matrix.so}"]}], {}, "$.steps[0].command[0]",
     'no axis "so"', "it has os"),
    ([{"id": "t", "foreach": ["x"]}, {"id": "b", "depends_on": ["t"], "command": ["${t.k}"]}], {},
     "$.steps[1].command[0]", "becomes several steps", "such as t-x"),
    ([{"id": "t", "foreach": "${N}"}, {"id": "b", "depends_on": ["t-x"]}], {"variables": {"N": {}}},
     "$.steps[1].depends_on[0]", 'no step "t-x"', 'depend on "t"'),
    ([{"id": "t", "foreach": ["x"], "depends_on": ["t-x"]}], {}, "$.steps[0].depends_on", "cycle: t → t", ""),
    ([{"id": "a"}], {"variables": {"S": {"secret": True, "default": "x"}}}, "$.variables.S.default",
     "would be stored with the plan", "environment"),
    ([{"id": "a"}], {"variables": {"R": {"required": True, "default": "x"}}}, "$.variables.R.default",
     "its default is never used", ""),
    ([{"id": "a"}], {"variables": {"1x": {}}}, '$.variables["1x"]', "cannot be the name", ""),
    ([{"id": "a"}], {"variables": {"MINIPIPE_A": {}}}, "$.variables.MINIPIPE_A", "minipipe's own", ""),
    ([{"id": "a"}], {"variables": {"item": {}}}, "$.variables.item", "means the value of a foreach", ""),
    ([{"id": "a"}], {"variables": {"V": {"default": []}}}, "$.variables.V.default", "not a list", ""),
    ([{"id": "a", "backoff": {"initial_seconds": 90}}], {}, "$.steps[0].backoff",
     "max_seconds (60) is less than initial_seconds (90)", ""),
    ([{"id": "a"}], {"finally": [{"id": "z", "commnd": ["x"], "command": ["x"]}]}, "$.finally[0].commnd",
     "unknown key", '"command"'),
    ([{"id": "a"}], {"finally": [{"id": "a", "shell": "x"}]}, "$.finally[0].id", "taken by steps[0]", ""),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "more", "path", "message", "hint"), BAD, ids=[f"{r[2]} {r[3]}" for r in BAD])
def test_a_wrong_plan_is_told_what_is_wrong_and_where(
    problems: Problems, steps: list[Any], more: dict[str, Any], path: str, message: str, hint: str
) -> None:
    found = problems(*steps, **more)
    told = [problem for problem in found if problem.path == path and message in problem.message]
    assert told, found
    assert hint in told[0].hint
    assert told[0].line is not None
    assert told[0].column is not None


@pytest.mark.parametrize(("steps", "more"), [row[:2] for row in BAD], ids=[f"{r[2]} {r[3]}" for r in BAD])
def test_one_mistake_makes_one_problem(problems: Problems, steps: list[Any], more: dict[str, Any]) -> None:
    assert len(problems(*steps, **more)) == 1


def test_all_problems_are_told_at_once_in_the_order_of_the_text(problems: Problems) -> None:
    found = problems(
        {"id": "a", "retries": "3", "depends_on": ["c"]},
        {"id": "b", "commnd": ["x"], "when": "=="},
        variables={"S": {"secret": True, "default": "x"}},
        plan_id="a.b",
    )
    assert [problem.path for problem in found] == [
        "$.plan_id",
        "$.steps[0].retries",
        "$.steps[0].depends_on[0]",
        "$.steps[1].commnd",
        "$.steps[1].when",
        "$.variables.S.default",
    ]


def test_a_problem_points_at_its_line_and_column() -> None:
    text = '{"version": "1.0",\n "plan_id": "p",\n "steps": [\n  {"id": "a", "command": ["x"], "retries": "3"}]}'
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    assert [(p.path, p.line, p.column) for p in caught.value.problems] == [("$.steps[0].retries", 4, 44)]


def test_a_part_that_cannot_be_read_causes_no_further_complaints(problems: Problems) -> None:
    steps = [{"id": "a", "command": 5}, {"id": "b", "depends_on": ["a"], "command": ["${a.x}", "${V}"]}]
    found = problems(*steps, variables={"V": {"default": []}})
    assert {problem.path for problem in found} == {"$.steps[0].command", "$.variables.V.default"}


def test_every_cycle_is_shown_step_by_step(problems: Problems) -> None:
    waits = {"a": "b", "b": "c", "c": "a", "x": "y", "y": "x", "z": "a"}
    found = problems(*({"id": name, "depends_on": [other]} for name, other in waits.items()))
    assert [problem.message for problem in found] == [
        "steps form a cycle: a → b → c → a",
        "steps form a cycle: x → y → x",
    ]


def test_a_thousand_mistakes_are_told_in_part_and_soon(problems: Problems) -> None:
    start = monotonic()
    found = problems(*({"id": f"s{n}", "depends_on": [f"t{n}x", f"u{n}y"]} for n in range(3_000)))
    assert len(found) == 100
    assert monotonic() - start < 5


def test_the_garbage_collector_is_left_as_it_was() -> None:
    for text in ("{}", "["):
        with pytest.raises(PlanError):
            parse_plan(text)
    assert gc.isenabled()


@pytest.mark.parametrize("key", ["steps", "plan_id", "version"])
def test_what_every_plan_must_have_is_asked_for(key: str) -> None:
    document = {"version": "1.0", "plan_id": "p", "steps": [{"id": "a", "command": ["x"]}]}
    del document[key]
    with pytest.raises(PlanError) as caught:
        parse_plan(json.dumps(document))
    assert [problem.message for problem in caught.value.problems] == [f'"{key}" is missing']


def test_every_key_of_a_step_arrives(plan: Make) -> None:
    step = plan(
        {"id": "first"},
        {
            "id": "s", "kind": "code_edit", "name": "N", "description": "D", "tool": "claude", "prompt": "P",
            "depends_on": ["first"], "run_if": "always", "when": "1 < 2", "cwd": "sub", "env": {"A": "b"},
            "outputs": ["o"], "locks": ["l"], "resources": {"cpu": 1, "memory_mb": 2, "labels": ["gpu"]},
            "priority": 3, "retries": 4, "timeout_seconds": 5, "critical": False, "workstream": "w",
            "backoff": {"initial_seconds": 1, "factor": 3, "max_seconds": 9, "jitter": 0}, "role": "tester",
            "scope": {"include": ["a/**"], "exclude": ["a/b"]}, "gates": ["g"], "review": "always",
            "manual_review_required": True, "expect_change": False,
        },
        gates=[{"id": "g", "type": "LINT", "command": ["x"]}],
    ).steps[1]  # fmt: skip
    assert (step.tool, step.prompt, step.run_if, step.cwd) == ("claude", "P", "always", "sub")
    assert step.resources == Resources(1, 2, ("gpu",))
    assert step.backoff == Backoff(1, 3, 9, 0)
    assert step.scope == Scope(("a/**",), ("a/b",))
    assert (step.critical, step.review, step.manual_review_required, step.expect_change) == (
        False, "always", True, False,
    )  # fmt: skip


def test_finally_steps_may_be_marked_or_listed_apart(plan: Make) -> None:
    last = [{"id": "z", "command": ["true"], "depends_on": ["y"]}]
    steps = plan({"id": "a"}, {"id": "y", "finally": True}, **{"finally": last}).steps
    assert [(step.id, step.is_finally) for step in steps] == [("a", False), ("y", True), ("z", True)]


def test_a_finally_step_may_use_outputs_of_any_ordinary_step(plan: Make) -> None:
    assert plan({"id": "a"}, {"id": "z", "finally": True, "command": ["${a.x}"]})


def test_outputs_may_come_from_far_before(plan: Make) -> None:
    steps = [
        {"id": "a"},
        {"id": "b", "depends_on": ["a"]},
        {"id": "c", "depends_on": ["b"], "shell": "${a.x}"},
    ]
    assert plan(*steps)


def test_a_step_may_name_one_step_of_a_loop(plan: Make) -> None:
    steps = [
        {"id": "t", "matrix": {"os": ["x", "y"]}},
        {"id": "b", "depends_on": ["t-x"], "command": ["${t-x.k}"]},
    ]
    assert plan(*steps)


@pytest.mark.parametrize(
    ("common", "isolation"),
    [({}, "step"), ({"use_worktrees": False}, "none"), ({"use_worktrees": True, "isolation": "run"}, "run")],
)
def test_use_worktrees_and_isolation_say_the_same(plan: Make, common: dict[str, Any], isolation: str) -> None:
    assert plan({"id": "a"}, globals=common).globals.isolation == isolation


def test_a_code_edit_needs_a_prompt_only(plan: Make) -> None:
    assert plan({"id": "a", "kind": "code_edit", "prompt": "mend it"}).steps[0].tool is None


def test_the_shells_own_expansions_are_left_alone(plan: Make) -> None:
    assert plan({"id": "a", "shell": "f=a.txt; echo ${f%.txt} $HOME ${undeclared} $1 ${1} ${#f}"})


def test_importing_plans_and_running_their_steps_needs_no_pydantic() -> None:
    modules = "plan, expansion, invocation, condition, order, variables, graph, explain"
    code = f"import sys; from engine.plan import {modules}; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = sorted(plan_schema()["$defs"]["StepForm"]["properties"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), ANY, max_size=5), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["variables", "globals", "gates", "finally", "steps", "plan_id"]), ANY, max_size=2),
)
def test_any_document_is_a_plan_or_cleanly_refused(steps: list[dict[str, Any]], more: dict[str, Any]) -> None:
    document = {"version": "1.0", "plan_id": "p", "steps": [{"id": "a", "command": ["x"]} | s for s in steps]}
    with suppress(PlanError):
        parse_plan(json.dumps(document | more))
