"""Files that a step promised and that git ignores: kept with the run, and placed where later steps work.

What git does not ignore is part of the step's patch and needs no other way. They are counted before anything is copied,
and kept all or none.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.errors import GitFailed
from engine.executor.copying import Item, copy_item, items_below, pieces_of
from engine.git.program import Git
from engine.patches.leaks import SecretSearch
from engine.worktrees.removal import remove

LIMIT_BYTES = 256 * 1024 * 1024
"""What all kept files of one step may come to."""

_FRESH = ".fresh"
"""Where they are copied to before they are all there; no step has such a name."""


class Artifacts:
    """The kept files of one run, a folder a step; for steps that were carried over, those of earlier runs.

    None of them holds one of the run's secrets.
    """

    def __init__(self, folder: Path, *earlier: Path, secrets: Iterable[str] = ()) -> None:
        self._folder = folder
        self._earlier = earlier
        self._secrets = SecretSearch(secrets)

    def keep(self, step_id: str, worktree: Git, outputs: Iterable[str]) -> None:
        """Copy what git ignores among a step's outputs; ValueError where that is too much, no plain file, or secret."""
        root = worktree.work_tree
        assert root is not None
        remove(self._folder / step_id)
        items = self._counted(root, list(_ignored_among(worktree.sealed(), outputs)))
        if not items:
            return
        fresh = self._folder / _FRESH
        remove(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        try:
            for item in items:
                copy_item(item, root, fresh, item.path)
            fresh.rename(self._folder / step_id)
        except BaseException:
            remove(fresh)
            raise

    def _counted(self, root: Path, names: Iterable[str]) -> list[Item]:
        budget, found = LIMIT_BYTES, []
        for name in names:
            for item in items_below(root, Path(name)):
                budget -= item.size if item.is_file else 0
                if budget < 0:
                    raise ValueError(f"the outputs that git ignores are larger than {LIMIT_BYTES // 1024**2} MiB")
                found.append(item)
        if self._secrets and any(self._is_secret(root, item) for item in found):
            raise ValueError("an output that git ignores holds a value that is secret in this run")
        return found

    def _is_secret(self, root: Path, item: Item) -> bool:
        is_in_name = self._secrets.is_in(os.fsencode(item.path))
        return is_in_name or (item.is_file and self._secrets.is_in_pieces(pieces_of(root, item.path)))

    def place(self, step_ids: Iterable[str], root: Path) -> None:
        """Put the kept files of these steps where another one is about to work."""
        for step_id in step_ids:
            folders = (each / step_id for each in (self._folder, *self._earlier))
            if (folder := next((each for each in folders if each.is_dir()), None)) is not None:
                _copy_all(folder, root, Path())


def _ignored_among(worktree: Git, outputs: Iterable[str]) -> Iterator[str]:
    """What git ignores: an output itself, or single files in a folder that git knows otherwise."""
    for output in outputs:
        done = worktree.ask("check-ignore", "--quiet", "--no-index", "--", output)
        if done.exit_code not in (0, 1):
            raise GitFailed("check-ignore", done.errors.decode(errors="replace").strip())
        if done.exit_code == 0:
            yield output
            continue
        words = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", output)
        for name in worktree.tell("--literal-pathspecs", *words).split(b"\0"):
            if name and not name.endswith(b"/"):
                yield os.fsdecode(name)


def copy_ignored(names: Iterable[str], source: Path, root: Path) -> list[str]:
    """Copy files that a plan names from the repository's own folder; answer those that are not there."""
    missing = []
    for name in names:
        if os.path.lexists(source / name):
            _copy_all(source / name, root, Path(name))
        else:
            missing.append(name)
    return missing


def _copy_all(origin: Path, root: Path, target: Path) -> None:
    """Copy something and all that is in it: files, links as links, and folders, also the empty ones."""
    for item in items_below(origin.parent, Path(origin.name)):
        copy_item(item, origin.parent, root, target / item.path.relative_to(origin.name))
