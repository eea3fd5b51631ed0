"""One pooled working tree: made, reset to a commit, looked at, given back.

The engine's own index, outside the tree, is the truth about what is in it: what a step did to its index, its ignore
files or its file times counts for nothing. A tree that cannot be trusted is destroyed and made anew.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import clock
from engine.errors import GitFailed, MinipipeError, StoreError, WorktreeUnavailable
from engine.git.program import Git
from engine.worktrees import admin, locks
from engine.worktrees.places import REASON, Slot
from engine.worktrees.record import Record, distrust, read_record, record_of, write_record
from engine.worktrees.removal import remove
from engine.worktrees.sweep import parse_listing, sweep

SETTINGS = {
    "core.ignoreCase": "false",
    "core.precomposeUnicode": "false",
    "core.sparseCheckout": "false",
    "core.sparseCheckoutCone": "false",
    "sparse.expectFilesOutsideOfPatterns": "true",
    "worktree.useRelativePaths": "false",
    "core.logAllRefUpdates": "false",
    "checkout.workers": "1",
}
"""What else holds in our calls: the user's own sparse checkout is not ours."""


@dataclass(frozen=True, slots=True)
class Making:
    """How the trees of one pool are made."""

    sparse: tuple[str, ...] = ()
    held: tuple[int, ...] = ()

    @property
    def patterns(self) -> str:
        return "".join(f"{pattern}\n" for pattern in self.sparse)

    def settings(self) -> dict[str, str]:
        return {**SETTINGS, "core.sparseCheckout": "true"} if self.sparse else SETTINGS


class Worktree:
    """A working tree that this process has claimed, until `release` or the end of the process."""

    def __init__(self, slot: Slot, lock: int, making: Making, *, run_id: str, step_id: str) -> None:
        self.run_id = run_id
        self.step_id = step_id
        self.path = slot.path
        self.git_folder = slot.git_folder
        self.common_git_folder = slot.home.common_git_folder
        self.index_path = slot.index
        self.commit = ""
        self._slot = slot
        self._lock: int | None = lock
        self._making = making

    def git(self) -> Git:
        """git in this tree, on the engine's index."""
        if self._lock is None:
            raise WorktreeUnavailable(f"{self.path} was given back")
        return Git(
            self.git_folder,
            self.path,
            self.index_path,
            held=(*self._making.held, self._lock),
            settings=self._making.settings(),
        )

    def check(self) -> str:
        """Why what is in the tree can no longer be trusted to be its step's; empty if it can."""
        return distrust(read_record(self._slot.record), self.path, self.git_folder)

    def copy_index(self, target: Path) -> None:
        """Copy the engine's index, for a capture: with its times, by which git finds what has changed."""
        admin.copy_index(self.index_path, target)

    def hand_over(self, step_id: str) -> None:
        """Another step of the same run uses it from here on."""
        assert self._lock is not None
        self.step_id = step_id
        locks.write_holder(self._lock, self.run_id, step_id)

    def reset(self, commit: str, *, keep_ignored: bool = False) -> None:
        """Make the tree exactly the commit's, whatever was done to it; WorktreeUnavailable if that cannot be."""
        try:
            if not self._reset_if_sound(commit, keep_ignored=keep_ignored):
                self._make(commit)
        except StoreError:
            raise
        except (MinipipeError, OSError) as error:
            # Nobody may come back to it for long: what a killed git has left goes now.
            remove(_lock_of(self.index_path))
            raise _unavailable(error) from error
        self.commit = commit

    def leave_branches(self) -> None:
        """No branch of the user's stays checked out here, nor half rebased: git would refuse it everywhere else."""
        try:
            if admin.holds_branches(self.git_folder):
                admin.let_go_of_branches(self.git_folder)
                Git(self.git_folder).tell("update-ref", "--no-deref", "HEAD", self.commit)
        except (MinipipeError, OSError):
            # The next reset finds it out, and makes the tree anew.
            return

    def release(self) -> None:
        """Give it back to the pool, as it is."""
        if self._lock is not None:
            self.leave_branches()
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Worktree":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _reset_if_sound(self, commit: str, *, keep_ignored: bool) -> bool:
        record = read_record(self._slot.record)
        if record is None or distrust(record, self.path, self.git_folder) or record.sparse != self._making.sparse:
            return False
        if not self.index_path.is_file() or admin.unexpected_names(self.git_folder):
            return False
        try:
            self._restore(commit, keep_ignored=keep_ignored)
        except (GitFailed, OSError):
            # It may be the commit's fault, or the tree's: to make it anew tells.
            return False
        write_record(self._slot.record, record.used(commit, self.run_id, self.step_id, clock.utc_now()))
        return True

    def _restore(self, commit: str, *, keep_ignored: bool) -> None:
        git = self.git()
        admin.tidy(self.git_folder, self._making.patterns)
        remove(_lock_of(self.index_path))
        if self.index_path.exists():
            wanted = parse_listing(git.sealed().tell("ls-files", "-t", "--stage", "-z"))
            sweep(self.path, wanted, keep_ignored=keep_ignored)
        git.sealed().tell("read-tree", "--reset", "-u", commit)
        if keep_ignored:
            git.tell("clean", "-ffd", "--quiet")
        if admin.head_commit(self.git_folder) != commit:
            git.tell("update-ref", "--no-deref", "HEAD", commit)
        admin.place_index(self.index_path, self.git_folder)

    def _make(self, commit: str) -> None:
        self._refuse_unknown(commit)
        with locks.held(self._slot.home.admin_lock) as admin_lock:
            destroy(self._slot)
            add_worktree(self._slot, commit, held=(*self.git().held, admin_lock))
        self._restore(commit, keep_ignored=False)
        write_record(self._slot.record, self._described(commit))

    def _refuse_unknown(self, commit: str) -> None:
        """No tree is destroyed for a commit that there is not."""
        git = Git(self.common_git_folder)
        if git.ask("cat-file", "-e", f"{commit}^{{commit}}").exit_code != 0:
            raise WorktreeUnavailable(f"there is no commit {commit}")

    def _described(self, commit: str) -> Record:
        return record_of(
            self.path,
            self.git_folder,
            sparse=self._making.sparse,
            commit=commit,
            run_id=self.run_id,
            step_id=self.step_id,
            used_at=clock.utc_now(),
        )


