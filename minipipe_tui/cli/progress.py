"""What a person sees while `minipipe run` works: a live picture on a terminal, plain lines anywhere else.

Of a long plan plain lines tell only what is not in order, and now and then how far it is.

`handle` takes events on any thread and returns at once. The live picture is drawn by a thread of its own, at
most eight times a second and only when something changed or a clock on it must tick; a terminal that goes
away ends the drawing, never the run. Rich is loaded when a live picture is made.
"""

import os
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Self, TextIO

from engine.clock import monotonic
from minipipe_tui.cli.board import Board
from minipipe_tui.cli.excerpt import MANY
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import duration, is_terminal
from minipipe_tui.cli.theme import Theme, load_theme
from minipipe_tui.cli.wording import in_words

if TYPE_CHECKING:
    from rich.console import Console

    from engine.events.event import Event

Steps = Iterable[str] | Mapping[str, str]

_SHORTEST_PAUSE = 1 / 8
_TICK = 1.0

_ENDINGS = ("completed", "failed", "succeeded", "canceled")
_WORTH_TELLING = frozenset(
    [
        *("run_created", "run_started", "run_recovered", "run_resumed", "run_pausing", "run_paused"),
        *("run_quarantined", "run_canceling", "run_succeeded", "run_failed", "run_canceled"),
        *("step_started", "step_completed", "step_failed", "step_retrying", "step_canceled", "step_skipped"),
        *("patch_awaiting_review", "patch_quarantined", "patch_apply_failed", "promotion_done", "promotion_refused"),
        "warning",
    ]
)
_VERBS = {
    "patch_awaiting_review": "review needed for",
    "patch_apply_failed": "conflict in",
    "promotion_done": "promoted",
    "promotion_refused": "not promoted",
}
"""Where the type of an event does not read well."""

_USUAL = frozenset(["step_started", "step_completed", "step_skipped"])
"""What a long plan has so much of that only its number is told."""
_PORTIONS = 20
_SHORTEST_SILENCE = 1.0
_LONGEST_SILENCE = 30.0


def progress(
    steps: Steps,
    stream: TextIO | None = None,
    *,
    patches: Iterable[tuple[str, str, str]] = (),
    theme: str | None = None,
    is_transient: bool = False,
) -> "LiveProgress | PlainProgress":
    """The progress that suits where it goes: by default, stderr. A transient picture is gone at its end.

    Steps and patches are what the board begins with.
    """
    stream = sys.stderr if stream is None else stream
    if is_terminal(stream) and os.environ.get("TERM", "dumb") not in ("dumb", ""):
        return LiveProgress(steps, patches=patches, theme=load_theme(theme), is_transient=is_transient)
    return PlainProgress(stream, steps, patches=patches)


class LiveProgress:
    """A picture that stays up to date while the context lasts; the last one remains, unless it is transient."""

    is_live = True

    def __init__(
        self,
        steps: Steps,
        *,
        patches: Iterable[tuple[str, str, str]] = (),
        theme: Theme | None = None,
        console: "Console | None" = None,
        is_transient: bool = False,
    ) -> None:
        from rich.live import Live

        from minipipe_tui.cli import frame

        self._board = Board(steps, patches)
        self._console = console or frame.Screen(stderr=True)
        look = frame.Look(theme or load_theme(), unicode=self._console.encoding.startswith("utf"))
        self._frame = frame.Frame(self._board, look)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, transient=is_transient)
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._warnings: list[str] = []
        self._thread = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)

    def handle(self, event: "Event") -> None:
        with self._lock:
            self._board.apply(event, monotonic())
            if event.event_type == "warning":
                self._warnings.append(event.reason or "")
        self._changed.set()

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):
            self._live.start()
        self._changed.set()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.set()
        self._changed.set()
        self._thread.join()
        with suppress(OSError, ValueError):
            self._live.stop()

    def _keep_drawing(self) -> None:
        try:
            while not self._closing.is_set():
                self._changed.wait(_TICK if self._board.is_ticking else None)
                self._changed.clear()
                self._draw()
                self._closing.wait(_SHORTEST_PAUSE)
            self._draw()
        except (OSError, ValueError):
            # The terminal is gone (ValueError: its stream is closed). There is nobody to tell.
            return

    def _draw(self) -> None:
        width, height = self._console.size
        with self._lock:
            picture = self._frame.picture(width=width, height=height, now=monotonic())
            warnings, self._warnings = self._warnings, []
        for warning in warnings:
            self._console.print(self._frame.warning(warning))
        self._live.update(picture, refresh=True)


class PlainProgress:
    """One line for each thing worth telling, for pipes and logs."""

    is_live = False

    def __init__(
        self,
        stream: TextIO | None = None,
        steps: Steps = (),
        *,
        patches: Iterable[tuple[str, str, str]] = (),
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._board = Board(steps, patches)
        self._lock = threading.Lock()
        self._is_long = len(self._board.rows) > MANY
        self._told_count = 0
        self._told_at = -_LONGEST_SILENCE

    def handle(self, event: "Event") -> None:
        with self._lock:
            now = monotonic()
            row = self._board.apply(event, now)
            if self._is_long and event.event_type in _USUAL:
                self._tell_how_far(event, now)
            elif event.event_type in _WORTH_TELLING:
                seconds = row.seconds(now) if row else self._board.seconds(now)
                about = row.step_id if row else None
                self._write(f"{_time_of_day(event.timestamp)} {sentence(event, seconds, about=about)}")

    def _tell_how_far(self, event: "Event", now: float) -> None:
        """A line when another twentieth has ended, but not too often, nor too seldom."""
        total, ended = len(self._board.rows), self._board.ended_count
        silence = now - self._told_at
        is_much = (ended - self._told_count) * _PORTIONS >= total
        if (is_much and silence >= _SHORTEST_SILENCE) or (ended > self._told_count and silence >= _LONGEST_SILENCE):
            self._told_count, self._told_at = ended, now
            failed = f", {len(self._board.failed)} failed" if self._board.failed else ""
            self._write(f"{_time_of_day(event.timestamp)} {ended} of {total} steps ended{failed}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def _write(self, line: str) -> None:
        if self._stream is None:
            return
        # When nobody reads it any more (ValueError: the stream is closed) the run goes on.
        with suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)


def sentence(event: "Event", seconds: float | None, *, about: str | None = None) -> str:
    """An event in a line: what happened to what, how long it took, why."""
    verb = _VERBS.get(event.event_type) or event.event_type.partition("_")[2]
    if not verb:
        return f"{event.event_type}: {inert_line(event.reason or '')}"
    line = f"{verb} {inert_line(str(event.metadata.get('step_id') or about or event.run_id))}"
    if verb in _ENDINGS and seconds is not None:
        line += f" {duration(seconds)}"
    notes = [f"attempt {event.metadata['number']}"] if event.metadata.get("number", 1) > 1 else []
    why = in_words(event.reason, event.metadata.get("message"))
    notes += [inert_line(why)] if why else []
    if "delay_seconds" in event.metadata:
        delay = float(event.metadata["delay_seconds"])
        notes.append(f"next attempt in {duration(delay)}" if delay else "next attempt at once")
    return f"{line}: {', '.join(notes)}" if notes else line


def _time_of_day(timestamp: str) -> str:
    """Hours, minutes and seconds as the clock on the wall shows them."""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")
