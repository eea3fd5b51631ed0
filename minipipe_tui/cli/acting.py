"""`minipipe pause RUN`, `minipipe cancel RUN`, `minipipe retry RUN`: decisions about a run, from any process.

Where another process runs the run, it is told and its answer awaited; where nobody does, it is done here.
"""

import argparse
from pathlib import Path

from engine.api import open_engine
from engine.errors import ActionRefused, CommitsLost
from engine.executor.control import Verb
from engine.orchestrator import Orchestrator
from engine.states import RunState
from engine.states.actions import available_actions
from engine.store import queries
from engine.store.documents import owner_of_run, run_document
from minipipe_tui.cli.hosting import host_run
from minipipe_tui.cli.opening import add_run_argument, add_variable_option, operator_name, variables
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.wording import in_words

_TEXTS = {
    "pause": (
        "Let running steps finish, start nothing more, and leave the run paused. `minipipe resume` goes on.",
        "minipipe pause last",
    ),
    "cancel": (
        "End a run: its steps are stopped, its `finally` steps still run. Asked again, those are stopped too.",
        "minipipe cancel last",
    ),
    "retry": (
        "Run an ended run's plan again, as a new run; what succeeded is carried over and not run again. "
        "On a run that is still going on: let steps that wait for their next attempt have it now.",
        "minipipe retry last",
    ),
}


def add_arguments(parser: CommandParser) -> None:
    verb = parser.prog.split()[-1]
    text, example = _TEXTS[verb]
    parser.describe(text, examples=(example,))
    parser.set_defaults(verb=verb)
    add_run_argument(parser)
    if verb in ("retry", "cancel"):
        add_variable_option(parser)
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    with open_engine(Path.cwd()) as orchestrator:
        run_id = queries.resolve_run_id(orchestrator.database, arguments.run_id)
        if owner_of_run(orchestrator.database, run_id) is not None:
            return tell_owner(orchestrator, run_id, arguments.verb, as_json=arguments.json)
        _check_makes_sense(orchestrator, run_id, arguments.verb)
        return _UNOWNED[arguments.verb](orchestrator, run_id, arguments)


def _check_makes_sense(orchestrator: Orchestrator, run_id: str, verb: Verb) -> None:
    found = queries.find_run(orchestrator.database, run_id)
    if found is None:
        return
    possible = available_actions("run", found.state, is_owned=False)
    if verb not in possible:
        raise ActionRefused(verb, run_id, f"it is {found.state}", hint=f"minipipe {possible[0]} {run_id}")


def tell_owner(orchestrator: Orchestrator, run_id: str, verb: Verb, *, as_json: bool) -> int:
    """Ask the process that owns the run, and say what it answered."""
    if not orchestrator.tell_owner(run_id, verb, operator_name()):
        raise ActionRefused(verb, run_id, "its owner is gone", hint=f"minipipe {verb} {run_id} again does it here")
    return _say_state(orchestrator, run_id, as_json=as_json)


def _pause(orchestrator: Orchestrator, run_id: str, arguments: argparse.Namespace) -> int:
    orchestrator.pause_run(run_id, operator=operator_name())
    return _say_state(orchestrator, run_id, as_json=arguments.json)


def _cancel(orchestrator: Orchestrator, run_id: str, arguments: argparse.Namespace) -> int:
    found = queries.find_run(orchestrator.database, run_id)
    if found is not None and found.state in (RunState.RUNNING, RunState.PAUSED, RunState.QUARANTINED):
        # Its `finally` steps have to run, and there is nobody else to run them.
        try:
            host_run(orchestrator, run_id, as_json=arguments.json, variables=variables(arguments), ask="cancel")
            return 0
        except CommitsLost:
            say("there is nothing left that its steps could start from: it ends without its `finally` steps")
    orchestrator.cancel_run(run_id, operator=operator_name())
    return _say_state(orchestrator, run_id, as_json=arguments.json)


def _retry(orchestrator: Orchestrator, run_id: str, arguments: argparse.Namespace) -> int:
    found = queries.find_run(orchestrator.database, run_id)
    if found is not None and found.state == RunState.QUARANTINED:
        # Its step is tried again in the run itself: what it has done besides stands.
        return host_run(orchestrator, run_id, as_json=arguments.json, variables=variables(arguments), ask="retry")
    new_id = orchestrator.retry_run(run_id, variables=variables(arguments))
    return host_run(orchestrator, new_id, as_json=arguments.json, variables=variables(arguments))


_UNOWNED = {"pause": _pause, "cancel": _cancel, "retry": _retry}


def _say_state(orchestrator: Orchestrator, run_id: str, *, as_json: bool) -> int:
    document = run_document(orchestrator.database, run_id)
    if as_json:
        print_json(document)
    else:
        why = in_words(document["reason"])
        print_lines([f"{run_id} is {document['state']}" + (f" ({why})" if why else "")])
    return 0
