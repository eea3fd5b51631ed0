"""What a person decides about a patch, told to the ledger, and what follows from it told to the person.

The ledger sees to it that whoever runs the run writes the decision down, or does so itself where nobody does.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.api import open_engine
from engine.errors import ActionRefused
from engine.orchestrator import Orchestrator
from engine.patches.decisions import Decision
from engine.patches.ledger import PatchLedger
from engine.states import PatchState, RunStateMachine
from engine.store import patch_queries, queries
from engine.store.documents import owner_of_run
from engine.store.patch_documents import patch_actions, patch_document
from engine.store.records import PatchRecord
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.opening import named_patch
from minipipe_tui.cli.output import print_json, print_lines
from minipipe_tui.cli.sheet import command_of
from minipipe_tui.cli.wording import review_in_words

_BECAME = {
    "approve": "approved",
    "reject": "rejected",
    "request_changes": "sent back",
    "withdraw": "undecided again",
    "quarantine": "quarantined",
    "release": "released from quarantine",
    "drop": "dropped",
}


@contextmanager
def opened_patch(arguments: argparse.Namespace) -> Iterator[tuple[Orchestrator, PatchRecord]]:
    """The engine, and the patch that is meant."""
    with open_engine(Path.cwd()) as orchestrator:
        yield orchestrator, named_patch(orchestrator.database, arguments)


def check_offered(orchestrator: Orchestrator, patch: PatchRecord, action: str) -> None:
    """Refuse what makes no sense for the patch as it stands, and say what does."""
    offered = patch_actions(orchestrator.database, patch)
    if action in offered:
        return
    why = f"it is {patch.state}"
    if action == "undo" and patch.state == PatchState.AWAITING_REVIEW:
        why = "nothing was decided that could be taken back"
    elif "undo" in offered:
        why = (
            f"it was {review_in_words(patch.review_status)} by {patch.reviewed_by or 'somebody'}, and waits for its run"
        )
    hint = command_of(offered[0], patch.patch_id) if offered else f"minipipe patch show {patch.patch_id}"
    raise ActionRefused(action, patch.patch_id, why, hint=hint)


def decide(orchestrator: Orchestrator, decision: Decision, *, as_json: bool) -> int:
    """Have a decision written down, and say what follows."""
    PatchLedger(orchestrator.database, journal=orchestrator.journal).decide(decision)
    became, decides = _BECAME[decision.kind], decision.kind != "withdraw"
    return tell(orchestrator, decision.patch_id, became, as_json=as_json, decides=decides)


def tell(orchestrator: Orchestrator, patch_id: str, became: str, *, as_json: bool, decides: bool = True) -> int:
    """The patch as it is now, and what follows if something was decided."""
    patch = patch_queries.find_patch(orchestrator.database, patch_id)
    assert patch is not None
    if as_json:
        print_json(patch_document(orchestrator.database, patch))
    else:
        follows = _what_follows(orchestrator, patch) if decides else ()
        print_lines([inert_line(f"{patch_id} ({patch.step_id}) is {became}"), *follows])
    return 0


def _what_follows(orchestrator: Orchestrator, patch: PatchRecord) -> Iterator[str]:
    database, run_id = orchestrator.database, patch.run_id
    run = queries.find_run(database, run_id)
    if run is None or RunStateMachine.is_terminal(run.state):
        return
    owner = owner_of_run(database, run_id)
    if owner is not None:
        yield f"{run_id} goes on by itself ({owner})"
        return
    count = len(patch_queries.waiting_for_review(database, run_id=run_id))
    if count:
        yield f"{count} more of its run {'waits' if count == 1 else 'wait'} for review: minipipe review list"
    yield f"minipipe resume {run_id}"
