"""What would become of a patch if it were applied now, found out in the object database; nothing is moved.

It asks what the pipeline will ask: whether the change merges with the head of its run, whether it reads there as it
was looked at, and which other changes that wait would then be in its way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.git.changes import shown_path
from engine.git.diffs import patch_identity, patch_text
from engine.git.merging import Merge, merge
from engine.git.objects import tree_of
from engine.git.program import Git
from engine.patches.description import stable_id_of
from engine.store.records import PatchRecord

Applies = Literal["cleanly", "three-way", "conflicts"]


@dataclass(frozen=True, slots=True)
class Foresight:
    """The trial of one patch."""

    applies: Applies
    """`three-way`: it merges, but reads otherwise than it was looked at, so that it must be looked at again."""
    conflicts: tuple[str, ...] = ()
    overlaps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other patches that it cannot be merged with, by id, and where."""
    is_there_already: bool = False
    """The head holds the whole change: there is nothing to apply."""


def foresee(git: Git, patch: PatchRecord, head: str, others: Iterable[PatchRecord] = ()) -> Foresight:
    """Try a patch on a head, and against other patches."""
    trial = merge(git, head, patch.commit_id)
    overlaps = {
        other.patch_id: paths
        for other in others
        if other.patch_id != patch.patch_id and (paths := _conflicts(merge(git, patch.commit_id, other.commit_id)))
    }
    if not trial.is_clean:
        return Foresight("conflicts", _conflicts(trial), overlaps)
    if trial.tree == tree_of(git, head):
        return Foresight("cleanly", overlaps=overlaps, is_there_already=True)
    reads_the_same = head == patch.base_commit or _identity(git, head, trial.tree) == stable_id_of(git, patch)
    return Foresight("cleanly" if reads_the_same else "three-way", overlaps=overlaps)


def _conflicts(merged: Merge) -> tuple[str, ...]:
    return tuple(shown_path(path) for path in merged.conflicts)


def _identity(git: Git, head: str, tree: str) -> str:
    return patch_identity(git, patch_text(git, head, tree))
