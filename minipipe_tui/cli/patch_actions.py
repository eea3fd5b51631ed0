"""What `minipipe patch` does to a patch once its arguments are read: this loads the whole engine, looking does not."""

import argparse
from typing import Any

from engine.executor.control import Control
from engine.patches.decisions import Decision
from engine.states import RunStateMachine
from engine.store import queries
from minipipe_tui.cli.deciding import check_offered, decide, opened_patch, tell
from minipipe_tui.cli.hosting import host_run, stoppable
from minipipe_tui.cli.opening import reviewer, variables


def quarantine(arguments: argparse.Namespace) -> int:
    return _decide(arguments, "quarantine", arguments.reason)


def drop(arguments: argparse.Namespace) -> int:
    return _decide(arguments, "drop", arguments.reason)


def _decide(arguments: argparse.Namespace, kind: Any, why: str | None) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, kind)
        return decide(orchestrator, Decision(kind, patch.patch_id, reviewer(arguments), why), as_json=arguments.json)


def release(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "release")
        by = reviewer(arguments)
        found = queries.find_run(orchestrator.database, patch.run_id)
        if found is None or not RunStateMachine.is_terminal(found.state):
            decision = Decision("release", patch.patch_id, by, arguments.comment, commit=patch.commit_id)
            return decide(orchestrator, decision, as_json=arguments.json)
        run_id = orchestrator.release_into_new_run(patch.patch_id, operator=by)
        return host_run(orchestrator, run_id, as_json=arguments.json, variables=variables(arguments))


def rollback(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "rollback")
        control = Control()
        with stoppable(control):
            undone = orchestrator.rollback_patch(
                patch.patch_id, operator=reviewer(arguments), control=control, variables=variables(arguments)
            )
        became = f"rolled back: {undone.reason}" if undone.reason else "rolled back"
        return tell(orchestrator, patch.patch_id, became, as_json=arguments.json)
