"""What a step changed in the repository that is not its own to change: branches, tags, settings, hooks.

It is noticed and told, and keeps the run from moving the target by itself; nothing is ever set back. What the user did
meanwhile is told from it by the log of a HEAD that is not ours, what another run of ours did by its own message.
"""

import os
import stat
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.git.program import Git
from engine.git.refs import list_refs, ref_differences
from engine.worktrees.places import PREFIX

_OURS = b"\tminipipe: "
_LINE_BYTES = 400
_TICK_NS = 50_000_000
"""More than any file system's clock needs from one tick to the next."""


_SPACES = ("refs/heads", "refs/tags", "refs/stash", "refs/replace", "refs/notes")
_SETTINGS = ("config", "config.worktree", "info/attributes", "info/exclude")

Stamps = tuple[tuple[str, int, int, int], ...]
"""Of every file and folder that holds refs: its path, number, size, and when it was last changed in any way."""


class _Look(NamedTuple):
    stamps: Stamps | None
    """Where the refs were as they stood; None where they may have changed within the same tick of the clock."""
    refs: dict[str, str]
    settings: str
    hooks: tuple[tuple[str, int, int], ...]
    logs: dict[Path, int]
    """How long the log of every HEAD was that is not ours."""


class Strays:
    """Compares what is shared with how it was at the last look."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._common = git.git_folder
        self._last = self._look(None)

    def since_last(self) -> list[str]:
        """What has changed since, and was neither the user nor a run of ours."""
        before, self._last = self._last, self._look(self._last)
        return [*self._moved_refs(before), *self._changed_files(before)]

    def _look(self, last: _Look | None) -> _Look:
        # In this order: what changes after the stamps were taken is seen at the next look.
        stamps = _settled(tuple(self._stamps()))
        is_known = last is not None and stamps is not None and stamps == last.stamps
        refs = last.refs if last is not None and is_known else list_refs(self._git, *_SPACES)
        settings = "".join(_digest(self._common / name) for name in _SETTINGS)
        return _Look(stamps, refs, settings, tuple(_files(self._common / "hooks")), self._lengths())

    def _stamps(self) -> Iterator[tuple[str, int, int, int]]:
        for name in ("packed-refs", "reftable", *_SPACES):
            yield from _stamps_below(str(self._common / name))

    def _moved_refs(self, before: _Look) -> Iterator[str]:
        now = self._last.refs
        for name, what in ref_differences(before.refs, now):
            if not self._is_explained(name, now.get(name), before.logs):
                yield f"{name} {what}"

    def _changed_files(self, before: _Look) -> Iterator[str]:
        if before.settings != self._last.settings:
            yield "the repository's settings (.git/config, .git/info) were changed"
        if before.hooks != self._last.hooks:
            yield "the repository's hooks were changed"

    def _is_explained(self, name: str, new: str | None, logs: dict[Path, int]) -> bool:
        """Whether a run of ours says so, or a HEAD that is not ours went there in the meantime."""
        if new is None:
            return False
        if name == "refs/stash":
            return self._is_stash_of_user(logs.get(self._common / "logs" / "refs/stash", 0))
        if _OURS in _since(self._common / "logs" / name, -_LINE_BYTES):
            return True
        wanted = f" {new} ".encode()
        return any(wanted in _since(log, logs.get(log, 0)) for log in self._logs_of_others())

    def _is_stash_of_user(self, length: int) -> bool:
        """Whether something was put on the stash from a branch; taken off may it be by anybody."""
        log = self._common / "logs" / "refs/stash"
        added = _since(log, length)
        return bool(added) and b" (no branch): " not in added

    def _lengths(self) -> dict[Path, int]:
        logs = (*self._logs_of_others(), self._common / "logs" / "refs/stash")
        return {log: log.stat().st_size for log in logs if log.exists()}

    def _logs_of_others(self) -> Iterator[Path]:
        yield self._common / "logs" / "HEAD"
        for folder in (self._common / "worktrees").glob("*"):
            if not folder.name.startswith(PREFIX):
                yield folder / "logs" / "HEAD"


def _stamps_below(path: str) -> Iterator[tuple[str, int, int, int]]:
    try:
        status = os.lstat(path)
        entries = list(os.scandir(path)) if stat.S_ISDIR(status.st_mode) else []
    except OSError:
        return
    yield path, status.st_ino, status.st_size, status.st_ctime_ns
    for entry in entries:
        yield from _stamps_below(entry.path)


def _settled(stamps: Stamps) -> Stamps | None:
    """The stamps, if another change would give others: one in the same tick of the clock would not."""
    newest = max((changed for *_, changed in stamps), default=0)
    return stamps if time.time_ns() - newest > _TICK_NS else None


def _since(path: Path, place: int) -> bytes:
    """What a log holds from a place on; a negative one counts from its end."""
    try:
        content = path.read_bytes()
    except OSError:
        return b""
    return content[place:]


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _files(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(folder.glob("*")):
        status = path.lstat()
        yield path.name, status.st_mtime_ns, status.st_size
