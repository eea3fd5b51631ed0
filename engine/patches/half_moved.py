"""A working tree in which git was killed while it followed its branch: brought to the new commit, or left alone.

Git may have updated some files, not yet others, and one halfway. Each changed file is compared with what git writes for
the old and for the new commit. If every one of them is one or the other (or a beginning of the new one, or missing, for
git unlinks first), the rest is done as git would have; anything else is later work of the user's: nothing is touched.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.errors import GitFailed
from engine.git.changes import GITLINK, shown_path
from engine.git.index import ABSENT, private_index, put_entries
from engine.git.objects import Entry
from engine.git.program import Git
from engine.patches.checkout import Checkout, Delta, Refusal, files_below, folders_above, mode_of


class Found(Enum):
    """What a changed path is like now."""

    OLD = "old"
    NEW = "new"
    HALF = "half"
    OTHER = "other"


class HalfMoved:
    """A tree that was on its way from one commit to another."""

    def __init__(self, tree: Git, checkout: Checkout, delta: Delta, old: str, new: str) -> None:
        self._tree = tree
        self._root = os.fsencode(checkout.root)
        self._index = checkout.git_folder / "index"
        self._lock = checkout.git_folder / "index.lock"
        self._delta = delta
        self._old, self._new = old, new
        self._unwanted = self._outside_sparse_checkout()
        self._found = self._look()

    # -- looking ---------------------------------------------------------------------------------------

    @property
    def is_untouched(self) -> bool:
        """Whether git had not begun."""
        return all(found is Found.OLD for found in self._found.values()) and not self._is_index_new()

    def refusal(self) -> Refusal | None:
        """Whether somebody has gone on working in it."""
        foreign = [path for path, found in self._found.items() if found is Found.OTHER] or self._staged_otherwise()
        if not foreign:
            return None
        shown = ", ".join(shown_path(path) for path in foreign[:10])
        return Refusal(
            f"the move of {os.fsdecode(self._root)} was interrupted, and these were changed since: {shown}",
            "commit or undo what is changed there",
        )

    def _look(self) -> Mapping[bytes, Found]:
        files = {path for path, entries in self._delta.items() if not any(map(_is_gitlink, entries))}
        files -= self._unwanted
        with self._written(self._old, files, 0) as old, self._written(self._new, files, 1) as new:
            return {path: self._state(path, old, new) for path in sorted(files)}

    @contextmanager
    def _written(self, commit: str, files: set[bytes], side: int) -> Iterator[bytes]:
        """A folder with the changed files as git writes them here."""
        names = [path for path in sorted(files) if self._delta[path][side] is not None]
        with TemporaryDirectory(prefix="minipipe-tree-") as folder, private_index(self._tree) as own:
            own.tell("read-tree", commit)
            if names:
                own.at(work_tree=Path(folder)).tell("checkout-index", "-f", "-z", "--stdin", stdin=_listed(names))
            yield os.fsencode(folder)

    def _state(self, path: bytes, old: bytes, new: bytes) -> Found:
        place = os.path.join(self._root, path)
        had, has = self._delta[path]
        if self._is_behind_a_stranger(path):
            return Found.OTHER
        mode = mode_of(place)
        if mode is None:
            return Found.NEW if has is None else Found.OLD if had is None else Found.HALF
        if stat.S_ISDIR(mode):
            return self._state_of_folder(path, had, has)
        if had is not None and _is_same(place, os.path.join(old, path)):
            return Found.OLD
        if has is not None and _is_same(place, os.path.join(new, path)):
            return Found.NEW
        return Found.HALF if has is not None and _is_beginning(place, os.path.join(new, path)) else Found.OTHER

    def _state_of_folder(self, path: bytes, had: Entry | None, has: Entry | None) -> Found:
        """A folder where one commit has a file: it belongs to the other commit, or to the user."""
        strangers = [file for file in files_below(self._root, path) if file not in self._delta]
        if strangers:
            return Found.OTHER
        if has is None:
            return Found.NEW
        return Found.OLD if had is None else Found.HALF

    def _is_behind_a_stranger(self, path: bytes) -> bool:
        """Whether something is in the place of a folder above it that neither commit has put there."""
        for above in folders_above(path):
            mode = mode_of(os.path.join(self._root, above))
            if mode is None:
                return False
            if not stat.S_ISDIR(mode):
                return above not in self._delta
        return False

    def _entries(self) -> dict[bytes, tuple[str, Entry]]:
        """What the index holds at the changed paths: the stage, and what."""
        found = {}
        for line in self._tree.tell("ls-files", "--stage", "-z", "--full-name", "--", ":/").split(b"\0"):
            facts, _, path = line.partition(b"\t")
            if path in self._delta:
                mode, object_id, stage = facts.decode().split(" ")
                found[path] = (stage, Entry(mode, object_id))
        return found

    def _is_index_new(self) -> bool:
        entries = self._entries()
        return any(entries.get(path, ("0", None))[1] != old for path, (old, _) in self._delta.items())

    def _staged_otherwise(self) -> list[bytes]:
        entries = self._entries()
        return [
            path
            for path, sides in self._delta.items()
            if (found := entries.get(path, ("0", None)))[0] != "0" or found[1] not in sides
        ]

    def _outside_sparse_checkout(self) -> set[bytes]:
        listing = self._tree.tell("ls-files", "-t", "-z", "--full-name", "--", ":/").split(b"\0")
        return {line[2:] for line in listing if line.startswith(b"S ")} & self._delta.keys()

    # -- going on --------------------------------------------------------------------------------------

    def complete(self) -> None:
        """Bring files and index to the new commit. Killed anywhere in between, it can be begun again."""
        try:
            descriptor = os.open(self._lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            raise GitFailed("merge", f"{self._lock} is there: another git is at work", retryable=True) from None
        try:
            with os.fdopen(descriptor, "wb") as lock, private_index(self._tree, like=self._index) as own:
                self._update(own)
                assert own.index is not None
                with own.index.open("rb") as made:
                    shutil.copyfileobj(made, lock)
                lock.flush()
                os.fsync(lock.fileno())
            self._lock.replace(self._index)
        except BaseException:
            self._lock.unlink(missing_ok=True)
            raise

    def _update(self, own: Git) -> None:
        put_entries(own, {path: new or ABSENT for path, (_, new) in self._delta.items()}, nothing="0" * len(self._new))
        if still_there := [path for path in sorted(self._unwanted) if self._delta[path][1] is not None]:
            own.tell("update-index", "-z", "--skip-worktree", "--stdin", stdin=_listed(still_there))
        self._remove_old()
        names = [
            path for path, found in self._found.items() if self._delta[path][1] is not None and found is not Found.NEW
        ]
        if names:
            own.tell("checkout-index", "-f", "-u", "-z", "--stdin", stdin=_listed(names))
        own.ask("update-index", "-q", "--refresh")

    def _remove_old(self) -> None:
        """Remove what the new commit has no more, then the folders that are empty by that."""
        gone = [path for path in self._found if self._delta[path][1] is None]
        for path in gone:
            place = os.path.join(self._root, path)
            mode = mode_of(place)
            if mode is not None and not stat.S_ISDIR(mode):
                Path(os.fsdecode(place)).unlink()
        for folder in sorted({above for path in gone for above in folders_above(path)}, reverse=True):
            try:
                Path(os.fsdecode(os.path.join(self._root, folder))).rmdir()
            except OSError:
                continue  # Not empty, or not there: as it should be.


def _is_gitlink(entry: Entry | None) -> bool:
    return entry is not None and entry.mode == GITLINK


def _listed(paths: list[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)


def _is_same(one: bytes, other: bytes) -> bool:
    mine, theirs = os.lstat(one), os.lstat(other)
    place, whole = Path(os.fsdecode(one)), Path(os.fsdecode(other))
    if stat.S_IFMT(mine.st_mode) != stat.S_IFMT(theirs.st_mode):
        return False
    if stat.S_ISLNK(mine.st_mode):
        return place.readlink() == whole.readlink()
    if (mine.st_mode ^ theirs.st_mode) & stat.S_IXUSR or mine.st_size != theirs.st_size:
        return False
    return place.read_bytes() == whole.read_bytes()


def _is_beginning(place: bytes, whole: bytes) -> bool:
    """Whether a file is the new one as far as it goes."""
    if not (stat.S_ISREG(os.lstat(place).st_mode) and stat.S_ISREG(os.lstat(whole).st_mode)):
        return False
    return Path(os.fsdecode(whole)).read_bytes().startswith(Path(os.fsdecode(place)).read_bytes())
