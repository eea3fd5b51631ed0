"""Executing a run in this process, for the commands that do: signals, progress while it runs, a report at its end."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import FrameType

from engine.executor.control import Control, Verb
from engine.orchestrator import Orchestrator
from engine.store import patch_queries, queries
from engine.store.documents import run_document
from minipipe_tui.cli.output import is_terminal, print_json, say
from minipipe_tui.cli.progress import progress
from minipipe_tui.cli.report import print_report

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def host_run(
    orchestrator: Orchestrator,
    run_id: str,
    *,
    as_json: bool,
    variables: Mapping[str, str] | None = None,
    ask: Verb | None = None,
    is_followed_by_more: bool = False,
) -> int:
    """Drive a run until it ends or pauses, tell about it, and answer the command's exit code."""
    control = Control()
    if ask is not None:
        control.ask(ask, operator="cli")
    shown = nullcontext() if as_json else shown_progress(orchestrator, run_id)
    with stoppable(control), shown:
        orchestrator.execute_run(run_id, control=control, variables=variables)
    document = run_document(orchestrator.database, run_id)
    if as_json:
        print_json(document)
    else:
        print_report(document, theme=orchestrator.config.ui.theme, is_followed_by_more=is_followed_by_more)
    return document["exit_code"] or 0


@contextmanager
def stoppable(control: Control) -> Iterator[None]:
    """The first Ctrl-C (or TERM, or HUP) cancels the run; the second stops it at once.

    A terminal that closes says HUP more than once (the kernel does, and the shell): that never counts as a second.
    What was ignored when we were started (`nohup`, a job in the background of a script) stays so.
    """

    was_stopped = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal was_stopped
        if number == signal.SIGHUP and was_stopped:
            return
        was_stopped = True
        control.ask("cancel", operator=signal.Signals(number).name)

    heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shown_progress(orchestrator: Orchestrator, run_id: str) -> Iterator[None]:
    """Tell what happens while it happens, on stderr: live on a terminal, a line at a time elsewhere.

    The report takes the place of the live picture where both are seen.
    """
    database = orchestrator.database
    shown = progress(
        {task.step_id: task.state for task in queries.tasks_of(database, run_id)},
        patches=[(patch.patch_id, patch.step_id, patch.state) for patch in patch_queries.patches_of(database, run_id)],
        theme=orchestrator.config.ui.theme,
        is_transient=is_terminal(sys.stdout),
    )
    if not shown.is_live:
        say(f"run {run_id}")
    with shown:
        unsubscribe = orchestrator.journal.bus.subscribe(shown.handle)
        try:
            yield
        finally:
            unsubscribe()
