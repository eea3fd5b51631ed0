"""A person sees what happens, live or in lines; steps cannot draw on the screen themselves."""

import io
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from minipipe_tui.cli.board import Board
from minipipe_tui.cli.frame import Frame, Look, Screen
from minipipe_tui.cli.progress import LiveProgress, PlainProgress, progress
from minipipe_tui.cli.theme import load_theme

Make = Callable[..., Any]
STEPS = ["fetch", "build", "test"]


def picture(board: Board, *, width: int = 80, height: int = 24, unicode: bool = True, now: float = 5.0) -> list[str]:
    frame = Frame(board, Look(load_theme("dark"), unicode=unicode))
    return frame.picture(width=width, height=height, now=now).plain.split("\n")


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


@pytest.fixture
def busy(about_run: Make, about_step: Make) -> Board:
    board = Board(STEPS)
    board.apply(about_run("run_started"), 0.0)
    board.apply(about_step("step_started", "fetch", number=1), 0.0)
    board.apply(about_step("step_completed", "fetch"), 1.25)
    board.apply(about_step("step_started", "build", number=2), 2.0)
    return board


def test_a_row_tells_symbol_step_state_time_and_attempt(busy: Board) -> None:
    assert picture(busy) == [
        "▶ running 5 s  1 of 3 done, 1 running, 1 waiting",
        "",
        "  ✔ fetch  completed      1.2 s",
        "  ▶ build  running          3 s  attempt 2",
        "  · test   pending",
        "",
        "Ctrl-C cancels · run_01JD8Q3ZK5XN6W2V7T9R4B1C0M",
    ]


def test_reasons_are_told_for_steps_and_the_run(busy: Board, about_run: Make, about_step: Make) -> None:
    busy.apply(about_step("step_failed", "build", reason="exit code 3"), 4.0)
    busy.apply(about_run("run_failed", reason="build failed"), 4.0)
    lines = picture(busy)
    assert lines[:2] == ["✘ failed 4.0 s  1 of 3 done, 1 failed, 1 waiting", "  build failed"]
    assert lines[3] == "  ✘ build  failed         2.0 s  attempt 2, exit code 3"
    assert not lines[-1].startswith("Ctrl-C")


def test_a_run_that_is_being_canceled_says_so_and_what_another_ctrl_c_does(busy: Board, about_run: Make) -> None:
    busy.apply(about_run("run_canceling"), 4.0)
    lines = picture(busy)
    assert lines[0].startswith("▶ canceling 5 s")
    assert lines[-1].startswith("Ctrl-C again stops the final steps too")


def test_without_unicode_symbols_are_ascii(busy: Board) -> None:
    assert all(line.isascii() for line in picture(busy, unicode=False, width=20))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (20, 7), (200, 60)])
def test_the_picture_fits_the_terminal_and_counts_what_does_not(width: int, height: int, about_step: Make) -> None:
    board = Board([f"a-step-with-a-rather-long-name-{number}" for number in range(120)])
    board.apply(about_step("step_failed", "a-step-with-a-rather-long-name-7", reason="because " * 20), 1.0)
    lines = picture(board, width=width, height=height)
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    shown = sum(line.startswith(("  ·", "  ✘")) for line in lines)
    assert any(line.startswith("  … and ") for line in lines)
    if width >= 40:
        assert f"  … and {120 - shown} more waiting" in lines


def test_a_step_cannot_draw(about_step: Make) -> None:
    board = Board()
    board.apply(about_step("step_failed", "[bold]\x1b[2Jx", reason="\x9b31m[/red]\n:smile:"), 1.0)
    assert picture(board)[2] == "  ✘ [bold]^[[2Jx  failed                M-^[31m[/red] :smile:"


def test_live_progress_draws_what_it_is_told_and_leaves_the_last_picture(about_run: Make, about_step: Make) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, color_system=None)
    with LiveProgress(STEPS, console=console) as live:
        live.handle(about_run("run_started"))
        live.handle(about_step("step_started", "build", number=1))
        wait_until(lambda: "build  running" in out.getvalue())
        live.handle(about_run("warning", reason="disk \x1b[5mnearly full"))
        live.handle(about_run("run_succeeded"))
    last = out.getvalue().rpartition("✔ succeeded")[2]
    assert "3 waiting" not in last
    assert "build  running" in last
    assert "warning: disk ^[[5mnearly full" in out.getvalue()


def test_live_progress_rests_between_pictures(about_step: Make) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)
    start = time.monotonic()
    with LiveProgress(STEPS, console=console) as live:
        for number in range(3000):
            live.handle(about_step("step_started", STEPS[number % 3], number=number))
        wait_until(lambda: "attempt 2999" in out.getvalue())
    drawn = out.getvalue().count("of 3 done")
    # The first, eight a second, and the last two that closing makes.
    assert drawn <= 8 * (time.monotonic() - start) + 4


def test_nothing_is_drawn_while_nothing_happens() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)
    with LiveProgress(STEPS, console=console):
        wait_until(lambda: "0 of 3 done" in out.getvalue())
        drawn = out.getvalue()
        threading.Event().wait(0.4)
        assert out.getvalue() == drawn


