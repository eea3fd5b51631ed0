"""What a patch must not do to a tree, judged by the tree that results: links, embedded repositories, submodules, modes.

It sees changes as git tells them and the whole resulting tree, never the text of a patch, so that no trick in a header
can hide anything. Paths that `path_rules` calls too long are left out of what compares paths with each other; thereby
time and memory stay linear in the paths.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, islice

from engine.git.changes import EXECUTABLE, GITLINK, NO_MODE, REGULAR, SYMLINK, Change, shown_path
from engine.patches.finding import Finding
from engine.patches.path_rules import (
    folded_name,
    is_absolute,
    is_dot_git,
    is_dot_gitmodules,
    is_too_long,
    path_findings,
    touched_paths,
)
from engine.patches.path_survey import PathSurvey
from engine.patches.submodule_rules import gitmodules_reasons

_MODES = frozenset({REGULAR, EXECUTABLE, SYMLINK, GITLINK})
_MOST_REASONS = 5


def tree_findings(
    changes: Sequence[Change],
    *,
    read_link: Callable[[str], bytes],
    read_blob: Callable[[str], bytes],
    paths_after: Mapping[bytes, str],
    links_before: frozenset[bytes],
) -> Iterator[Finding]:
    """Every reason to refuse these changes; those of `path_rules` for each changed path included.

    `paths_after` maps every path of the whole resulting tree to its mode; `links_before` are the links of the base.
    """
    links_after = frozenset(path for path, mode in paths_after.items() if mode == SYMLINK)
    links = _Links(links_before, links_after)
    for change in changes:
        for path in touched_paths(change):
            yield from path_findings(path)
            yield from links.findings_on_the_way_to(path, paths_after)
        yield from _mode_findings(change)
        yield from _submodule_findings(change, read_blob)
        if change.new_mode == SYMLINK and change.status != "D":
            yield from links.target_findings(change.path, read_link(change.new_blob))
    yield from PathSurvey(changes, paths_after).findings()


class _Links:
    """The links of both trees, and what may not be done with them."""

    def __init__(self, before: frozenset[bytes], after: frozenset[bytes]) -> None:
        self._after = after
        self._by_folded = {_folded(link): link for link in before | after if not is_too_long(link)}

    def findings_on_the_way_to(self, path: bytes, paths_after: Mapping[bytes, str]) -> Iterator[Finding]:
        """A finding if one of the folders of a changed path is or was a link, however it is spelled."""
        link = None if is_too_long(path) else self._link_above(path)
        if link is None:
            return
        if link not in self._after:
            message = f"a folder takes the place of the link {shown_path(link)}"
        elif path not in paths_after:
            message = f"the link {shown_path(link)} takes the place of a folder"
        else:
            message = f"the path leads through the link {shown_path(link)}"
        yield Finding("link.through", path, message)

    def _link_above(self, path: bytes) -> bytes | None:
        if not self._by_folded:
            return None
        folders = accumulate(map(folded_name, path.split(b"/")[:-1]), "{}/{}".format)
        return next((self._by_folded[folder] for folder in folders if folder in self._by_folded), None)

    def target_findings(self, path: bytes, target: bytes) -> Iterator[Finding]:
        """What is wrong with where a link points."""
        if is_too_long(path):
            return
        shown = shown_path(target[:200])
        if not target or b"\0" in target or is_too_long(target):
            yield Finding("link.outside", path, "the target of the link is empty, too long or holds a NUL byte")
            return
        if is_absolute(target):
            yield Finding("link.absolute", path, f"the link points to an absolute path, {shown}")
        # On some systems backslashes separate names; the link has to stay inside either way.
        readings = [target.split(b"/"), target.replace(b"\\", b"/").split(b"/")]
        if any(is_dot_git(name) for reading in readings for name in reading):
            yield Finding("link.git", path, f"the link points into .git, {shown}")
        if any(self._leaves(path, reading) for reading in readings):
            yield Finding("link.outside", path, f"the link points out of the repository, {shown}")

    def _leaves(self, path: bytes, target: Sequence[bytes]) -> bool:
        """Whether a target climbs above the top, or out of another link: where that ends depends on the other link."""
        here = [folded_name(name) for name in path.split(b"/")[:-1]]
        is_behind_link = False
        for name in target:
            if name in (b"", b"."):
                continue
            if name != b"..":
                here.append(folded_name(name))
                is_behind_link = is_behind_link or "/".join(here) in self._by_folded
            elif is_behind_link or not here:
                return True
            else:
                here.pop()
        return False


def _folded(path: bytes) -> str:
    return "/".join(map(folded_name, path.split(b"/")))


def _mode_findings(change: Change) -> Iterator[Finding]:
    if change.new_mode not in _MODES and not (change.status == "D" and change.new_mode == NO_MODE):
        yield Finding("mode.strange", change.path, f"no file of a repository has the mode {change.new_mode}")


def _submodule_findings(change: Change, read_blob: Callable[[str], bytes]) -> Iterator[Finding]:
    if GITLINK in (change.old_mode, change.new_mode):
        yield Finding("submodule.changed", change.path, f"a submodule is {_done_to_submodule(change)}")
    for path in touched_paths(change):
        if is_dot_gitmodules(path):
            yield Finding("submodule.changed", path, "what the repository says about its submodules is changed")
    name = change.path.rpartition(b"/")[2]
    if change.status != "D" and is_dot_gitmodules(name):
        yield from _gitmodules_findings(change, name, read_blob)


def _done_to_submodule(change: Change) -> str:
    if change.old_mode != GITLINK:
        return "added"
    if change.new_mode != GITLINK:
        return "removed"
    return "moved" if change.status == "R" else "changed"


def _gitmodules_findings(change: Change, name: bytes, read_blob: Callable[[str], bytes]) -> Iterator[Finding]:
    if name != b".gitmodules":
        reasons = ["some file system takes it for .gitmodules"]
    elif change.new_mode not in (REGULAR, EXECUTABLE):
        reasons = [".gitmodules is not a file"]
    else:
        found = gitmodules_reasons(read_blob(change.new_blob))
        reasons = list(islice(found, _MOST_REASONS))
        reasons += [f"and {more} more"] if (more := sum(1 for _ in found)) else []
    if reasons:
        yield Finding("submodule.hostile", change.path, "; ".join(reasons))
