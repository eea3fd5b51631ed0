"""Refs of ours that a kill came before: those that are still to be made, and those that nobody needs any more.

The ledger is what counts. A ref is made after its row and removed after its row has moved on, so at worst there is one
too many or one too few, and whoever owns a run next can tell which.
"""

from collections.abc import Callable, Mapping, Sequence

from engine.executor.open_patches import IN_FLIGHT
from engine.git.program import Git
from engine.git.refs import CANDIDATES, EDITS, PATCHES, SHADOWS, delete_ref, edit_ref, list_refs, patch_ref, put_ref
from engine.states import RunStateMachine
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.records import PatchRecord


def drop_needless_refs(git: Git, database: Database) -> None:
    """Remove candidates whose patches have moved on, edits that were acted on, and shadows whose runs have ended, of
    every run on record.
    """
    for name, commit in list_refs(git, *_IS_NEEDLESS).items():
        kind = next(prefix for prefix in _IS_NEEDLESS if name.startswith(prefix))
        if _IS_NEEDLESS[kind](database, name.removeprefix(kind)):
            delete_ref(git, name, commit)


def keep_edits(git: Git, database: Database, run_id: str) -> None:
    """Give every edited change that nobody has acted on yet its ref."""
    for review in patch_queries.undecided_reviews(database, run_id):
        if review.edited_commit is not None:
            keep_edit(git, review.patch_id, review.edited_commit)


def keep_edit(git: Git, patch_id: str, commit: str) -> None:
    put_ref(git, edit_ref(patch_id), commit)


def _has_moved_on(database: Database, patch_id: str) -> bool:
    patch = patch_queries.find_patch(database, patch_id)
    return patch is not None and patch.state not in IN_FLIGHT


def _has_ended(database: Database, run_id: str) -> bool:
    run = queries.find_run(database, run_id)
    return run is not None and RunStateMachine.is_terminal(run.state)


def _was_acted_on(database: Database, patch_id: str) -> bool:
    patch = patch_queries.find_patch(database, patch_id)
    if patch is None:
        return False
    waiting = patch_queries.undecided_reviews(database, patch.run_id)
    return not any(review.patch_id == patch_id and review.edited_commit for review in waiting)


_IS_NEEDLESS: Mapping[str, Callable[[Database, str], bool]] = {
    CANDIDATES: _has_moved_on,
    EDITS: _was_acted_on,
    SHADOWS: _has_ended,
}


def without_ref(git: Git, patches: Sequence[PatchRecord]) -> list[PatchRecord]:
    """The patches of which no ref, or the wrong one, keeps the commit alive."""
    found = list_refs(git, PATCHES) if patches else {}
    return [patch for patch in patches if found.get(patch_ref(patch.patch_id)) != patch.commit_id]
