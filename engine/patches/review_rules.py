"""Whether a person must look at a patch before it is applied, and why: pure, and the same for the same patch."""

from dataclasses import dataclass
from typing import Literal

from engine.plan.plan import RolloutMode


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """What plan, step and rollout mode say about review."""

    review: Literal["auto", "always", "never"] = "auto"
    is_manual: bool = False
    mode: RolloutMode = "production"
    pilot_share: int = 0
    has_pilot_tripped: bool = False
    threshold: int = 50


def review_reason(policy: ReviewPolicy, *, score: int, reasons: tuple[str, ...], patch_hash: str) -> str | None:
    """Why a person must look; None where nobody must."""
    if policy.is_manual or policy.review == "always":
        return "the plan asks for review"
    if score >= policy.threshold:
        why = f"risk {score}: {'; '.join(reasons[:3])}"
        return f"{why} (the plan says never, which holds only without risk)" if policy.review == "never" else why
    if policy.mode == "pilot" and policy.has_pilot_tripped:
        return "pilot: a gate has failed in this run, so nothing is applied by itself any more"
    if policy.mode == "pilot" and not is_canary(patch_hash, policy.pilot_share):
        return f"pilot: not among the {policy.pilot_share} of a hundred that are applied by themselves"
    return None


def is_canary(patch_hash: str, share: int) -> bool:
    """Whether a change is one of those that a pilot tries out; decided by the change alone."""
    return int(patch_hash[:8], 16) % 100 < share
