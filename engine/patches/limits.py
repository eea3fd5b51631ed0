"""How large a patch may be before anybody works on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.git.changes import Change
from engine.patches.finding import Finding


@dataclass(frozen=True, slots=True)
class PatchLimits:
    """The largest patch that is looked at; each number is still allowed."""

    max_files: int = 1000
    max_bytes: int = 16 * 1024 * 1024
    max_line_bytes: int = 1024 * 1024
    max_binary_bytes: int = 64 * 1024 * 1024
    """What one binary file of a patch that comes as text may unpack to."""


def limit_findings(
    changes: Sequence[Change], patch_bytes: int, limits: PatchLimits, *, longest_line: int = 0
) -> Iterator[Finding]:
    """Every limit that a patch exceeds; `longest_line` is the bytes of its longest line, where that is known."""
    measured = (
        ("limit.files", "changes", len(changes), limits.max_files, "files"),
        ("limit.bytes", "has", patch_bytes, limits.max_bytes, "bytes"),
        ("limit.line", "has a line of", longest_line, limits.max_line_bytes, "bytes"),
    )
    for rule, verb, count, most, unit in measured:
        if count > most:
            yield Finding(rule, b"", f"the patch {verb} {count:,} {unit}; at most {most:,} are allowed")
