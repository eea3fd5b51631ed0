"""Which steps and patches of a run are listed for people: all of them, or of very many those that are remarkable.

What did not go well, or waits for somebody, comes first. Whatever else there is more of than fits is only counted: what
a failure dragged along, or what has not begun, says little in a list.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

MANY = 40
"""From more rows than these on, only the remarkable ones are listed."""

_UNREMARKABLE = 9
_OTHER = 5
_OF_STEPS = {"failed": 0, "running": 1, "validating": 1, "retrying": 1, "canceled": 2, "completed": 3, "skipped": 4}
_OF_PATCHES = {"awaiting_review": 0, "quarantined": 0, "apply_failed": 1, "rolled_back": 2, "dropped": 3}
"""What is shown first where not even all remarkable ones have a place; those of rank 0 as far as there is room."""


def remarkable_steps(tasks: Sequence[Document]) -> list[Document]:
    """Without those that simply completed, if there are many."""
    return _remarkable(tasks, _rank_of_step)


def remarkable_patches(patches: Sequence[Document]) -> list[Document]:
    """Without those that were simply committed, or replaced by another, if there are many."""
    return _remarkable(patches, _rank_of_patch)


def counts(entities: Sequence[Document], name: str) -> str:
    """How many steps (or patches) are in which state, the most frequent first."""
    found = Counter(each["state"] for each in entities).most_common()
    return f"{len(entities)} {name}: " + ", ".join(f"{number} {state}" for state, number in found)


def _remarkable(entities: Sequence[Document], rank_of: Callable[[Document], int]) -> list[Document]:
    if len(entities) <= MANY:
        return list(entities)
    by_rank: dict[int, list[int]] = {}
    for place, each in enumerate(entities):
        by_rank.setdefault(rank_of(each), []).append(place)
    chosen = by_rank.pop(0, [])[:MANY]
    by_rank.pop(_UNREMARKABLE, None)
    for _, places in sorted(by_rank.items()):
        if len(chosen) + len(places) <= MANY:
            chosen += places
    return [entities[place] for place in sorted(chosen)]


def _rank_of_step(task: Document) -> int:
    if task["state"] == "completed" and len(task["attempts"]) <= 1:
        return _UNREMARKABLE
    return _OF_STEPS.get(task["state"], _OTHER)


def _rank_of_patch(patch: Document) -> int:
    if patch["state"] in ("committed", "superseded"):
        return _UNREMARKABLE
    return _OF_PATCHES.get(patch["state"], _OTHER)
