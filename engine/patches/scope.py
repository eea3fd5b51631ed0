"""Which paths a step may change: its include and exclude globs, and what no step may change without naming it.

What governs runs (`.minipipe`, `minipipe.toml`, `router_config.json`) is protected: `**` does not allow it, only an
include pattern without wildcards that is the path or a folder above it.
"""

from collections.abc import Iterable, Iterator, Sequence

from engine.git.changes import Change
from engine.patches.finding import Finding
from engine.patches.path_glob import PathGlob
from engine.patches.path_rules import folded_name, touched_paths

_PROTECTED = frozenset({".minipipe", "minipipe.toml", "router_config.json"})
_PROTECTED_FOLDER = ".minipipe"


class ScopeRules:
    """A step's scope, compiled once. Without include patterns everything is in it but what is protected."""

    __slots__ = ("_exclude", "_include")

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = tuple(map(PathGlob, include))
        self._exclude = tuple(map(PathGlob, exclude))

    def allows(self, path: bytes) -> bool:
        return self._finding(path) is None

    def scope_findings(self, changes: Iterable[Change]) -> Iterator[Finding]:
        """One for every path outside; a rename counts for both its paths."""
        for path in dict.fromkeys(path for change in changes for path in touched_paths(change)):
            if finding := self._finding(path):
                yield finding

    def _finding(self, path: bytes) -> Finding | None:
        if is_protected(path) and not any(glob.names(path) for glob in self._include):
            return Finding("scope.protected", path, "the path governs runs, and no include pattern names it")
        if self._include and not any(glob.matches(path) for glob in self._include):
            return Finding("scope.outside", path, "no include pattern of the step covers the path")
        for glob in self._exclude:
            if glob.matches(path):
                return Finding("scope.outside", path, f"the step excludes {glob.pattern}")
        return None


def is_protected(path: bytes) -> bool:
    """Whether a path, however it is spelled, is one of the files and folders that govern runs."""
    top, _, rest = path.partition(b"/")
    name = folded_name(top)
    return name == _PROTECTED_FOLDER if rest else name in _PROTECTED
