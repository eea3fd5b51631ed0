"""Files that a step promised and that git ignores: kept with the run, and placed where later steps work.

What git does not ignore is part of the step's patch and needs no other way.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.git.program import Git

LIMIT_BYTES = 256 * 1024 * 1024
"""What all kept files of one step may come to."""


class Artifacts:
    """The kept files of one run, a folder a step; for steps that were carried over, those of earlier runs."""

    def __init__(self, folder: Path, *earlier: Path) -> None:
        self._folder = folder
        self._earlier = earlier

    def keep(self, step_id: str, worktree: Git, outputs: Iterable[str]) -> None:
        """Copy what git ignores among a step's outputs; ValueError where that is too much, or no plain file."""
        assert worktree.work_tree is not None
        shutil.rmtree(self._folder / step_id, ignore_errors=True)
        budget = LIMIT_BYTES
        for name in _ignored_among(worktree, outputs):
            budget -= self._keep_one(worktree.work_tree / name, self._folder / step_id / name)
            if budget < 0:
                raise ValueError(f"the outputs that git ignores are larger than {LIMIT_BYTES // 1024**2} MiB")

    def _keep_one(self, source: Path, target: Path) -> int:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir() and not source.is_symlink():
            _check_plain(source)
            shutil.copytree(source, target, symlinks=True)
            return sum(path.lstat().st_size for path in target.rglob("*"))
        if not stat.S_ISREG(source.lstat().st_mode):
            raise ValueError(f"{source.name} is neither a plain file nor a folder")
        shutil.copy2(source, target, follow_symlinks=False)
        return target.lstat().st_size

    def place(self, step_ids: Iterable[str], root: Path) -> None:
        """Put the kept files of these steps where another one is about to work."""
        for step_id in step_ids:
            folders = (each / step_id for each in (self._folder, *self._earlier))
            if (folder := next((each for each in folders if each.is_dir()), None)) is not None:
                _copy_into(folder, root)


def _ignored_among(worktree: Git, outputs: Iterable[str]) -> Iterator[str]:
    """What git ignores: an output itself, or single files in a folder that git knows otherwise."""
    for output in outputs:
        if worktree.ask("check-ignore", "--quiet", "--no-index", "--", output).exit_code == 0:
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
        origin = source / name
        if not os.path.lexists(origin):
            missing.append(name)
        elif origin.is_dir() and not origin.is_symlink():
            _copy_into(origin, root / name)
        else:
            _copy_file(origin, root, Path(name))
    return missing


def _check_plain(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not (path.is_symlink() or path.is_dir() or path.is_file()):
            raise ValueError(f"{path.name} is neither a plain file nor a folder")


def _copy_into(folder: Path, root: Path) -> None:
    """Copy what is in a folder: its files, its links as links, and its folders, also the empty ones."""
    root.mkdir(parents=True, exist_ok=True)
    links = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_symlink():
            links.append(relative)
        elif path.is_file():
            _copy_file(path, root, relative)
        elif path.is_dir() and not (root / relative).is_dir():
            _room_for(root, relative).mkdir()
    # Last, so that nothing is in danger of being written through one of them.
    for relative in links:
        _copy_file(folder / relative, root, relative)


def _copy_file(origin: Path, root: Path, relative: Path) -> None:
    """Copy a file or a link to below a root."""
    shutil.copy2(origin, _room_for(root, relative), follow_symlinks=False)


def _room_for(root: Path, relative: Path) -> Path:
    """The place for something below a root, free, and never behind a link that stands there."""
    target = root / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
        raise ValueError(f"{relative} would be written through a link")
    if target.is_dir() and not target.is_symlink():
        raise ValueError(f"a folder stands in the place of {relative}")
    target.unlink(missing_ok=True)
    return target
