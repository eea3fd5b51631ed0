"""Executing a run in this process, for the commands that do: signals, progress while it runs, a report at its end."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from engine.executor.control import Control
from engine.orchestrator import Orchestrator
from engine.states.actions import exit_code_of_run
from engine.store import queries
from engine.store.documents import run_document
from minipipe_tui.cli.output import is_terminal, print_json, say, wants_colour
from minipipe_tui.cli.report import print_report

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def host_run(
    orchestrator: Orchestrator,
    run_id: str,
    *,
    as_json: bool,
    variables: Mapping[str, str] | None = None,
    cancel: bool = False,
) -> int:
    """Drive a run until it ends or pauses, tell about it, and answer the command's exit code."""
    control = Control()
    if cancel:
        control.ask("cancel", operator="cli")
    with stoppable(control), shown_progress(orchestrator, run_id, quiet=as_json):
        run = orchestrator.execute_run(run_id, control=control, variables=variables)
    document = run_document(orchestrator.database, run_id)
    if as_json:
        print_json(document)
    else:
        print_report(document)
    return exit_code_of_run(run.state) or 0


@contextmanager
def stoppable(control: Control) -> Iterator[None]:
    """The first Ctrl-C (or TERM, or HUP) cancels the run; the second stops it at once."""

    def stop(number: int, _frame: FrameType | None) -> None:
        control.ask("cancel", operator=signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shown_progress(orchestrator: Orchestrator, run_id: str, *, quiet: bool) -> Iterator[None]:
    """Tell what happens while it happens: live on a terminal, a line at a time elsewhere."""
    with _progress(orchestrator, run_id, quiet=quiet) as handle:
        unsubscribe = orchestrator.journal.bus.subscribe(handle) if handle else None
        try:
            yield
        finally:
            if unsubscribe:
                unsubscribe()


@contextmanager
def _progress(orchestrator: Orchestrator, run_id: str, *, quiet: bool) -> Iterator[Any]:
    if quiet:
        yield None
        return
    say(f"run {run_id}")
    if is_terminal(sys.stderr) and wants_colour(sys.stderr):
        # Rich is loaded here and not before: nothing else in a headless run needs it.
        from minipipe_tui.cli.live import LiveProgress

        step_ids = [task.step_id for task in queries.tasks_of(orchestrator.database, run_id)]
        with LiveProgress(step_ids, theme=orchestrator.config.ui.theme) as live:
            yield live.handle
    else:
        from minipipe_tui.cli.progress import PlainProgress

        yield PlainProgress(sys.stderr).handle
