"""Named worktrees, `{run}_{step}` beside the pool: what is written down of each, and what it is known by.

The record is written before git is asked, and goes last: so whatever a killed process left has a record, and what has
none was not made here.
"""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from engine.worktrees import admin
from engine.worktrees.places import Home
from engine.worktrees.removal import remove


@dataclass(frozen=True, slots=True)
class Named:
    """A worktree that was made for users' code, on a branch."""

    run_id: str
    step_id: str
    branch: str
    is_made: bool = False
    """False from before git was asked until it had done all."""

    @property
    def name(self) -> str:
        return f"{self.run_id}_{self.step_id}"


def record_path(home: Home, name: str) -> Path:
    return home.path / f"{name}.json"


def write_named(home: Home, named: Named) -> None:
    path = record_path(home, named.name)
    made = path.with_name(path.name + ".new")
    made.write_text(json.dumps(asdict(named)))
    made.replace(path)


def read_named(home: Home, name: str) -> Named | None:
    try:
        named = Named(**json.loads(record_path(home, name).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return named if named.name == name else None


def all_named(home: Home) -> Iterator[Named]:
    for path in sorted(home.path.glob("*_*.json")):
        if named := read_named(home, path.stem):
            yield named


def admin_folders(home: Home, name: str) -> list[Path]:
    """git's folders of it: one, if all is well."""
    return admin.folders_pointing_at(home.admin_folders, home.path / name)


def is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def forget(home: Home, name: str) -> None:
    """Remove a named worktree: tree, git's folder, record. The caller holds the admin lock, and has kept the work."""
    if named := read_named(home, name):
        # Whoever finds it so finishes this, should we be killed in the middle.
        write_named(home, replace(named, is_made=False))
    for folder in admin_folders(home, name):
        admin.remove_folder(folder)
    remove(home.path / name)
    remove(record_path(home, name))


def drop_half_made(home: Home) -> list[str]:
    """Remove what a killed process left of making one; nothing can have been worked on in it. Under the admin lock."""
    dropped = []
    for named in list(all_named(home)):
        if not named.is_made:
            for folder in _half_made_folders(home, named.name):
                admin.remove_folder(folder)
            forget(home, named.name)
            dropped.append(named.name)
    return dropped


def _half_made_folders(home: Home, name: str) -> Iterator[Path]:
    """git's folders that were to be of this worktree, and do not say yet of which they are."""
    with suppress(OSError):
        for folder in sorted(home.admin_folders.iterdir()):
            is_ours = folder.name.startswith(name) and (folder.name[len(name) :] or "0").isdigit()
            if is_ours and not (admin.read_small(folder / "gitdir") or "").strip():
                yield folder
