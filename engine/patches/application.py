"""Apply: the commit that a patch would be on top of a head, in the object database; nothing moves yet."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.git.changes import shown_path
from engine.git.merging import Merge, merge
from engine.git.objects import Identity, tree_of, write_commit
from engine.git.program import Git
from engine.patches.description import Description, describe
from engine.store.records import PatchRecord


@dataclass(frozen=True, slots=True)
class Signature:
    """Who commits are by, and the user's own settings for signing them, if they are to be signed."""

    identity: Identity
    signing: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit on top of the head, and what it changes there."""

    head: str
    commit: str
    moved: Description | None = None
    """What it changes there, if that is not the base that it was made on; else it is what was looked at."""


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """Why there is no candidate: paths that conflict; or none at all, because the change is there already."""

    conflicts: tuple[str, ...] = ()

    @property
    def is_there_already(self) -> bool:
        return not self.conflicts


def apply(git: Git, head: str, patch: PatchRecord, message: str, signature: Signature) -> Candidate | NotApplicable:
    """Merge a change into a head."""
    has_moved = head != patch.base_commit
    # On its own base a change leads to its own tree: any merge would say the same.
    merged = merge(git, head, patch.commit_id) if has_moved else Merge(tree_of(git, patch.commit_id))
    if not merged.is_clean:
        return NotApplicable(tuple(shown_path(path) for path in merged.conflicts))
    if merged.tree == tree_of(git, head):
        return NotApplicable()
    candidate = write_commit(git, merged.tree, [head], message, identity=signature.identity, signing=signature.signing)
    return Candidate(head, candidate, describe(git, head, candidate) if has_moved else None)


def strayed_paths(candidate: Description, reviewed: frozenset[str]) -> list[str]:
    """What a merge changes outside of the patch that was looked at: renames on the other side can lead elsewhere."""
    paths = {shown_path(path) for change in candidate.changes for path in (change.path, change.old_path) if path}
    return sorted(paths - reviewed)