def test_events_may_come_from_many_threads(about_step: Make) -> None:
    steps = [f"s{number}" for number in range(200)]
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    with LiveProgress(steps, console=console) as live:

        def tell(some: list[str]) -> None:
            for step_id in some:
                live.handle(about_step("step_completed", step_id))

        threads = [threading.Thread(target=tell, args=(steps[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert live._board.counts["completed"] == 200


def test_a_terminal_that_goes_away_does_not_stop_the_run(about_step: Make) -> None:
    ours, theirs = os.openpty()
    terminal = os.fdopen(theirs, "w", buffering=1)
    with LiveProgress(STEPS, console=Screen(file=terminal, force_terminal=True)) as live:
        os.close(ours)
        live.handle(about_step("step_started", "build", number=1))
        wait_until(lambda: not live._thread.is_alive())
        live.handle(about_step("step_completed", "build"))
    with suppress(OSError):
        terminal.close()


def test_a_closed_pipe_silences_the_screen(about_step: Make) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    pipe = os.fdopen(write_end, "w")
    screen = Screen(file=pipe, force_terminal=True, width=80, height=24)
    with LiveProgress(STEPS, console=screen) as live:
        live.handle(about_step("step_started", "build", number=1))
    assert screen.quiet
    with suppress(OSError):
        pipe.close()


def plain(*events: Any) -> list[str]:
    stream = io.StringIO()
    with PlainProgress(stream) as lines:
        for event in events:
            lines.handle(event)
    return [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]


def test_plain_lines_tell_what_is_worth_telling(about_run: Make, about_step: Make) -> None:
    assert plain(
        about_run("run_started"),
        about_step("step_queued", "build"),
        about_step("step_started", "build", number=1),
        about_step("step_completed", "build"),
        about_step("step_started", "test", number=1),
        about_step("step_retrying", "test", reason="exit code 1", delay_seconds=2.0),
        about_step("step_started", "test", number=2),
        about_step("step_failed", "test", reason="exit code 1"),
        about_step("step_skipped", "deploy", reason="test failed"),
        about_run("warning", reason="disk is nearly full"),
        about_run("run_failed", reason="test failed"),
    ) == [
        "started run_01JD8Q3ZK5XN6W2V7T9R4B1C0M",
        "started build",
        "completed build 0.0 s",
        "started test",
        "retrying test: exit code 1, next attempt in 2.0 s",
        "started test: attempt 2",
        "failed test 0.0 s: exit code 1",
        "skipped deploy: test failed",
        "warning: disk is nearly full",
        "failed run_01JD8Q3ZK5XN6W2V7T9R4B1C0M 0.0 s: test failed",
    ]


def test_plain_lines_are_inert_and_single(about_step: Make) -> None:
    assert plain(about_step("step_failed", "a\nb", reason="\x1b[31m\nboo")) == ["failed a b: ^[[31m boo"]


def test_plain_lines_begin_with_the_time_of_day(about_step: Make) -> None:
    stream = io.StringIO()
    PlainProgress(stream).handle(about_step("step_started", "a", number=1))
    time.strptime(stream.getvalue().split(" ")[0], "%H:%M:%S")


def test_a_pipe_gets_plain_lines() -> None:
    assert isinstance(progress(STEPS, io.StringIO()), PlainProgress)


def test_nobody_reading_is_no_error(about_step: Make) -> None:
    stream = io.StringIO()
    stream.close()
    PlainProgress(stream).handle(about_step("step_started", "a", number=1))


def test_of_a_long_plan_plain_lines_tell_what_is_not_in_order_and_how_far_it_is(
    about_run: Make, about_step: Make
) -> None:
    step_ids = [f"s{number}" for number in range(1000)]
    stream = io.StringIO()
    lines = PlainProgress(stream, step_ids)
    lines.handle(about_run("run_started"))
    for step_id in step_ids:
        lines.handle(about_step("step_started", step_id, number=1))
        ending = "step_failed" if step_id == "s500" else "step_completed"
        lines.handle(about_step(ending, step_id, reason="failed" if ending == "step_failed" else None))
    lines.handle(about_run("run_failed", reason="failed: s500"))
    told = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()]
    assert told[0].startswith("started run_")
    assert told[1] == "1 of 1000 steps ended"
    assert "failed s500 0.0 s" in told
    assert told[-1].endswith(": s500")
    assert len(told) < 20


def test_a_picture_is_gone_at_its_end_if_it_is_transient(about_run: Make) -> None:
    for is_transient in (True, False):
        console = Screen(file=io.StringIO(), force_terminal=True, width=60, height=10)
        with LiveProgress(["a"], console=console, is_transient=is_transient) as live:
            live.handle(about_run("run_started"))
        written = console.file.getvalue()  # type: ignore[attr-defined]
        assert written.rstrip().endswith("\x1b[2K") is is_transient


def test_plain_progress_tells_what_becomes_of_changes(about_step: Make, about_patch: Make, about_run: Make) -> None:
    stream = io.StringIO()
    lines = PlainProgress(stream, ["a"])
    lines.handle(about_patch("patch_created", step_id="a"))
    lines.handle(about_patch("patch_awaiting_review", to_state="awaiting_review", reason="risk 80: CI\x1b[2J"))
    lines.handle(about_patch("patch_queued", to_state="queued"))
    lines.handle(about_patch("patch_quarantined", to_state="quarantined", reason="gate.unit: exit code 1"))
    told = [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
    assert told == ["review needed for a: risk 80: CI^[[2J", "quarantined a: gate.unit: exit code 1"]
