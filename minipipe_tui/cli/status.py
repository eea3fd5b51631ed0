"""`minipipe status [RUN]`: how many of everything are in which state, and who is at work."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.clock import seconds_between, utc_now
from engine.store.glance import status_document
from engine.workspace import find_workspace
from minipipe_tui.cli.output import duration, print_json, print_lines
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Say how things stand: counts by state, owners of live runs. With RUN, the same as `minipipe show RUN`.",
        examples=("minipipe status", "minipipe status --json"),
    )
    parser.add_argument("run_id", metavar="RUN", nargs="?", help="the same as `minipipe show RUN`")
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    if arguments.run_id is not None:
        from minipipe_tui.cli import show

        arguments.all = False
        return show.run(arguments)
    document = status_document(find_workspace(Path.cwd()))
    if arguments.json:
        print_json(document)
    else:
        print_lines(_lines(document))
    return 0


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for name, entity in (("runs", "runs"), ("steps", "tasks"), ("patches", "patches")):
        counts = ", ".join(f"{number} {state}" for state, number in document[entity].items())
        yield f"{name:<8} {counts or 'none'}"
    if document["oldest_review_at"]:
        waits = duration(seconds_between(document["oldest_review_at"], utc_now()), exact=False)
        yield f"review   the oldest has waited for {waits}: minipipe review list"
    for owner in document["owners"]:
        yield f"at work  {owner['run_id']} by process {owner['pid']} on {owner['host']}"
    for run_id in document["interrupted"]:
        yield f"stopped  {run_id} was interrupted: minipipe resume {run_id}"
