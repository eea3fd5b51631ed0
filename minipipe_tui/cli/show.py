"""`minipipe show [RUN]`: one run with its steps and patches."""

import argparse

from engine.store.documents import run_document
from minipipe_tui.cli.opening import RUN_HELP, opened_run
from minipipe_tui.cli.output import print_json
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.report import print_report


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Show a run: the state of every step, how often it was tried, how long it took and what it waits for; its "
        "patches; and what can be done next.",
        examples=("minipipe show", "minipipe show last --all", "minipipe show last --json"),
    )
    parser.add_argument("run_id", metavar="RUN", nargs="?", default="last", help=f"{RUN_HELP}; without it, the newest")
    parser.add_argument("--all", action="store_true", help="every step and patch, however many; JSON always has all")
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    with opened_run(arguments.run_id) as (_, database, run_id):
        document = run_document(database, run_id)
    if arguments.json:
        print_json(document)
    else:
        print_report(document, is_whole=arguments.all)
    return 0
