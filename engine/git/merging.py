"""Merging in the object database: two commits in, a tree or the names of what conflicts out.

No working tree and no settings are near, so no attribute and no merge driver has a say.
"""

from dataclasses import dataclass

from engine.errors import GitFailed
from engine.git.program import RENAME_LIMIT, Git


@dataclass(frozen=True, slots=True)
class Merge:
    """What came of a merge. `conflicts` is empty where it is clean."""

    tree: str
    conflicts: tuple[bytes, ...] = ()
    messages: str = ""

    @property
    def is_clean(self) -> bool:
        return not self.conflicts


def merge(git: Git, ours: str, theirs: str) -> Merge:
    """Merge one commit into another, without touching anything."""
    settings = {**git.durable().settings, "merge.renameLimit": str(RENAME_LIMIT), "diff.renameLimit": str(RENAME_LIMIT)}
    outside = Git(git.git_folder, None, None, git.held, settings).sealed()
    done = outside.ask("merge-tree", "--write-tree", "-z", "--name-only", "--messages", ours, theirs)
    tree, _, rest = done.output.partition(b"\0")
    # Exit code 1 is also what a bad revision gives: only a tree shows that there was a merge at all.
    if done.exit_code not in (0, 1) or not _is_object_id(tree):
        raise GitFailed("merge-tree", done.errors.decode(errors="replace").strip() or f"exit code {done.exit_code}")
    if done.exit_code == 0:
        return Merge(tree.decode())
    names, _, messages = rest.partition(b"\0\0")
    paths = tuple(dict.fromkeys(name for name in names.split(b"\0") if name))
    return Merge(tree.decode(), paths, messages.decode(errors="replace"))


def _is_object_id(text: bytes) -> bool:
    return len(text) in (40, 64) and all(byte in b"0123456789abcdef" for byte in text)
