from pathlib import Path
from typing import Any

import pytest

from engine.errors import PlanError
from engine.executor.settings import settings_for
from engine.masking import mask_text
from engine.plan.load import parse_plan
from engine.rehearsal import rehearse_run
from engine.workspace import find_workspace

PLAN = """{
  "version": "1.0", "plan_id": "p", "globals": {"isolation": "none", "max_concurrent_steps": 1},
  "variables": {"TOKEN": {"required": true, "secret": true}},
  "steps": [
    {"id": "last", "command": ["echo", "${first.v}", "${TOKEN}"], "depends_on": ["first"]},
    {"id": "first", "command": ["touch", "made"], "outputs": ["made"]},
    {"id": "never", "command": ["true"], "when": "1 == 2"},
    {"id": "urgent", "command": ["true"], "priority": 9}],
  "finally": [{"id": "clean", "command": ["true"]}]}"""


def rehearse(folder: Path, **variables: str) -> Any:
    plan = parse_plan(PLAN)
    return rehearse_run(find_workspace(folder), plan, settings=settings_for(plan), variables=variables)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_a_rehearsal_shows_what_would_be_started_in_its_order(tmp_path: Path) -> None:
    document, orders = rehearse(tmp_path, TOKEN="hunter2")
    assert [order.step_id for order in orders] == ["urgent", "first", "last", "clean"]
    assert document["state"] == "succeeded"
    assert {task["step_id"] for task in document["tasks"] if not task["attempts"]} == {"never"}


def test_a_rehearsal_shows_values_that_it_cannot_know_by_their_names(tmp_path: Path) -> None:
    _, orders = rehearse(tmp_path, TOKEN="hunter2")
    assert orders[2].argv[1] == "<first.v>"


def test_a_rehearsal_says_what_must_be_masked_and_masks_it_in_its_document(tmp_path: Path) -> None:
    document, orders = rehearse(tmp_path, TOKEN="hunter2")
    assert mask_text(orders[2].argv[2], orders[2].secrets) == "***"
    assert "hunter2" not in str(document)


def test_a_rehearsal_leaves_no_trace(tmp_path: Path, scratch: Path) -> None:
    rehearse(tmp_path, TOKEN="hunter2")
    assert list(scratch.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_a_rehearsal_that_is_refused_leaves_no_trace_either(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(PlanError):
        rehearse(tmp_path)
    assert list(scratch.iterdir()) == []


def test_a_rehearsal_leaves_nothing_open(tmp_path: Path) -> None:
    rehearse(tmp_path, TOKEN="x1y2")
    before = len(list(Path("/proc/self/fd").iterdir()))
    rehearse(tmp_path, TOKEN="x1y2")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
