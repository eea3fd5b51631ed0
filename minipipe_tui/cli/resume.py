"""`minipipe resume RUN`: start, continue or take over a run, here; or tell its owner to go on."""

import argparse
from pathlib import Path

from engine.api import open_engine
from engine.errors import RunOwned
from engine.store import queries
from engine.store.documents import owner_of_run
from minipipe_tui.cli.acting import tell_owner
from minipipe_tui.cli.hosting import host_run
from minipipe_tui.cli.opening import add_run_argument, add_variable_option, variables
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Go on with a run: one that is pending, paused, or whose process was killed. What was completed is not run "
        "again. Secret variables are never stored: give them again, by --var or the environment.",
        examples=("minipipe resume last", "minipipe resume last --var TOKEN=…"),
    )
    add_run_argument(parser)
    add_variable_option(parser)
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    with open_engine(Path.cwd()) as orchestrator:
        run_id = queries.resolve_run_id(orchestrator.database, arguments.run_id)
        found = queries.find_run(orchestrator.database, run_id)
        owner = owner_of_run(orchestrator.database, run_id)
        if owner is not None and found is not None:
            if found.state != "paused" and found.reason != "pausing":
                raise RunOwned(run_id, str(owner))
            return tell_owner(orchestrator, run_id, "resume", as_json=arguments.json)
        return host_run(orchestrator, run_id, as_json=arguments.json, variables=variables(arguments))
