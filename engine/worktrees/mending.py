"""Removing what a killed process left half made of worktrees of ours, so that the repository is sound again.

Only what nobody holds: a slot whose lock is free, or a named worktree whose making was not finished though the admin
lock is free.
"""

import os
from collections.abc import Iterator

from engine.worktrees import locks
from engine.worktrees.named import all_named, drop_half_made
from engine.worktrees.places import Home, Slot
from engine.worktrees.record import distrust, read_record
from engine.worktrees.worktree import destroy


def mend(home: Home) -> list[str]:
    """Remove every worktree of a home that is not whole and not held; answer their names."""
    mended = []
    for slot in home.slots():
        if is_broken(slot) and (lock := lock_if_free(slot)) is not None:
            try:
                if is_broken(slot):
                    with locks.held(home.admin_lock):
                        destroy(slot)
                    mended.append(slot.name)
            finally:
                os.close(lock)
    if any(not named.is_made for named in all_named(home)):
        with locks.held(home.admin_lock):
            mended += drop_half_made(home)
    return mended


def is_broken(slot: Slot) -> bool:
    """Whether there is something in a slot, but not a whole worktree."""
    is_there = any(os.path.lexists(path) for path in (slot.git_folder, slot.path, slot.index))
    return is_there and distrust(read_record(slot.record), slot.path, slot.git_folder) != ""


def lock_if_free(slot: Slot) -> int | None:
    """The slot's lock, held; None if somebody has it."""
    with locks.held(slot.home.pool_lock):
        lock = locks.open_lock(slot.lock)
        if locks.try_lock(lock):
            return lock
        os.close(lock)
        return None


def idle_slots(home: Home) -> Iterator[Slot]:
    """Slots with a whole worktree that nobody holds at this moment, the last used first."""
    with locks.held(home.pool_lock):
        free = [slot for slot in home.slots() if not locks.is_held(slot.lock)]
    known = [(record.used_at, slot) for slot in free if (record := read_record(slot.record)) and not is_broken(slot)]
    for _, slot in sorted(known, key=lambda pair: pair[0], reverse=True):
        yield slot
