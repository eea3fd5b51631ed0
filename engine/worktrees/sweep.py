"""Clearing a working tree of everything that its engine-owned index does not name.

git's own `clean` leaves fifos, `.git` entries beside tracked files and whatever hides behind a folder that became a
link, and it obeys ignore files that a step wrote; so this walks by itself. What is tracked keeps its place here, even
changed: to restore it is git's work, which comes after.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path

from engine.worktrees.removal import open_folder, remove_entry


class Kind(Enum):
    """What an index wants at a place."""

    FILE = "file"
    FOLDER = "folder"
    SUBMODULE = "submodule"


Wanted = Mapping[str, Mapping[str, Kind]]
"""For each folder, by its path from the top, what is wanted in it."""

_GITLINK = "160000"
_BARE_REPOSITORY = ("HEAD", "objects", "refs")


def parse_listing(listing: bytes) -> Wanted:
    """What `ls-files -t --stage -z` says; entries outside a sparse checkout are not wanted."""
    wanted: dict[str, dict[str, Kind]] = {"": {}}
    for line in os.fsdecode(listing).split("\0"):
        facts, _, path = line.partition("\t")
        if not path or facts[0] == "S":
            continue
        folder, _, name = path.rpartition("/")
        if folder not in wanted:
            _want_folder(wanted, folder)
        wanted[folder][name] = Kind.SUBMODULE if facts[2:8] == _GITLINK else Kind.FILE
    return wanted


def _want_folder(wanted: dict[str, dict[str, Kind]], folder: str) -> None:
    new = []
    while folder not in wanted:
        wanted[folder] = {}
        new.append(folder)
        folder = folder.rpartition("/")[0]
    for made in new:
        parent, _, name = made.rpartition("/")
        wanted[parent][name] = Kind.FOLDER


def sweep(root: Path, wanted: Wanted, *, keep_ignored: bool = False) -> None:
    """Remove what is not wanted, and give folders back their rights.

    With `keep_ignored`, plain files and folders that are not tracked stay, for git to judge by the ignore files; what
    must go in any case goes: repositories in the tree, and whatever is neither file, folder nor link.
    """
    top = open_folder(root)
    stack = [(top, _tidied(top, "", wanted, keep_ignored))]
    try:
        while stack:
            descriptor, folders = stack[-1]
            if (below := next(folders, None)) is None:
                os.close(stack.pop()[0])
                continue
            opened = open_folder(below.rpartition("/")[2], descriptor)
            stack.append((opened, _tidied(opened, below, wanted, keep_ignored)))
    finally:
        for descriptor, _ in stack:
            os.close(descriptor)


def _tidied(descriptor: int, folder: str, wanted: Wanted, keep_ignored: bool) -> Iterator[str]:
    """The folders to go on with, after everything in this one that must go has gone."""
    with os.scandir(descriptor) as found:
        entries = list(found)
    here = wanted.get(folder, {})
    below = []
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if _may_stay(entry, here.get(entry.name), is_folder) or (
            keep_ignored and entry.name not in here and _may_be_ignored(entry, descriptor, is_folder)
        ):
            if is_folder and here.get(entry.name) is not Kind.SUBMODULE:
                below.append(f"{folder}/{entry.name}" if folder else entry.name)
        elif folder or entry.name != ".git":
            _remove(descriptor, entry.name)
    return iter(below)


def _may_stay(entry: "os.DirEntry[str]", kind: Kind | None, is_folder: bool) -> bool:
    if kind is None:
        return False
    if kind is Kind.FILE:
        return not is_folder and _is_plain(entry)
    # A submodule's folder is made anew by git, empty as it has to be.
    return is_folder and kind is Kind.FOLDER


def _may_be_ignored(entry: "os.DirEntry[str]", parent: int, is_folder: bool) -> bool:
    if entry.name == ".git":
        return False
    return not _is_repository(entry.name, parent) if is_folder else _is_plain(entry)


def _is_plain(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_symlink()


def _is_repository(name: str, parent: int) -> bool:
    descriptor = open_folder(name, parent)
    try:
        names = set(os.listdir(descriptor))  # noqa: PTH208 (an open folder)
    finally:
        os.close(descriptor)
    return ".git" in names or names.issuperset(_BARE_REPOSITORY)


def _remove(parent: int, name: str) -> None:
    with suppress(FileNotFoundError):
        remove_entry(parent, name)
