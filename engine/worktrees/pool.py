"""The pool of working trees that steps run in: claimed by a lock, reset instead of re-made, shared by all runs.

A claim is an operating-system lock on `pool/NAME.lock`; the kernel frees it with its holder and the gits it started,
so nothing is ever in use by nobody. Who comes next removes what a killed one left half made.
"""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from engine.errors import MinipipeError, StoreError, WorktreeUnavailable
from engine.git.program import Git
from engine.worktrees import admin, locks
from engine.worktrees.mending import mend
from engine.worktrees.places import Slot, home_at
from engine.worktrees.record import read_record
from engine.worktrees.rescue import dead_user_of, rescue
from engine.worktrees.worktree import Making, Worktree

Claimed = tuple[Slot, int]


class WorktreePool:
    """The worktrees of one repository, for one run. Opening it mends what a killed process left."""

    def __init__(
        self,
        repository_git_folder: Path,
        home: Path,
        *,
        cap: int = 0,
        sparse: Sequence[str] = (),
        held: tuple[int, ...] = (),
    ) -> None:
        self.home = home_at(home, repository_git_folder)
        self.cap = cap
        self._making = Making(tuple(sparse), held)
        self.home.prepare()
        mend(self.home)

    def room(self) -> int | None:
        """How many more worktrees may be claimed now, by anybody; None where there is no cap."""
        if not self.cap:
            return None
        with locks.held(self.home.pool_lock):
            return max(0, self.cap - self._live())

    def claim(self, commit: str, *, run_id: str, step_id: str, keep_ignored: bool = False) -> Worktree:
        """A worktree that holds exactly the commit; WorktreeUnavailable if there can be none."""
        try:
            commit = self._commit_id(commit)
            return self._claimed(commit, run_id, step_id, keep_ignored)
        except (WorktreeUnavailable, StoreError):
            raise
        except (MinipipeError, OSError) as error:
            raise WorktreeUnavailable(str(error), retryable=getattr(error, "retryable", False)) from error

    def rescue(self, run_id: str, *, only: Collection[str] | None = None) -> dict[str, str]:
        """Keep what a dead owner's steps had changed; the caller has taken its run over, and ended its processes."""
        return rescue(self.home, run_id, only=only)

    def _claimed(self, commit: str, run_id: str, step_id: str, keep_ignored: bool) -> Worktree:
        trouble: WorktreeUnavailable | None = None
        for is_fresh in (False, True):
            slot, lock = self._take(run_id, step_id, is_fresh=is_fresh)
            worktree = Worktree(slot, lock, self._making, run_id=run_id, step_id=step_id)
            try:
                worktree.reset(commit, keep_ignored=keep_ignored)
            except BaseException as error:
                worktree.release()
                if not isinstance(error, WorktreeUnavailable):
                    raise
                trouble = trouble or error
            else:
                return worktree
        assert trouble is not None
        raise trouble

    def _take(self, run_id: str, step_id: str, *, is_fresh: bool) -> Claimed:
        """Lock the slot to use: the warmest free one, or one that never was."""
        with locks.held(self.home.pool_lock):
            if self.cap and self._live() >= self.cap:
                raise WorktreeUnavailable(f"all {self.cap} that may be used at once are in use", retryable=True)
            slots = self.home.slots()
            warmest = [] if is_fresh else sorted(slots, key=lambda slot: _warmth(slot, run_id), reverse=True)
            for slot in (*warmest, _unused(slots, self)):
                lock = locks.open_lock(slot.lock)
                if locks.try_lock(lock) and dead_user_of(slot) is None:
                    locks.write_holder(lock, run_id, step_id)
                    return slot, lock
                os.close(lock)
        raise WorktreeUnavailable(f"{slot.lock} is locked by somebody who does not use it")

    def _live(self) -> int:
        return sum(locks.is_held(slot.lock) for slot in self.home.slots())

    def _commit_id(self, commit: str) -> str:
        if admin.is_commit_id(commit):
            return commit
        git = Git(self.home.common_git_folder)
        done = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
        if done.exit_code != 0:
            raise WorktreeUnavailable(f"there is no commit {commit!r}")
        return os.fsdecode(done.output).strip()


def _warmth(slot: Slot, run_id: str) -> tuple[bool, bool, str]:
    record = read_record(slot.record)
    return (False, False, "") if record is None else (True, record.run_id == run_id, record.used_at)


def _unused(slots: Sequence[Slot], pool: WorktreePool) -> Slot:
    numbers = {slot.number for slot in slots}
    return Slot(pool.home, next(number for number in range(1, len(numbers) + 2) if number not in numbers))
