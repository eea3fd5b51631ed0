"""How large a patch may be before anybody works on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.git.changes import Change
from engine.patches.finding import Finding


@dataclass(frozen=True, slots=True)
class PatchLimits:
    """The largest patch that is looked at, as text from outside and as captured from a step."""

    max_files: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    max_line_bytes: int = 1024 * 1024
    """Of one line of a patch that comes as text."""
    max_binary_bytes: int = 64 * 1024 * 1024
    """Of what one binary change in a text says that it unpacks to."""
    max_changed_lines: int = 1_000_000


def limit_findings(changes: Sequence[Change], patch_bytes: int, limits: PatchLimits) -> Iterator[Finding]:
    """Every limit that a patch exceeds."""
    raise NotImplementedError
