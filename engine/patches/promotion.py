"""Moving a branch to a commit that stands on it: what the commit is, whether the branch may move, and the move itself.

Pure git. A branch that no working tree has is moved by compare-and-swap; one that is checked out, by git's own
fast-forward in its tree, and only if that tree is fit. Before anything is touched there is an `Intent`, which the
caller makes durable; from it `finish` brings whatever a kill has left to one of two ends: moved, or untouched.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Self

from engine.errors import GitFailed, ToolError
from engine.git.changes import shown_path
from engine.git.merging import merge
from engine.git.objects import is_ancestor, tree_of, write_commit
from engine.git.program import Git
from engine.git.refs import branch_ref, move_ref, read_ref
from engine.patches.application import Signature, strayed_paths
from engine.patches.checkout import (
    Checkout,
    Refusal,
    delta_between,
    find_checkouts,
    is_git_at_work_in,
    locks_of,
    refusal_by_locks,
    refusal_by_tree,
    tree_without_branch,
    users_git,
)
from engine.patches.description import Description, describe
from engine.patches.half_moved import HalfMoved

_INSTANT_SECONDS = 0.2
"""Longer than a git that is not ours and not asked anything holds a lock."""

# -- what the branch is to become ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """A commit that a branch can be moved to. `merged` describes it where it is more than a fast-forward."""

    old: str
    commit: str
    merged: Description | None = None


def propose(
    git: Git, *, old: str, base: str, head: str, message: str, signature: Signature
) -> Proposal | Refusal | None:
    """What a branch at `old` becomes when it takes in what led from `base` to `head`; None if it has that already."""
    if is_ancestor(git, head, old):
        return None
    if not is_ancestor(git, base, old):
        return Refusal(
            "it was rewritten since the run began: what the run builds on is no longer in it", is_for_git=True
        )
    if is_ancestor(git, old, head):
        return Proposal(old, head)
    merged = merge(git, old, head)
    if not merged.is_clean:
        paths = ", ".join(shown_path(path) for path in merged.conflicts[:20])
        return Refusal(f"it has moved, and the changes conflict in {paths}", is_for_git=True)
    if merged.tree == tree_of(git, old):
        return None
    commit = write_commit(
        git, merged.tree, [old, head], message, identity=signature.identity, signing=signature.signing
    )
    description = describe(git, old, commit)
    if strayed := strayed_paths(description, _paths(describe(git, base, head))):
        where = ", ".join(strayed[:10])
        return Refusal(f"merged with what is new on it, the changes would reach {where}", is_for_git=True)
    return Proposal(old, commit, description)


def _paths(description: Description) -> frozenset[str]:
    return frozenset(
        shown_path(path) for change in description.changes for path in (change.path, change.old_path) if path
    )


# -- moving it -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Intent:
    """A move that is about to be made: enough to finish it after a kill. None of its lock files existed before it."""

    ref: str
    old: str
    new: str
    why: str
    root: str | None = None
    """The one working tree that goes with the branch; None where no tree has it."""
    git_folder: str | None = None

    @property
    def checkout(self) -> Checkout | None:
        if self.root is None or self.git_folder is None:
            return None
        return Checkout(Path(self.root), Path(self.git_folder))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**{name: kept[name] for name in cls.__dataclass_fields__})


class Outcome(Enum):
    MOVED = "moved"
    UNTOUCHED = "untouched"
    """Nothing has happened: the branch is not, or no longer, where it was believed to be."""


def intend(git: Git, ref: str, old: str, new: str, *, why: str) -> Intent | Refusal:
    """Look whether a branch may move; nothing is touched."""
    try:
        return _intend(git, ref, old, new, why)
    except (GitFailed, OSError) as error:
        return Refusal(str(error), "see to that")


def _intend(git: Git, ref: str, old: str, new: str, why: str) -> Intent | Refusal:
    if git.ask("symbolic-ref", "--quiet", ref).exit_code == 0:
        return Refusal("it only stands for another branch", is_for_git=True)
    found = find_checkouts(git, ref)
    if busy := [each for each in found if each.doing]:
        return Refusal(f"it is being {busy[0].doing} in {busy[0].root}", "finish or abort that")
    if len(found) > 1:
        return Refusal(f"it is checked out in {' and '.join(str(each.root) for each in found)}", "leave all but one")
    checkout = found[0] if found else None
    if checkout is not None and not checkout.is_placed:
        return Refusal("git does not record where the files of its working tree are", is_for_git=True)
    if checkout is not None and (refusal := refusal_by_tree(git, checkout, old, new)):
        return refusal
    if refusal := refusal_by_locks(locks_of(git, checkout, ref)):
        return refusal
    if checkout is None:
        if (astray := tree_without_branch(git)) and ref.startswith(branch_ref("")):
            # It may well have been on this branch before somebody wrote into its HEAD.
            why_not = f"HEAD of {astray} names a branch that does not exist"
            return Refusal(why_not, f"git -C {astray} symbolic-ref HEAD refs/heads/BRANCH")
        return Intent(ref, old, new, why)
    return Intent(ref, old, new, why, str(checkout.root), str(checkout.git_folder))


def carry_out(git: Git, intent: Intent) -> Outcome | Refusal:
    """Move a branch as intended, which is on record by now."""
    checkout = intent.checkout
    try:
        if checkout is None:
            return _swap(git, intent)
        tree = users_git(git, checkout)
        if not _is_on(tree, intent):
            return Outcome.UNTOUCHED
        said = _fast_forward(tree, intent)
    except ToolError:
        # A git that was killed has answered nothing: what it has done is seen from the repository.
        return finish(git, intent)
    outcome = _judge(git, intent)
    if outcome is Outcome.UNTOUCHED and said and _is_on(tree, intent):
        return Refusal(f"git says: {said}", "see to that")
    return outcome


def _swap(git: Git, intent: Intent) -> Outcome:
    if find_checkouts(git, intent.ref):
        return Outcome.UNTOUCHED
    if not move_ref(git, intent.ref, intent.new, intent.old, why=intent.why):
        return Outcome.UNTOUCHED
    if any(_looks_reverted(git, late) for late in find_checkouts(git, intent.ref)):
        # Somebody checked it out in this very moment, as it was: their tree must not seem to undo the change.
        is_back = move_ref(git, intent.ref, intent.old, intent.new, why=f"{intent.why}: taken back")
        return Outcome.UNTOUCHED if is_back else Outcome.MOVED
    return Outcome.MOVED


def _looks_reverted(git: Git, checkout: Checkout) -> bool:
    tree = users_git(git, checkout)
    return checkout.root.is_dir() and tree.ask("diff-index", "--cached", "--quiet", "HEAD", "--").exit_code == 1


def _is_on(tree: Git, intent: Intent) -> bool:
    """Whether a tree is on the branch, and the branch where it is believed to be."""
    return _head_ref(tree) == intent.ref and read_ref(tree, "HEAD") == intent.old


def _head_ref(tree: Git) -> str:
    return os.fsdecode(tree.ask("symbolic-ref", "--quiet", "HEAD").output).rstrip("\n")


def _fast_forward(tree: Git, intent: Intent) -> str:
    """Let git take branch, index and files along together; what it said if it did not."""
    branch = intent.ref.removeprefix(branch_ref(""))
    # What the user has set for merges into this branch (`--squash`, `--no-ff`) is not meant for this.
    settings = {**tree.durable().settings, f"branch.{branch}.mergeOptions": "", "merge.ff": "only"}
    own = Git(tree.git_folder, tree.work_tree, None, tree.held, settings)
    done = own.ask("merge", "--ff-only", "--no-overwrite-ignore", "--no-autostash", "--no-stat", "--quiet", intent.new)
    if done.exit_code == 0:
        return ""
    said = " ".join(done.errors.decode(errors="replace").split())
    return said.removeprefix("error: ") or f"exit code {done.exit_code}"


# -- after a kill ----------------------------------------------------------------------------------------


def finish(git: Git, intent: Intent) -> Outcome | Refusal:
    """Say what has become of an intended move, and bring it to an end if it stands in the middle.

    Only with the promotion lock in hand, which a git that the dead have left behind holds as well.
    """
    _remove_locks(locks_of(git, intent.checkout, intent.ref), intent.checkout)
    return _judge(git, intent)


def _remove_locks(locks: Sequence[Path], checkout: Checkout | None) -> None:
    """Remove what a killed git has left: none of it was there before the move, and no git is left that holds it."""
    if refusal_by_locks(locks, patience_seconds=_INSTANT_SECONDS) is None:
        return
    if checkout is not None and is_git_at_work_in(checkout.root) and refusal_by_locks(locks):
        raise GitFailed("merge", f"another git is at work in {checkout.root}", retryable=True)
    for lock in locks:
        lock.unlink(missing_ok=True)


def _judge(git: Git, intent: Intent) -> Outcome | Refusal:
    found = read_ref(git, intent.ref)
    if found is not None and is_ancestor(git, intent.new, found):
        return Outcome.MOVED
    checkout = intent.checkout
    if checkout is None or found != intent.old or not checkout.root.is_dir():
        return Outcome.UNTOUCHED
    tree = users_git(git, checkout)
    if _head_ref(tree) != intent.ref:
        return Outcome.UNTOUCHED
    half = HalfMoved(tree, checkout, delta_between(git, intent.old, intent.new), intent.old, intent.new)
    if half.is_untouched:
        return Outcome.UNTOUCHED
    if refusal := half.refusal():
        return refusal
    half.complete()
    done = tree.durable().ask("update-ref", "-m", intent.why, "HEAD", intent.new, intent.old)
    if done.exit_code != 0:
        raise GitFailed("update-ref", done.errors.decode(errors="replace").strip(), retryable=True)
    return Outcome.MOVED
