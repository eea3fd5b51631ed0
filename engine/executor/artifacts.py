"""Files that a step promised and that git ignores: kept with the run, and placed where later steps work.

What git does not ignore is part of the step's patch and needs no other way. They are counted before anything is copied,
and kept all or none.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from engine.errors import GitFailed
from engine.executor.copying import copy_plain, pieces_of, plain_files
from engine.git.program import Git
from engine.patches.leaks import SecretSearch
from engine.worktrees.removal import remove

LIMIT_BYTES = 256 * 1024 * 1024
"""What all kept files of one step may come to."""

_FRESH = ".fresh"
"""Where they are copied to before they are all there; no step has such a name."""


class Artifacts:
    """The kept files of one run, a folder a step. None of them holds one of its secrets."""

    def __init__(self, folder: Path, secrets: Iterable[str] = ()) -> None:
        self._folder = folder
        self._secrets = SecretSearch(secrets)

    def keep(self, step_id: str, worktree: Git, outputs: Iterable[str]) -> None:
        """Copy what git ignores among a step's outputs; ValueError where that is too much, no plain file, or secret."""
        root = worktree.work_tree
        assert root is not None
        remove(self._folder / step_id)
        files = self._counted(root, [output for output in outputs if _is_ignored(worktree, output)])
        if not files:
            return
        fresh = self._folder / _FRESH
        remove(fresh)
        fresh.mkdir(mode=0o700, parents=True)
        try:
            for path in files:
                copy_plain(root, path, fresh, path)
            fresh.rename(self._folder / step_id)
        except BaseException:
            remove(fresh)
            raise

    def _counted(self, root: Path, outputs: Iterable[str]) -> list[Path]:
        budget, found = LIMIT_BYTES, []
        for output in outputs:
            for path, size in plain_files(root, Path(output)):
                budget -= size
                if budget < 0:
                    raise ValueError(f"the outputs that git ignores are larger than {LIMIT_BYTES // 1024**2} MiB")
                found.append(path)
        for path in found:
            if self._secrets and (
                self._secrets.is_in(os.fsencode(path)) or self._secrets.is_in_pieces(pieces_of(root, path))
            ):
                raise ValueError("an output that git ignores holds a value that is secret in this run")
        return found

    def place(self, step_ids: Iterable[str], root: Path) -> None:
        """Put the kept files of these steps where another one is about to work."""
        for step_id in step_ids:
            if (self._folder / step_id).is_dir():
                _copy_all(self._folder, Path(step_id), root, Path())


def copy_ignored(names: Iterable[str], source: Path, root: Path) -> list[str]:
    """Copy files that a plan names from the repository's own folder; answer those that are not there."""
    missing = []
    for name in names:
        origin = (source / name).resolve()
        if not origin.exists():
            missing.append(name)
        elif origin.is_dir():
            _copy_all(origin.parent, Path(origin.name), root, Path(name))
        else:
            copy_plain(origin.parent, Path(origin.name), root, Path(name))
    return missing


def _is_ignored(worktree: Git, output: str) -> bool:
    done = worktree.sealed().ask("check-ignore", "--quiet", "--no-index", "--", output)
    if done.exit_code not in (0, 1):
        raise GitFailed("check-ignore", done.errors.decode(errors="replace").strip())
    return done.exit_code == 0


def _copy_all(source: Path, folder: Path, root: Path, target: Path) -> None:
    for path, _ in plain_files(source, folder):
        copy_plain(source, path, root, target / path.relative_to(folder))
