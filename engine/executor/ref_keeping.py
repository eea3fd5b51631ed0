"""Refs of ours that a kill came before: those that are still to be made, and those that nobody needs any more.

The ledger is what counts. A ref is made after its row and removed after its row has moved on, so at worst there is one
too many or one too few, and whoever owns a run next can tell which.
"""

from collections.abc import Sequence

from engine.executor.open_patches import IN_FLIGHT
from engine.git.program import Git
from engine.git.refs import CANDIDATES, PATCHES, SHADOWS, delete_ref, list_refs, patch_ref
from engine.states import RunStateMachine
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.records import PatchRecord


def drop_needless_refs(git: Git, database: Database) -> None:
    """Remove candidates whose patches have moved on, and shadows whose runs have ended, of every run on record."""
    for name, commit in list_refs(git, CANDIDATES, SHADOWS).items():
        is_candidate = name.startswith(CANDIDATES)
        owner = name.removeprefix(CANDIDATES if is_candidate else SHADOWS)
        if (_has_moved_on if is_candidate else _has_ended)(database, owner):
            delete_ref(git, name, commit)


def _has_moved_on(database: Database, patch_id: str) -> bool:
    patch = patch_queries.find_patch(database, patch_id)
    return patch is not None and patch.state not in IN_FLIGHT


def _has_ended(database: Database, run_id: str) -> bool:
    run = queries.find_run(database, run_id)
    return run is not None and RunStateMachine.is_terminal(run.state)


def without_ref(git: Git, patches: Sequence[PatchRecord]) -> list[PatchRecord]:
    """The patches of which no ref, or the wrong one, keeps the commit alive."""
    found = list_refs(git, PATCHES) if patches else {}
    return [patch for patch in patches if found.get(patch_ref(patch.patch_id)) != patch.commit_id]
