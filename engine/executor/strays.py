"""What a step changed in the repository that is not its own to change: refs, HEADs, settings, hooks.

It is noticed and told, and keeps the run from moving the target by itself; nothing is ever set back. What the user did
meanwhile is told from it by the logs of HEADs that are not ours and by what was fetched there, what other runs of ours
did by their own records. The last look is kept in a file while the run is under way, so that a kill hides nothing.
"""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from engine.git.program import Git
from engine.git.refs import list_refs, ref_differences
from engine.workspace import write_for_owner
from engine.worktrees.places import PREFIX

_TICK_NS = 50_000_000
"""More than any file system's clock needs from one tick to the next."""

_SPACES = ("refs/heads", "refs/tags", "refs/remotes", "refs/stash", "refs/replace", "refs/notes")
_REMOTES = "refs/remotes/"
"""Editors bring these up to date behind everybody's back."""

_SETTINGS = (
    *("config", "config.worktree", "info/attributes", "info/exclude", "info/grafts"),
    "objects/info/alternates",
)

Stamps = tuple[tuple[str, int, int, int], ...]
"""Of every file and folder that holds refs: its path, number, size, and when it was last changed in any way."""


class _Look(NamedTuple):
    stamps: Stamps | None
    """Where the refs were as they stood; None where they may have changed within the same tick of the clock."""
    refs: Mapping[str, str]
    settings: str
    hooks: str
    heads: Mapping[str, str]
    """What the HEAD of every working tree says that is not ours."""
    fetches: Mapping[str, int]
    """When something was last fetched into each of them."""
    logs: Mapping[str, int]
    """How long the log of each of them was, and that of the stash."""

    def as_text(self) -> bytes:
        return json.dumps(self._replace(stamps=None)._asdict(), sort_keys=True).encode()


def _nobody(_name: str, _commit: str | None) -> bool:
    return False


class Strays:
    """Compares what is shared with how it was at the last look."""

    def __init__(
        self,
        git: Git,
        *,
        is_ours: Callable[[str, str | None], bool] = _nobody,
        kept: Path | None = None,
    ) -> None:
        self._git = git
        self._common = git.git_folder
        self._is_ours = is_ours
        self._kept = kept
        earlier = None if kept is None else _read(kept)
        self.is_continued = earlier is not None
        """Whether somebody died since the last look."""
        self._last = earlier or self._look(None)
        self._keep()

    def since_last(self) -> list[str]:
        """What has changed since, and was neither the user nor a run of ours; GitFailed where that cannot be told."""
        before, self._last = self._last, self._look(self._last)
        self._keep()
        return [*self._moved_refs(before), *self._changed_heads(before), *self._changed_files(before)]

    def forget(self) -> None:
        """Nothing runs any more: what changes from here on, no step has changed."""
        if self._kept is not None:
            self._kept.unlink(missing_ok=True)
            self._text = b""

    # -- looking ---------------------------------------------------------------------------------------

    _text = b""

    def _keep(self) -> None:
        if self._kept is not None and (text := self._last.as_text()) != self._text:
            write_for_owner(self._kept, text)
            self._text = text

    def _look(self, last: _Look | None) -> _Look:
        # In this order: what changes after the stamps were taken is seen at the next look.
        stamps = _settled(tuple(self._stamps()))
        settings = "".join(_digest(self._common / name) for name in _SETTINGS)
        heads = {str(folder): _line(folder / "HEAD") for folder in self._trees_of_others()}
        is_known = last is not None and stamps is not None and stamps == last.stamps
        # Where settings or HEADs were changed it may be that git finds no repository here any more.
        is_whole = last is not None and (settings, heads) == (last.settings, last.heads)
        refs = last.refs if last is not None and is_known and is_whole else list_refs(self._git, *_SPACES)
        hooks = "\n".join(_files(self._common / "hooks"))
        fetches = {str(folder): _changed_at(folder / "FETCH_HEAD") for folder in self._trees_of_others()}
        return _Look(stamps, refs, settings, hooks, heads, fetches, self._lengths())

    def _stamps(self) -> Iterator[tuple[str, int, int, int]]:
        for name in ("packed-refs", "reftable", *_SPACES):
            yield from _stamps_below(str(self._common / name))

    def _lengths(self) -> dict[str, int]:
        logs = [folder / "logs" / "HEAD" for folder in self._trees_of_others()]
        logs.append(self._common / "logs" / "refs" / "stash")
        return {str(log): log.stat().st_size for log in logs if log.exists()}

    def _trees_of_others(self) -> Iterator[Path]:
        """The git folder of every working tree that is not ours."""
        yield self._common
        for folder in sorted((self._common / "worktrees").glob("*")):
            if not folder.name.startswith(PREFIX):
                yield folder

    # -- comparing -------------------------------------------------------------------------------------

    def _moved_refs(self, before: _Look) -> Iterator[str]:
        now = self._last.refs
        for name, what in ref_differences(before.refs, now):
            if not self._is_explained(name, now.get(name), before):
                yield f"{name} {what}"

    def _changed_heads(self, before: _Look) -> Iterator[str]:
        for folder, now in self._last.heads.items():
            if before.heads.get(folder, now) != now and not self._added(Path(folder, "logs", "HEAD"), before.logs):
                yield f"HEAD of {_root_of(Path(folder))} was changed"

    def _changed_files(self, before: _Look) -> Iterator[str]:
        if before.settings != self._last.settings:
            yield "the repository's settings (.git/config, .git/info) were changed"
        if before.hooks != self._last.hooks:
            yield "the repository's hooks were changed"

    def _is_explained(self, name: str, new: str | None, before: _Look) -> bool:
        """Whether a run of ours did it, or a HEAD that is not ours went there in the meantime."""
        if self._is_ours(name, new):
            return True
        if name.startswith(_REMOTES):
            return self._last.fetches != before.fetches
        if new is None:
            return False
        if name == "refs/stash":
            # Put there from a branch; taken off may it be by anybody.
            added = self._added(self._common / "logs" / "refs" / "stash", before.logs)
            return bool(added) and b" (no branch): " not in added
        wanted = f" {new} ".encode()
        return any(wanted in self._added(folder / "logs" / "HEAD", before.logs) for folder in self._trees_of_others())

    @staticmethod
    def _added(log: Path, logs: Mapping[str, int]) -> bytes:
        """What was written to a log since."""
        try:
            return log.read_bytes()[logs.get(str(log), 0) :]
        except OSError:
            return b""


def _read(path: Path) -> _Look | None:
    """The last look of somebody who died; None if there is none that can be read."""
    try:
        kept: Any = json.loads(path.read_bytes())
        return _Look(**{**kept, "stamps": None})
    except (OSError, ValueError, TypeError):
        return None


def _root_of(git_folder: Path) -> str:
    """The working tree of a git folder."""
    marker = _line(git_folder / "gitdir")
    return str(Path(marker).parent if marker else git_folder.parent if git_folder.name == ".git" else git_folder)


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


def _line(path: Path) -> str:
    """What a small file says; empty if there is none."""
    try:
        with path.open("rb") as file:
            return os.fsdecode(file.read(4096)).strip()
    except OSError:
        return ""


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "-"


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*")):
        status = path.lstat()
        yield f"{path.name} {status.st_ino} {status.st_ctime_ns} {status.st_size}"
