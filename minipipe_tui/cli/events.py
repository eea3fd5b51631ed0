"""`minipipe events [RUN]`: what happened, one JSON object a line."""

import argparse
import sys
from collections.abc import Iterable, Iterator

from engine.errors import UsageError
from engine.events.event import Event
from engine.events.follow import ChangeSignal
from engine.events.line import to_line
from engine.states import RunStateMachine
from engine.store import queries
from engine.store.database import Database
from engine.workspace import Workspace
from minipipe_tui.cli.opening import add_run_argument, opened_store
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Print events as JSON Lines, oldest first. --follow goes on as they happen: until the run ends, or, without "
        "RUN, until it is interrupted.",
        examples=("minipipe events last", "minipipe events --follow --type step_failed,run_failed"),
    )
    add_run_argument(parser, optional=True)
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what happens from now on")
    parser.add_argument("--after", metavar="SEQ", type=int, default=0, help="only events after this one (`seq`)")
    parser.add_argument("--type", metavar="TYPES", default="", help="only these event types, separated by commas")
    parser.add_argument("--limit", metavar="N", type=int, help="only the newest N of those there are")
    parser.add_argument("--json", action="store_true", help="the same: events are always JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.limit is not None and arguments.limit < 0:
        raise UsageError("events: --limit cannot be negative", hint="minipipe events --limit 20")
    with opened_store() as (workspace, database):
        assert database is not None
        run_id = queries.resolve_run_id(database, arguments.run_id) if arguments.run_id else None
        types = {name for name in arguments.type.split(",") if name}
        for portion in _portions(workspace, database, run_id, arguments):
            _print(event for event in portion if not types or event.event_type in types)
    return 0


def _portions(
    workspace: Workspace, database: Database, run_id: str | None, arguments: argparse.Namespace
) -> Iterator[list[Event]]:
    """What there is, and then, if asked to follow, what comes."""
    signal = ChangeSignal(workspace.state_folder) if arguments.follow else None
    try:
        events = queries.events_after(database, arguments.after, run_id=run_id)
        seq = events[-1].seq if events else arguments.after
        yield events if arguments.limit is None else events[len(events) - min(arguments.limit, len(events)) :]
        while signal is not None:
            # Asked before reading: what a run did until its end is then in what is read.
            is_over = _has_ended(database, run_id)
            if events := queries.events_after(database, seq, run_id=run_id):
                seq = events[-1].seq
                yield events
            if is_over:
                return
            signal.wait()
    finally:
        if signal is not None:
            signal.close()


def _has_ended(database: Database, run_id: str | None) -> bool:
    found = queries.find_run(database, run_id) if run_id else None
    return found is not None and RunStateMachine.is_terminal(found.state)


def _print(events: Iterable[Event]) -> None:
    sys.stdout.writelines(to_line(event).decode() for event in events)
    sys.stdout.flush()
