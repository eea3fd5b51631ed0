"""`minipipe status [RUN]`: how many of everything are in which state, and who is at work."""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from engine.store.documents import EMPTY_STATUS, status_document
from minipipe_tui.cli import show
from minipipe_tui.cli.opening import add_run_argument, opened_store
from minipipe_tui.cli.output import print_json, print_lines
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Say how things stand: counts by state, owners of live runs. With RUN, the same as `minipipe show RUN`.",
        examples=("minipipe status", "minipipe status --json"),
    )
    add_run_argument(parser, optional=True)
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    if arguments.run_id is not None:
        return show.run(arguments)
    with opened_store(missing_ok=True) as (_, database):
        document = EMPTY_STATUS if database is None else status_document(database)
    if arguments.json:
        print_json(document)
    else:
        print_lines(_lines(document))
    return 0


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for entity in ("runs", "tasks", "patches"):
        counts = ", ".join(f"{number} {state}" for state, number in document[entity].items())
        yield f"{entity:<8} {counts or 'none'}"
    for owner in document["owners"]:
        yield f"at work  {owner['run_id']} by process {owner['pid']} on {owner['host']}"
