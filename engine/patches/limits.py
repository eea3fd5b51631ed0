"""How large a patch may be before anybody works on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.git.changes import Change
from engine.patches.finding import Finding


@dataclass(frozen=True, slots=True)
class PatchLimits:
    """The largest patch that is looked at."""

    max_files: int = 1000
    max_bytes: int = 16 * 1024 * 1024
    max_line_bytes: int = 1024 * 1024


def limit_findings(changes: Sequence[Change], patch_bytes: int, limits: PatchLimits) -> Iterator[Finding]:
    """Every limit that a patch exceeds."""
    raise NotImplementedError