def add_worktree(slot: Slot, commit: str, *, held: Sequence[int]) -> None:
    """Let git make an empty worktree. The caller holds the admin lock."""
    git = Git(slot.home.common_git_folder, held=tuple(held), settings=SETTINGS)
    words = ("worktree", "add", "--detach", "--no-checkout", "--lock", "--reason", REASON, "--", slot.path, commit)
    git.tell(*words)
    made = (admin.read_small(slot.path / ".git") or "").rstrip("\n")
    if made != f"gitdir: {slot.git_folder}":
        raise GitFailed("worktree add", f"it made {made!r} instead of {slot.git_folder}")
    # The user's own settings for single worktrees are copied by git; a step's tree has none.
    for name in ("config.worktree", "info"):
        remove(slot.git_folder / name)


def destroy(slot: Slot) -> None:
    """Remove everything of a worktree but its lock file. The caller holds its lock, and the admin lock."""
    remove(slot.record)
    for folder in {slot.git_folder, *admin.folders_pointing_at(slot.home.admin_folders, slot.path)}:
        admin.remove_folder(folder)
    for path in (slot.index, _lock_of(slot.index), slot.path):
        remove(path)


def _lock_of(index: Path) -> Path:
    return index.with_name(index.name + ".lock")


def _unavailable(error: MinipipeError | OSError) -> WorktreeUnavailable:
    if isinstance(error, WorktreeUnavailable):
        return error
    if isinstance(error, MinipipeError):
        return WorktreeUnavailable(error.message, retryable=getattr(error, "retryable", False))
    return WorktreeUnavailable(f"{error.filename}: {error.strerror}" if error.filename else str(error))
