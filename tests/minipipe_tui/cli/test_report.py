"""The report: which steps of a long plan are listed, and in which words."""

from typing import Any

import pytest

from minipipe_tui.cli.report import MANY_STEPS, counts, heading, remarkable, why_of
from minipipe_tui.cli.wording import in_words


def task(state: str = "completed", *, tries: int = 1, number: int = 0, **more: Any) -> dict[str, Any]:
    attempts = [{"message": "exit code 1" if state == "failed" else None, "duration_seconds": 1.0}] * tries
    return {
        "step_id": f"{state}-{number}",
        "state": state,
        "attempts": attempts,
        "reason": None,
        "message": None,
        "waiting_for": None,
        "critical": True,
        **more,
    }


def tasks(state: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [task(state, number=number, **more) for number in range(count)]


def listed(*groups: list[dict[str, Any]]) -> list[str]:
    return [each["step_id"] for each in remarkable([each for group in groups for each in group])]


def test_a_plan_of_ordinary_size_is_listed_whole() -> None:
    assert len(listed(tasks("completed", MANY_STEPS))) == MANY_STEPS


def test_of_a_long_plan_what_simply_completed_is_not_listed() -> None:
    assert listed(tasks("completed", 100), tasks("failed", 1)) == ["failed-0"]


def test_what_completed_at_a_later_attempt_is_listed() -> None:
    assert listed(tasks("completed", 100), [task(tries=2, number=200)]) == ["completed-200"]


def test_a_crowd_that_does_not_fit_is_only_counted() -> None:
    groups = (tasks("failed", 2), tasks("skipped", 100), tasks("running", 3))
    assert listed(*groups) == ["failed-0", "failed-1", "running-0", "running-1", "running-2"]
    assert counts([each for group in groups for each in group]) == "105 steps: 100 skipped, 3 running, 2 failed"


def test_of_too_many_failures_the_first_are_listed_in_plan_order() -> None:
    assert listed(tasks("failed", 100)) == [f"failed-{number}" for number in range(MANY_STEPS)]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (task("failed", reason="failed"), "exit code 1"),
        (task("failed", tries=0, reason="no_tool", message="there is no tool 'x' here"), "there is no tool 'x' here"),
        (task("skipped", tries=0, reason="condition"), "its condition does not hold"),
        (task("canceled", reason="canceled"), ""),
        (task("failed", critical=False), "exit code 1 (not critical)"),
        (task("completed", critical=False), ""),
        (task("completed"), ""),
        (task("pending", tries=0, waiting_for="a, b"), "waits for a, b"),
        (task("failed", tries=0, reason="something new"), "something new"),
    ],
)
def test_why_a_step_is_where_it_is(given: dict[str, Any], says: str) -> None:
    assert why_of(given) == says


@pytest.mark.parametrize(
    ("reason", "says"), [("failed: a, b", "a, b"), ("canceled", ""), (None, ""), ("user", "on request")]
)
def test_why_a_run_is_where_it_is(reason: str | None, says: str) -> None:
    assert in_words(reason) == says


def test_a_heading_is_one_inert_line() -> None:
    document = {
        "run_id": "run_1",
        "plan_id": "p",
        "plan_name": "a\x1b[2J\nb",
        "state": "failed",
        "reason": "failed: x",
        "owner": None,
        "diff_stats": {},
        "started_at": "2026-11-21T12:00:00.000000Z",
        "ended_at": "2026-11-21T12:00:02.000000Z",
    }
    assert heading(document) == "run_1  a^[[2J b  failed after 2.0 s: x"
