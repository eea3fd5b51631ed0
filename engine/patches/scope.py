"""Which paths a step may change: its include and exclude globs, and what no step may change without naming it."""

from collections.abc import Iterator, Sequence

from engine.git.changes import Change
from engine.patches.finding import Finding


class ScopeRules:
    """A step's scope, compiled once. Without include patterns everything but the protected paths is in it."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        raise NotImplementedError

    def allows(self, path: bytes) -> bool:
        raise NotImplementedError

    def scope_findings(self, changes: Sequence[Change]) -> Iterator[Finding]:
        """One for every path outside; a rename counts for both its paths."""
        raise NotImplementedError
