"""What worktrees and archives of ours there are for a repository, and pruning what is no longer of use.

Pruning answers what it removed and what it left, and why; a dry one answers the same and touches nothing. It never
removes what was not made here, what somebody holds, or a named worktree; of one whose folder is gone it keeps what no
ref holds.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from engine import clock
from engine.git.program import Git
from engine.git.refs import ARCHIVE, ORPHANS
from engine.worktrees import admin, locks
from engine.worktrees.locks import Holder
from engine.worktrees.mending import idle_slots, is_broken, lock_if_free, mend
from engine.worktrees.named import Named, admin_folders, all_named, forget, is_folder
from engine.worktrees.places import Home, Slot, home_at
from engine.worktrees.record import read_record
from engine.worktrees.rescue import dead_user_of, rescue
from engine.worktrees.worktree import SETTINGS, destroy

IN_USE, IDLE, ORPHANED, ARCHIVED = "in use", "idle", "orphaned", "archived"


@dataclass(frozen=True, slots=True)
class Found:
    """One worktree, or one archive, where there is no tree any more."""

    kind: str
    """pooled, named or archive"""
    name: str
    state: str
    path: Path | None = None
    holder: Holder | None = None
    """Who uses it, or died while they did; None also where its lock does not tell."""
    commit: str | None = None
    since: str = ""
    """When it was last used, made or archived."""
    size: int | None = None

    @property
    def age_seconds(self) -> float:
        return max(0.0, clock.seconds_between(self.since, clock.utc_now())) if self.since else 0.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a pruning did, or would do."""

    removed: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    """What was looked at and stays, and why."""
    in_use: list[Found] = field(default_factory=list)
    """What stays because somebody uses it."""


def list_pool(common_git_folder: Path, home: Path, *, is_measured: bool = False) -> list[Found]:
    """Every worktree and archive of a repository; their sizes on the disk only on demand: that takes a while."""
    place = home_at(home, common_git_folder)
    pooled = []
    if place.pool.is_dir():
        with locks.held(place.pool_lock):
            pooled = [found for slot in place.slots() if (found := _pooled(slot, is_measured=is_measured))]
    named = [_named(place, each, is_measured=is_measured) for each in all_named(place)]
    return [*pooled, *named, *_archives(place)]


def orphans(common_git_folder: Path, home: Path) -> list[Found]:
    """What lacks its other half: a folder that git does not know, or git's record of a folder that is gone."""
    return [found for found in list_pool(common_git_folder, home) if found.state == ORPHANED]


def prune(
    common_git_folder: Path,
    home: Path,
    *,
    keep_idle: int,
    archives_older_than_days: float | None = None,
    archives_keep: int | None = None,
    is_dry: bool = False,
) -> Pruned:
    """Remove orphans, idle pooled worktrees beyond the last used ones, and archives that are too old or too many.

    What a step of a dead owner has left in one is kept first; the caller has seen to it that the step has ended.
    """
    place = home_at(home, common_git_folder)
    pruned = Pruned()
    # Before anything is rescued: what is kept just now is not too many.
    archives = _old_archives(place, archives_older_than_days, archives_keep)
    if place.pool.is_dir():
        pruned.removed.extend(_halves(place) if is_dry else mend(place))
        if not is_dry:
            rescue(place)
        _prune_idle(place, keep_idle, pruned, is_dry=is_dry)
        pruned.in_use.extend(found for found in list_pool(common_git_folder, home) if found.state == IN_USE)
        for named in list(all_named(place)):
            if named.is_made:
                _prune_named(place, named, pruned, is_dry=is_dry)
    if archives and not is_dry:
        _delete_refs(place, archives)
    pruned.removed.extend(each.name for each in archives)
    return pruned


def tidy(common_git_folder: Path, home: Path, *, keep_idle: int, archives_older_than_days: float) -> None:
    """What a run does when it has ended: let go of what is beyond use, and of nothing that anybody may still want."""
    place = home_at(home, common_git_folder)
    idle = [slot for slot in idle_slots(place) if dead_user_of(slot) is None]
    for slot in idle[keep_idle:]:
        _is_destroyed(slot)
    if archives := _old_archives(place, archives_older_than_days, None):
        _delete_refs(place, archives)


def _halves(home: Home) -> list[str]:
    """What mending would remove: everything that is not whole and that nobody holds."""
    with locks.held(home.pool_lock):
        slots = [slot.name for slot in home.slots() if is_broken(slot) and not locks.is_held(slot.lock)]
    return [*slots, *(named.name for named in all_named(home) if not named.is_made)]


