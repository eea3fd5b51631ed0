"""The working trees that steps run in: a pool of them that is reset instead of re-made, and named ones for users' code.

They stand outside the repository, so that a step which loses its `.git` file does not fall into the user's own tree.
What must stay true: nothing of the user's is touched (tree, index, branches, settings), nothing is removed that was
not made here, nothing is deleted through a link, and work that is kept nowhere else is never deleted unasked.
"""

from engine.worktrees.manager import WorktreeManager

__all__ = ["WorktreeManager"]
