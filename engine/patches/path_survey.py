"""What only shows when the changed paths are compared with a whole tree: twins, and repositories inside it.

The changed paths grow a tree of names, the whole tree is then walked once against it: whatever has no changed path in
it costs next to nothing, and memory depends on the changes alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from engine.git.changes import Change, shown_path
from engine.patches.finding import Finding
from engine.patches.path_rules import folded_name, is_too_long, touched_paths

_HEAD, _OBJECTS, _REFS, _COMMON = "head", "objects", "refs", "commondir"
_FOLDERS = frozenset({_OBJECTS, _REFS})
_LANDMARKS = _FOLDERS | {_HEAD, _COMMON}


@dataclass(slots=True)
class _Spelling:
    """One way in which a name is written, with a path that has it at this depth."""

    example: bytes
    depth: int
    is_in_base: bool = False
    is_in_result: bool = False

    @property
    def path(self) -> bytes:
        return b"/".join(self.example.split(b"/")[: self.depth])


@dataclass(slots=True)
class _Node:
    """A name on the way to a changed path, as a careless file system sees it."""

    children: dict[str, "_Node"] = field(default_factory=dict)
    spellings: dict[bytes, _Spelling] = field(default_factory=dict)
    landmarks: set[str] = field(default_factory=set)
    example: bytes = b""
    """A changed path at or below this name."""
    depth: int = 0

    def findings(self) -> Iterator[Finding]:
        for spelling, other in self._twins():
            message = f"it differs from {shown_path(other.path)} only in case or in how Unicode is composed"
            yield Finding("path.twin", spelling.path, message)
        if _HEAD in self.landmarks and (_COMMON in self.landmarks or self.landmarks >= _FOLDERS):
            folder = b"/".join(self.example.split(b"/")[: self.depth])
            yield Finding("repository.embedded", folder or self.example, "git takes the folder for a repository")

    def _twins(self) -> Iterator[tuple[_Spelling, _Spelling]]:
        """Each spelling that the changes bring, with another one beside it."""
        present = [spelling for spelling in self.spellings.values() if spelling.is_in_result]
        if len(present) > 1:
            for spelling in present:
                if not spelling.is_in_base:
                    yield spelling, present[0] if present[0] is not spelling else present[1]


class PathSurvey:
    """The changed paths among all paths of the resulting tree."""

    def __init__(self, changes: Sequence[Change], paths_after: Iterable[bytes]) -> None:
        self._top = _Node()
        self._fold: Callable[[bytes], str] = lru_cache(maxsize=None)(folded_name)
        new = {change.path for change in changes if change.status in "ARC"}
        for path in (path for change in changes for path in touched_paths(change)):
            self._grow(path)
        for path in paths_after:
            self._walk(path, is_in_base=path not in new, is_in_result=True)
        for change in changes:
            if change.status in "DR":
                self._walk(touched_paths(change)[0], is_in_base=True, is_in_result=False)

    def _grow(self, path: bytes) -> None:
        if is_too_long(path):
            return
        node = self._top
        node.example = node.example or path
        for depth, name in enumerate(path.split(b"/"), 1):
            folded = self._fold(name)
            child = node.children.get(folded)
            if child is None:
                child = node.children[folded] = _Node(example=path, depth=depth)
            node = child

    def _walk(self, path: bytes, *, is_in_base: bool, is_in_result: bool) -> None:
        node = self._top
        names = path.split(b"/")
        for depth, name in enumerate(names, 1):
            folded = self._fold(name)
            if is_in_result and folded in (_LANDMARKS if depth == len(names) else _FOLDERS):
                node.landmarks.add(folded)
            child = node.children.get(folded)
            if child is None:
                return
            spelling = child.spellings.get(name)
            if spelling is None:
                spelling = child.spellings[name] = _Spelling(path, depth)
            spelling.is_in_base |= is_in_base
            spelling.is_in_result |= is_in_result
            node = child

    def findings(self) -> Iterator[Finding]:
        """New names that are twins, and folders with a change in them that are repositories.

        Below a twin or a repository nothing more is said: it would be the same again.
        """
        waiting = [self._top]
        while waiting:
            node = waiting.pop()
            found = list(node.findings())
            yield from found
            if not found:
                waiting += reversed(node.children.values())
