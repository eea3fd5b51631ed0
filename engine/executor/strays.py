"""What a step changed in the repository that is not its own to change: branches, tags, settings, hooks.

It is noticed and told, and keeps the run from moving the target by itself; nothing is ever set back. What the user did
meanwhile is told from it by the log of a HEAD that is not ours, what another run of ours did by its own message.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.git.program import Git
from engine.git.refs import list_refs
from engine.worktrees.places import PREFIX

_OURS = b"\tminipipe: "
_LINE_BYTES = 400


class _Look(NamedTuple):
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
        self._last = self._look()

    def since_last(self) -> list[str]:
        """What has changed since, and was neither the user nor a run of ours."""
        before, self._last = self._last, self._look()
        return [*self._moved_refs(before), *self._changed_files(before)]

    def _look(self) -> _Look:
        refs = list_refs(self._git, "refs/heads", "refs/tags", "refs/replace", "refs/notes")
        return _Look(refs, _digest(self._common / "config"), tuple(_files(self._common / "hooks")), self._lengths())

    def _moved_refs(self, before: _Look) -> Iterator[str]:
        now = self._last.refs
        for name in sorted(before.refs.keys() | now.keys()):
            old, new = before.refs.get(name), now.get(name)
            if old != new and not self._is_explained(name, new, before.logs):
                verb = "was made" if old is None else "was deleted" if new is None else "was moved"
                yield f"{name} {verb}"

    def _changed_files(self, before: _Look) -> Iterator[str]:
        if before.settings != self._last.settings:
            yield "the repository's settings (.git/config) were changed"
        if before.hooks != self._last.hooks:
            yield "the repository's hooks were changed"

    def _is_explained(self, name: str, new: str | None, logs: dict[Path, int]) -> bool:
        """Whether a run of ours says so, or a HEAD that is not ours went there in the meantime."""
        if new is None:
            return False
        if _OURS in _since(self._common / "logs" / name, -_LINE_BYTES):
            return True
        wanted = f" {new} ".encode()
        return any(wanted in _since(log, logs.get(log, 0)) for log in self._logs_of_others())

    def _lengths(self) -> dict[Path, int]:
        return {log: log.stat().st_size for log in self._logs_of_others() if log.exists()}

    def _logs_of_others(self) -> Iterator[Path]:
        yield self._common / "logs" / "HEAD"
        for folder in (self._common / "worktrees").glob("*"):
            if not folder.name.startswith(PREFIX):
                yield folder / "logs" / "HEAD"


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
