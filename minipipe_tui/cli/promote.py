"""`minipipe promote RUN`: take what a run has committed to its target branch, once whatever was in the way is gone."""

import argparse
from pathlib import Path

from engine.api import open_engine
from engine.executor.control import Control
from engine.store import queries
from engine.store.documents import run_document
from minipipe_tui.cli.arrival import arrival
from minipipe_tui.cli.hosting import stoppable
from minipipe_tui.cli.opening import add_run_argument, add_variable_option, operator_name, variables
from minipipe_tui.cli.output import print_json, print_lines
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Move the target branch of a run that has succeeded to what the run has committed: fast-forward, or merged and "
        "checked again where the branch has moved. Where the branch is checked out, its files follow, if nothing there "
        "is changed; otherwise everything is left as it is, and the answer says why.",
        examples=("minipipe promote last", "minipipe promote last --target release"),
    )
    add_run_argument(parser)
    parser.add_argument("--target", metavar="BRANCH", help="another branch than the one the run was started for")
    add_variable_option(parser)
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    control = Control()
    with open_engine(Path.cwd()) as orchestrator:
        run_id = queries.resolve_run_id(orchestrator.database, arguments.run_id)
        with stoppable(control):
            orchestrator.promote_run(
                run_id,
                operator=operator_name(),
                target=arguments.target,
                control=control,
                variables=variables(arguments),
            )
        document = run_document(orchestrator.database, run_id)
    if arguments.json:
        print_json(document)
    else:
        print_lines(arrival(document))
    return document["exit_code"] or 0
