"""What stands in whole trees, by path: asked of git once a tree, and carried along where changes lead to the next.

Judging a change needs the tree around it; the tree that a change leads to is mostly the one that the next begins with.
"""

from collections.abc import Mapping, Sequence

from engine.git.changes import Change
from engine.git.program import Git
from engine.git.recent import Recent

Modes = Mapping[bytes, str]
"""The mode of every path."""

_known: Recent[str, Modes] = Recent(4)


def modes_of(git: Git, tree: str) -> Modes:
    """Every path of a tree."""
    if (known := _known.find(tree)) is not None:
        return known
    found = {}
    for line in git.sealed().tell("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0"):
        if line:
            facts, _, path = line.partition(b"\t")
            found[path] = facts[:6].decode()
    return _known.keep(tree, found)


def modes_after(git: Git, base_tree: str, new_tree: str, changes: Sequence[Change]) -> Modes:
    """Every path of the tree that changes lead to."""
    modes = dict(modes_of(git, base_tree))
    for change in changes:
        if change.status == "R" and change.old_path is not None:
            modes.pop(change.old_path, None)
        if change.status == "D":
            modes.pop(change.path, None)
    for change in changes:
        if change.status != "D":
            modes[change.path] = change.new_mode
    return _known.keep(new_tree, modes)
