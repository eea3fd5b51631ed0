"""Worktrees whose user died while a step worked in them: what the step has changed is kept before anybody takes them.

A slot is such a one if nobody holds its lock, its lock file still says who did, and that claim had been carried out.
Whoever takes over the run ends the step's processes and calls `rescue`; until then nobody else is given the worktree,
for those processes may still be at work in it.
"""

import os
from collections.abc import Collection

from engine.git.refs import orphan_ref
from engine.ids import PREFIXES
from engine.worktrees import locks
from engine.worktrees.archive import archive_changes
from engine.worktrees.locks import Holder
from engine.worktrees.mending import is_broken, lock_if_free
from engine.worktrees.places import Home, Slot
from engine.worktrees.record import read_record
from engine.worktrees.worktree import Making, Worktree


def dead_user_of(slot: Slot) -> Holder | None:
    """Who died while they used a slot that nobody holds now. Ask with the slot's lock in hand, or for a look only."""
    holder, record = locks.read_holder(slot.lock), read_record(slot.record)
    if holder is None or record is None or is_broken(slot):
        return None
    was_carried_out = (record.run_id, record.step_id) == (holder.run_id, holder.step_id)
    return holder if was_carried_out else None


def rescue(home: Home, run_id: str | None = None, *, only: Collection[str] | None = None) -> dict[str, str]:
    """Keep what dead users of a run (of any) left in their worktrees, and free those; the refs, by user.

    Of others than `only`, where that is given, nothing is kept: what they had changed is captured already, or they had
    not begun.
    """
    kept = {}
    for slot in home.slots():
        holder = locks.read_holder(slot.lock)
        if holder is None or run_id not in (None, holder.run_id):
            continue
        if (lock := lock_if_free(slot)) is None:
            continue
        try:
            user = dead_user_of(slot)
            is_wanted = user is not None and (only is None or user.step_id in only)
            if user is not None and is_wanted and (ref := _keep(slot, lock, user)) is not None:
                kept[user.step_id] = ref
            os.ftruncate(lock, 0)
        finally:
            os.close(lock)
    return kept


def _keep(slot: Slot, lock: int, user: Holder) -> str | None:
    if user.step_id.startswith(PREFIXES["gate"]):
        return None  # What a gate has written is thrown away.
    worktree = Worktree(slot, lock, Making(), run_id=user.run_id, step_id=user.step_id)
    record = read_record(slot.record)
    assert record is not None
    worktree.commit = record.commit
    try:
        return archive_changes(worktree, orphan_ref(user.step_id))
    finally:
        worktree.leave_branches()
