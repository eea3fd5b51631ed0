"""`minipipe plan`: looking at plans without running them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

FIRST = {"id": "first", "command": ["true"]}
SECOND = {"id": "second", "depends_on": ["first"], "command": ["echo", "${WHO}"]}
WHO = {"WHO": {"default": "you"}}


def test_a_valid_plan_is_said_to_be_valid(here: Cli, plan: Cli) -> None:
    ended = here("plan", "validate", plan(FIRST, SECOND, variables=WHO))
    assert (ended.code, ended.out) == (0, "plan.json is valid: 2 steps\n")
    document = here("plan", "validate", "plan.json", "--json").document
    assert document == {"valid": True, "errors": [], "plan_id": "plan", "steps": 2}


def test_everything_that_is_wrong_is_said_at_once(here: Cli, plan: Cli) -> None:
    ended = here("plan", "validate", plan({"id": "a"}, {"id": "a", "command": [], "retires": 1}), "--json")
    assert ended.code == 2
    assert ended.document["valid"] is False
    assert len(ended.document["errors"]) >= 3
    assert set(ended.document["errors"][0]) == {"path", "line", "column", "message", "hint"}
    assert any("retries" in error["hint"] for error in ended.document["errors"])


def test_the_schema_is_one_json_document(here: Cli) -> None:
    assert "steps" in here("plan", "schema").document["properties"]


@pytest.mark.parametrize(("form", "says"), [("text", "second"), ("mermaid", "flowchart"), ("dot", "digraph")])
def test_a_graph_is_drawn_in_three_forms(here: Cli, plan: Cli, form: str, says: str) -> None:
    out = here("plan", "graph", plan(FIRST, SECOND, variables=WHO), "--form", form).out
    assert says in out
    assert "first" in out


def test_explain_says_order_reason_and_what_is_started(here: Cli, plan: Cli) -> None:
    name = plan(FIRST, SECOND, variables=WHO)
    out = here("plan", "explain", name, "--var", "WHO=me").out
    assert out.index("first") < out.index("second")
    assert "starts when first succeeded" in out
    assert "runs: echo me" in out
    assert here("plan", "explain", name, "--json").document["steps"][1]["argv"] == ["echo", "you"]


def test_a_new_plan_is_written_and_runs(here: Cli, repo: Path) -> None:
    assert here("plan", "new", "plans/tidy.json").code == 0
    assert json.loads((repo / "plans" / "tidy.json").read_text())["plan_id"] == "tidy"
    assert here("run", "plans/tidy.json").code == 0


def test_a_new_plan_never_replaces_a_file(here: Cli, plan: Cli, repo: Path) -> None:
    before = (repo / plan(FIRST)).read_text()
    ended = here("plan", "new", "plan.json")
    assert ended.code == 2
    assert (repo / "plan.json").read_text() == before


def test_an_action_must_be_named(here: Cli) -> None:
    assert here("plan").code == 2
