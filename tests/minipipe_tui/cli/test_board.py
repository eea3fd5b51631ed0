"""What progress knows follows from events alone."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipipe_tui.cli.board import Board

Make = Callable[..., Any]


def shown(board: Board, room: int) -> list[str]:
    return [row.step_id for row in board.visible(room)]


def test_steps_wait_in_the_order_of_the_plan() -> None:
    board = Board(["b", "a"])
    assert shown(board, 9) == ["b", "a"]
    assert board.counts == {"waiting": 2}


@pytest.mark.parametrize(
    ("event_type", "state"),
    [
        ("step_queued", "queued"),
        ("step_started", "running"),
        ("step_completed", "completed"),
        ("step_failed", "failed"),
        ("step_retrying", "retrying"),
        ("step_canceled", "canceled"),
        ("step_skipped", "skipped"),
        ("task_validating", "validating"),
    ],
)
def test_a_step_is_in_the_state_that_its_event_tells(event_type: str, state: str, about_step: Make) -> None:
    board = Board(["a"])
    board.apply(about_step(event_type, "a"), 1.0)
    assert board.rows["a"].state == state


def test_the_state_in_the_event_wins_over_its_name(about_step: Make) -> None:
    board = Board(["a"])
    board.apply(about_step("step_started", "a", to_state="validating"), 1.0)
    assert board.rows["a"].state == "validating"


def test_an_attempt_is_timed_from_its_start_to_its_end(about_step: Make) -> None:
    board = Board(["a"])
    board.apply(about_step("step_queued", "a"), 1.0)
    assert board.rows["a"].seconds(5.0) is None
    board.apply(about_step("step_started", "a", number=1), 10.0)
    assert board.rows["a"].seconds(12.0) == 2.0
    board.apply(about_step("step_retrying", "a"), 13.0)
    assert board.rows["a"].seconds(99.0) == 3.0
    board.apply(about_step("step_started", "a", number=2), 20.0)
    board.apply(about_step("step_completed", "a"), 21.0)
    assert board.rows["a"].seconds(99.0) == 1.0
    assert board.rows["a"].number == 2


def test_the_clock_ticks_while_the_run_does_something(about_run: Make) -> None:
    board = Board(["a"])
    ticking = []
    for event_type in (
        "run_created",
        "run_started",
        "run_canceling",
        "run_paused",
        "run_resumed",
        "run_failed",
    ):
        board.apply(about_run(event_type), 1.0)
        ticking.append(board.is_ticking)
    assert ticking == [False, True, True, False, True, False]
    assert board.is_over


def test_a_run_that_is_about_to_pause_or_end_still_runs_and_says_what_it_is_about_to_do(about_run: Make) -> None:
    board = Board(["a"])
    seen = []
    for event_type in ("run_started", "run_pausing", "run_resumed", "run_canceling", "run_canceled"):
        board.apply(about_run(event_type), 1.0)
        seen.append((board.run_state, board.aim, board.is_ticking))
    assert seen == [
        ("running", "", True),
        ("running", "pausing", True),
        ("running", "", True),
        ("running", "canceling", True),
        ("canceled", "", False),
    ]


@pytest.mark.parametrize("event_type", ["command_done", "command_refused", "warning", "run_recovered"])
def test_what_says_nothing_about_the_state_of_a_run_leaves_it_as_it_is(event_type: str, about_run: Make) -> None:
    board = Board(["a"])
    board.apply(about_run("run_started"), 1.0)
    board.apply(about_run(event_type, reason="whatever"), 2.0)
    assert (board.run_state, board.is_ticking) == ("running", True)


def test_what_is_next_is_shown_before_what_waits_for_others(about_step: Make) -> None:
    board = Board(["tidy", "a", "b"])
    board.apply(about_step("step_queued", "b"), 1.0)
    assert shown(board, 2) == ["b", "tidy"]
    assert board.counts == {"waiting": 3}


def test_a_step_that_nobody_announced_gets_a_row(about_step: Make) -> None:
    board = Board(["a"])
    board.apply(about_step("step_started", "b"), 1.0)
    assert shown(board, 9) == ["a", "b"]
    assert board.counts == {"waiting": 1, "running": 1}


def test_what_does_not_fit_is_what_matters_least(about_step: Make) -> None:
    board = Board([f"s{number}" for number in range(100)])
    for number in range(10):
        board.apply(about_step("step_started", f"s{number}"), number)
        board.apply(about_step("step_completed", f"s{number}"), number)
    board.apply(about_step("step_failed", "s20"), 50.0)
    board.apply(about_step("step_started", "s30"), 60.0)
    assert shown(board, 6) == ["s30", "s20", "s9", "s8", "s10", "s11"]


def test_when_little_waits_the_ended_get_its_place(about_step: Make) -> None:
    board = Board([f"s{number}" for number in range(10)])
    for number in range(9):
        board.apply(about_step("step_completed", f"s{number}"), number)
    assert shown(board, 5) == ["s8", "s7", "s6", "s5", "s9"]


EVENTS = ["queued", "started", "completed", "failed", "retrying", "canceled", "skipped"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from("abcdefgh"))), st.integers(1, 9))
def test_every_step_is_counted_once_and_rows_never_exceed_the_room(
    about_step: Make, story: list[tuple[str, str]], room: int
) -> None:
    board = Board("abcdef")
    for time, (what, step_id) in enumerate(story):
        board.apply(about_step(f"step_{what}", step_id), float(time))
    groups = [board.working, board.failed, board.ended_otherwise, board.queued, board.waiting]
    assert sorted(step_id for group in groups for step_id in group) == sorted(board.rows)
    assert sum(board.counts.values()) == len(board.rows)
    rows = board.visible(room)
    assert len(rows) == min(room, len(board.rows))
    assert len({row.step_id for row in rows}) == len(rows)


def test_a_step_that_is_validating_says_what_it_waits_for(
    about_step: Make, about_patch: Make, about_gate: Make
) -> None:
    board = Board(["a"])
    board.apply(about_step("step_started", "a", number=1), 0.0)
    board.apply(about_step("step_validating", "a", to_state="validating"), 1.0)
    said = []
    for event in (
        about_patch("patch_created", step_id="a"),
        about_patch("patch_awaiting_review", to_state="awaiting_review"),
        about_patch("patch_queued", to_state="queued"),
        about_patch("patch_applied", to_state="applied"),
        about_gate("gate_running", "unit", to_state="running"),
        about_gate("gate_passed", "unit", to_state="passed"),
        about_patch("patch_quarantined", to_state="quarantined"),
    ):
        row = board.apply(event, 2.0)
        assert row is board.rows["a"]
        said.append(row.reason)
    assert said[1:] == [
        "waits for review",
        "waits for its turn",
        "waits for its checks",
        "waits for the check unit",
        "waits for the check unit",
        "waits for somebody to release or drop its patch",
    ]
    board.apply(about_step("step_completed", "a", to_state="completed"), 3.0)
    board.apply(about_patch("patch_superseded", to_state="superseded"), 3.0)
    assert board.rows["a"].reason == ""


def test_a_run_that_goes_on_begins_with_what_it_had_come_to(about_patch: Make) -> None:
    states = {"done": "completed", "held": "validating", "next": "pending", "bad": "failed"}
    board = Board(states, [("pat_1", "held", "awaiting_review"), ("pat_2", "done", "committed")])
    assert board.counts == {"waiting": 1, "completed": 1, "validating": 1, "failed": 1}
    assert board.rows["held"].reason == "waits for review"
    assert board.apply(about_patch("patch_queued", to_state="queued"), 1.0) is board.rows["held"]
    assert board.rows["held"].reason == "waits for its turn"


def test_patches_of_no_step_that_is_known_are_nothing(about_patch: Make) -> None:
    board = Board(["a"])
    assert board.apply(about_patch("patch_queued", to_state="queued"), 0.0) is None
    assert board.apply(about_patch("patch_created", step_id="b"), 0.0) is None
