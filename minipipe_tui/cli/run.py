"""`minipipe run PLAN`: run a plan here and now; without a plan, go on with what was interrupted."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from engine.api import open_engine, read_config
from engine.errors import ExitCode, Refused, UsageError, UserError
from engine.executor.settings import ORCHESTRATION_MODES, RunSettings, settings_for
from engine.orchestrator import Orchestrator
from engine.plan.load import load_plan
from engine.plan.plan import Plan
from engine.store import queries
from engine.store.documents import run_document
from engine.workspace import find_workspace
from minipipe_tui.cli import complaint
from minipipe_tui.cli.hosting import host_run
from minipipe_tui.cli.opening import add_variable_option, variables
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser

ROLLOUT_MODES = ("shadow", "pilot", "production")


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Run a plan to its end and say what came of it. Ctrl-C cancels it cleanly, a second Ctrl-C at once; a run that "
        "was killed goes on with `minipipe resume`. Without PLAN, go on with every run that was interrupted.",
        examples=(
            "minipipe run plans/build.json",
            "minipipe run plans/release.json --var VERSION=1.2 --max-concurrent 8",
            "minipipe run plans/build.json --json > result.json",
        ),
    )
    parser.add_argument("plan", metavar="PLAN", nargs="?", help="the plan's file")
    add_variable_option(parser)
    parser.add_argument("--no-ui", action="store_true", help="never open the app (a plan always runs headless here)")
    parser.add_json_option()
    parser.add_argument("--dry-run", action="store_true", help="say what would be started, and start nothing")
    parser.add_argument("--detach", action="store_true", help="write the run down and leave it pending")
    parser.add_argument(
        "--target", metavar="BRANCH", help="the branch that gets the changes (the one checked out); none: no branch"
    )
    parser.add_argument("--max-concurrent", metavar="N", type=_positive, help="how many steps run at once")
    parser.add_argument(
        "--orchestration",
        metavar="MODE",
        choices=ORCHESTRATION_MODES,
        help=f"how steps follow each other: {', '.join(ORCHESTRATION_MODES)}",
    )
    parser.add_argument(
        "--mode", metavar="MODE", choices=ROLLOUT_MODES, help=f"how far patches go: {', '.join(ROLLOUT_MODES)}"
    )


def _positive(text: str) -> int:
    if text.isdecimal() and (number := int(text)) > 0:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")


def run(arguments: argparse.Namespace) -> int:
    if arguments.plan is None:
        return _go_on(arguments)
    plan = load_plan(Path(arguments.plan))
    if arguments.dry_run:
        from minipipe_tui.cli.rehearsal import rehearse

        return rehearse(plan, _settings(arguments, plan), variables(arguments), as_json=arguments.json)
    with open_engine(Path.cwd()) as orchestrator:
        _tell_of_interrupted(orchestrator)
        run_id = orchestrator.create_run(
            plan,
            path=Path(arguments.plan),
            variables=variables(arguments),
            settings=_settings(arguments, plan),
            target=arguments.target,
        )
        for warning in queries.warnings_of(orchestrator.database, run_id):
            say(f"warning: {warning}")
        if arguments.detach:
            return _leave(orchestrator, run_id, as_json=arguments.json)
        return host_run(orchestrator, run_id, as_json=arguments.json, variables=variables(arguments))


def _settings(arguments: argparse.Namespace, plan: Plan) -> RunSettings:
    return settings_for(
        plan,
        read_config(find_workspace(Path.cwd())),
        max_concurrent=arguments.max_concurrent,
        orchestration_mode=arguments.orchestration,
        mode=arguments.mode,
    )


def _leave(orchestrator: Orchestrator, run_id: str, *, as_json: bool) -> int:
    if as_json:
        print_json(run_document(orchestrator.database, run_id))
    else:
        print_lines([run_id])
        say(f"pending; `minipipe resume {run_id}` starts it")
    return 0


def _tell_of_interrupted(orchestrator: Orchestrator) -> None:
    for interrupted in orchestrator.end_leftovers():
        run_id, plan_id = interrupted.run_id, interrupted.plan_id
        say(f"{run_id} ({plan_id}) was interrupted; `minipipe resume {run_id}` goes on with it")


def _go_on(arguments: argparse.Namespace) -> int:
    """Take up every interrupted run, oldest first; the worst result is the answer."""
    if arguments.json or arguments.dry_run or arguments.detach:
        raise UsageError("run: a PLAN is needed with these options", hint="minipipe run PLAN")
    with open_engine(Path.cwd()) as orchestrator:
        interrupted = orchestrator.interrupted_runs()
        if not interrupted:
            raise UsageError("run: which plan? nothing was interrupted here", hint="minipipe run PLAN")
        worst = 0
        for each in interrupted:
            worst = max(worst, _go_on_with(orchestrator, each.run_id, variables(arguments)))
            if worst == ExitCode.CANCELED:
                break  # Whoever pressed Ctrl-C wants to stop, not to see the next one begin.
        return worst


def _go_on_with(orchestrator: Orchestrator, run_id: str, given: Mapping[str, str]) -> int:
    """One run that cannot go on, for want of a secret say, does not hold up the others."""
    try:
        return host_run(orchestrator, run_id, as_json=False, variables=given)
    except (UserError, Refused) as error:
        return complaint.show(error, as_json=False)
