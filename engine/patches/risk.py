"""How risky a patch is, from 0 to 100, and why, so that a person can be asked before and not after.

The same changes always get the same score and the same reasons. A risk is no reason to refuse a patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.git.changes import Change, shown_path
from engine.patches.risk_rules import RULES, Added, RiskRule

NEEDS_REVIEW = 50
"""The score from which on a person has to look at a patch."""
_MOST = 100


@dataclass(frozen=True, slots=True)
class Risk:
    """What the rules make of a patch; the heaviest reason stands first."""

    score: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def needs_review(self) -> bool:
        return self.score >= NEEDS_REVIEW


def assess(changes: Sequence[Change], added: Added, *, rules: Sequence[RiskRule] = RULES) -> Risk:
    """Weigh changes; `added` maps each path to the lines that it gains."""
    weighed = [(rule, paths) for rule in rules if (paths := rule.paths(changes, added))]
    weighed.sort(key=lambda found: -found[0].points)
    score = sum(rule.points for rule, _ in weighed)
    return Risk(max(0, min(score, _MOST)), tuple(_reason(rule, paths) for rule, paths in weighed))


def _reason(rule: RiskRule, paths: Sequence[bytes]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{rule.says}: {shown_path(paths[0])}{more}"
