"""How risky a patch is, from 0 to 100, and why: rules as data, so that a person can be asked before and not after.

The same changes always get the same score and the same reasons. A risk is no reason to refuse a patch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.git.changes import Change

NEEDS_REVIEW = 50


@dataclass(frozen=True, slots=True)
class Risk:
    """What the rules make of a patch."""

    score: int = 0
    reasons: tuple[str, ...] = ()


def assess(changes: Sequence[Change], added: Mapping[bytes, Sequence[bytes]]) -> Risk:
    """Weigh changes; `added` holds the lines that each path gains."""
    raise NotImplementedError
