"""`minipipe rollback RUN`: undo everything that a run has committed, wherever it is now, or nothing."""

import argparse
from pathlib import Path

from engine.api import open_engine
from engine.executor.control import Control
from engine.states import PatchState
from engine.store import patch_queries, queries
from engine.store.documents import run_document
from minipipe_tui.cli.hosting import stoppable
from minipipe_tui.cli.opening import add_run_argument, add_variable_option, operator_name, variables
from minipipe_tui.cli.output import print_json, print_lines
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Undo all patches of a run, newest first: the inverse of each is committed on top of the branch where they "
        "are now, once their checks have passed without them. `minipipe patch rollback` undoes a single one.",
        examples=("minipipe rollback last", "minipipe rollback last --json"),
    )
    add_run_argument(parser)
    add_variable_option(parser)
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    control = Control()
    with open_engine(Path.cwd()) as orchestrator:
        database = orchestrator.database
        run_id = queries.resolve_run_id(database, arguments.run_id)
        before = {
            patch.patch_id for patch in patch_queries.patches_of(database, run_id, states=(PatchState.COMMITTED,))
        }
        with stoppable(control):
            orchestrator.rollback_run(run_id, operator=operator_name(), control=control, variables=variables(arguments))
        undone = patch_queries.patches_of(database, run_id, states=(PatchState.ROLLED_BACK,))
        document = run_document(database, run_id)
    if arguments.json:
        print_json(document)
    else:
        lines = [f"{patch.patch_id} ({patch.step_id}): {patch.reason}" for patch in undone if patch.patch_id in before]
        print_lines(lines)
    return 0
