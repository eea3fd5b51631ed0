"""Capture: what a step changed in its worktree, as one commit on the commit that it started from.

A copy of the engine's own index and git's own eyes decide, so it does not matter what the step did to its index, its
HEAD or its branches: new, changed, deleted, linked, executable and binary files are taken as they are, commits of the
step's own included, and what git ignores is not. The worktree and its index are only read.
"""

from collections.abc import Iterable
from pathlib import Path

from engine.git.index import add_everything, private_index, write_tree
from engine.git.objects import Identity, tree_of, write_commit
from engine.git.program import Git

LITTER = (
    "**/.aider*",
    "**/__pycache__/**",
    "**/.pytest_cache/**",
    "**/.ruff_cache/**",
    "**/.mypy_cache/**",
)
"""What tools leave lying about, also where a repository forgot to ignore it; never part of a change."""


def capture_tree(worktree: Git, index: Path, *, litter: Iterable[str] = LITTER) -> str:
    """The tree that stands in a worktree now. `index` is the engine's, as of the last reset."""
    with private_index(worktree, like=index) as own:
        add_everything(own, except_for=litter)
        return write_tree(own)


def commit_of_tree(git: Git, base: str, tree: str, message: str, identity: Identity) -> str | None:
    """The change from a commit to a tree, as a commit; None where nothing has changed."""
    if tree == tree_of(git, base):
        return None
    return write_commit(git, tree, [base], message, identity=identity)