def _pooled(slot: Slot, *, is_measured: bool) -> Found | None:
    record = read_record(slot.record)
    is_held = locks.is_held(slot.lock)
    if not is_held and not any(os.path.lexists(path) for path in (slot.path, slot.git_folder)):
        return None
    dead = None if is_held else dead_user_of(slot)
    state = IN_USE if is_held else ORPHANED if dead or is_broken(slot) else IDLE
    return Found(
        "pooled",
        slot.name,
        state,
        slot.path,
        locks.read_holder(slot.lock) if is_held else dead,
        record.commit if record else None,
        record.used_at if record else _changed_at(slot.path),
        _size(slot.path) if is_measured else None,
    )


def _named(home: Home, named: Named, *, is_measured: bool) -> Found:
    path, folders = home.path / named.name, admin_folders(home, named.name)
    is_whole = named.is_made and is_folder(path) and len(folders) == 1
    return Found(
        "named",
        named.name,
        IDLE if is_whole else ORPHANED,
        path,
        commit=_commit_of(folders[0]) if folders else None,
        since=_changed_at(path),
        size=_size(path) if is_measured else None,
    )


def _commit_of(admin_folder: Path) -> str | None:
    done = Git(admin_folder, settings=SETTINGS).ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return os.fsdecode(done.output).strip() if done.exit_code == 0 else None


def _archives(home: Home) -> Iterator[Found]:
    form = "%(refname)%00%(objectname)%00%(committerdate:unix)"
    words = ("for-each-ref", "--sort=-committerdate", f"--format={form}", ARCHIVE, ORPHANS)
    told = Git(home.common_git_folder).tell(*words)
    for line in told.splitlines():
        ref, commit, seconds = os.fsdecode(line).split("\0")
        yield Found("archive", ref, ARCHIVED, commit=commit, since=_utc(float(seconds or 0)))


def _prune_idle(home: Home, keep_idle: int, pruned: Pruned, *, is_dry: bool) -> None:
    for place, slot in enumerate(list(idle_slots(home))):
        if place < keep_idle:
            pruned.left.append((slot.name, f"one of the {keep_idle} kept for the next steps"))
        elif is_dry or _is_destroyed(slot):
            pruned.removed.append(slot.name)


def _is_destroyed(slot: Slot) -> bool:
    """Destroy it, unless somebody has taken it meanwhile."""
    lock = lock_if_free(slot)
    if lock is None:
        return False
    try:
        with locks.held(slot.home.admin_lock):
            destroy(slot)
    finally:
        os.close(lock)
    return True


def _prune_named(home: Home, named: Named, pruned: Pruned, *, is_dry: bool) -> None:
    path = home.path / named.name
    with locks.held(home.admin_lock):
        folders = admin_folders(home, named.name)
        if is_folder(path):
            why = "a named worktree: WorktreeManager.cleanup_worktree removes it"
            if not folders:
                why = "git knows it no more, so nobody can tell what is in it and nowhere else: look, then remove it"
        else:
            why = "; ".join(filter(None, (_what_would_be_lost(home, folder) for folder in folders)))
        if why:
            pruned.left.append((named.name, why))
            return
        if not is_dry:
            forget(home, named.name)
        pruned.removed.append(named.name)


def _what_would_be_lost(home: Home, admin_folder: Path) -> str:
    """Why git's record of a folder that is gone must stay: a commit, or submodules, that only it holds."""
    if is_folder(admin_folder / "modules"):
        return "its folder is gone, but commits of its submodules may be only here"
    if (commit := admin.head_commit(admin_folder)) is None:
        return ""  # On a branch, which stays.
    git = Git(home.common_git_folder)
    done = git.ask("for-each-ref", "--count=1", f"--contains={commit}")
    return "" if done.exit_code == 0 and done.output else f"its folder is gone, but commit {commit} is in no branch"


def _old_archives(home: Home, older_than_days: float | None, keep: int | None) -> list[Found]:
    return [
        each
        for place, each in enumerate(_archives(home))
        if (keep is not None and place >= keep)
        or (older_than_days is not None and each.age_seconds > older_than_days * 86_400)
    ]


def _delete_refs(home: Home, archives: Sequence[Found]) -> None:
    wanted = "".join(f"delete {each.name} {each.commit}\n" for each in archives)
    Git(home.common_git_folder).tell("update-ref", "--stdin", stdin=os.fsencode(wanted))


def _changed_at(path: Path) -> str:
    try:
        return _utc(os.lstat(path).st_mtime)
    except OSError:
        return ""


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _size(path: Path) -> int:
    """Bytes on the disk. Never follows a link."""
    total = 0
    for place, folders, names in os.walk(path):
        for name in (*folders, *names):
            try:
                total += os.lstat(Path(place, name)).st_blocks * 512
            except OSError:
                continue
    return total
