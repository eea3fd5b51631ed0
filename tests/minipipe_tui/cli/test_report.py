"""The report: what it says of a run, and in which words."""

from typing import Any

import pytest

from minipipe_tui.cli.report import heading, print_report, what_next, why_of
from minipipe_tui.cli.wording import in_words, stats_text, why_of_patch

STATS = {
    "files_added": 2,
    "files_modified": 1,
    "files_deleted": 1,
    "files_renamed": 1,
    "lines_added": 120,
    "lines_deleted": 30,
    "binary_files": 1,
}
ACTIONS = {"awaiting_review": ["approve", "reject"], "quarantined": ["release", "drop"]}


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
        "started_at": "2026-11-21T12:00:00.000000Z",
        "ended_at": "2026-11-21T12:00:02.000000Z",
    }
    assert heading(document) == "run_1  a^[[2J b  failed after 2.0 s: x"


# -- patches ---------------------------------------------------------------------------------------------


def patch(state: str, number: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "patch_id": f"pat_{number}",
        "run_id": "run_1",
        "task_id": f"task_{number}",
        "step_id": f"s{number}",
        "state": state,
        "reason": None,
        "quarantine_reason": None,
        "diff_stats": STATS,
        "available_actions": ACTIONS.get(state, []),
        "review": {"review_reason": None},
        **more,
    }


def document(state: str, *patches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "run_id": "run_1",
        "plan_id": "p",
        "plan_name": "",
        "state": state,
        "reason": None,
        "owner": None,
        "started_at": None,
        "ended_at": None,
        "diff_stats": STATS,
        "tasks": [],
        "promotion": {"state": "none", "target": None, "commit": None, "reason": None, "hint": None, "branch": None},
        "patches": list(patches),
        "available_actions": ["resume", "cancel"] if state in ("paused", "quarantined") else [],
        **more,
    }


def test_how_large_a_change_is_stands_in_one_form() -> None:
    assert stats_text(STATS) == "[+5 files, +120 -30 lines]"


def test_how_much_a_run_has_committed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(document("succeeded", patch("committed", 1)))
    assert "committed: [+5 files, +120 -30 lines]" in capsys.readouterr().out.splitlines()


def test_a_run_that_waits_for_review_says_how_to_look_and_decide() -> None:
    one = list(what_next(document("paused", patch("awaiting_review", 1), patch("committed", 2))))
    assert one == [
        "minipipe review show pat_1",
        "minipipe review approve pat_1",
        "minipipe resume run_1",
        "minipipe cancel run_1",
    ]
    two = list(what_next(document("paused", patch("awaiting_review", 1), patch("awaiting_review", 2))))
    assert two == ["minipipe review list --run run_1", *one]


def test_what_is_decided_needs_only_to_go_on() -> None:
    decided = patch("awaiting_review", 1, available_actions=["undo", "comment"])
    assert next(what_next(document("paused", decided))) == "minipipe resume run_1"


def test_a_quarantined_run_says_how_to_go_on() -> None:
    assert list(what_next(document("quarantined", patch("quarantined", 1)))) == [
        "minipipe patch show pat_1",
        "minipipe patch release pat_1",
        "minipipe patch drop pat_1",
        "minipipe resume run_1",
        "minipipe cancel run_1",
    ]


def test_an_ended_run_asks_for_no_decision() -> None:
    assert list(what_next(document("failed", patch("quarantined", 1)))) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (patch("quarantined", quarantine_reason="gate.unit: exit code 1"), "gate.unit: exit code 1"),
        (patch("awaiting_review", review={"review_reason": "risk 80"}), "risk 80"),
        (patch("dropped", reason="already_there"), "the change was there already"),
        (patch("committed"), ""),
        (patch("superseded", superseded_by="pat_2"), "replaced by pat_2"),
    ],
)
def test_why_a_patch_is_where_it_is(given: dict[str, Any], says: str) -> None:
    assert why_of_patch(given) == says


def test_a_step_says_what_its_change_waits_for() -> None:
    assert why_of(task("validating"), patch("awaiting_review")) == "waits for review"
    assert why_of(task("completed"), patch("committed")) == ""


def test_patches_are_listed_below_the_steps_with_their_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(document("paused", patch("quarantined", 1, quarantine_reason="odd\x1b[2J"), patch("committed", 2)))
    lines = capsys.readouterr().out.splitlines()
    assert ["PATCH", "STEP", "STATE", "CHANGES", "WHY"] in [line.split() for line in lines]
    assert "pat_1  s1    quarantined  [+5 files, +120 -30 lines]  odd^[[2J" in lines


def test_of_very_many_patches_those_are_listed_that_are_not_committed(capsys: pytest.CaptureFixture[str]) -> None:
    many = document("paused", *(patch("committed", number) for number in range(200)), patch("awaiting_review", 200))
    print_report(many)
    out = capsys.readouterr().out
    assert out.count("pat_") < 5
    assert "201 patches: 200 committed, 1 awaiting_review\nall of them: minipipe show run_1 --all" in out
    print_report(many, is_whole=True)
    whole = capsys.readouterr().out
    assert all(f"pat_{number} " in whole for number in range(201))
    assert "--all" not in whole
