"""What has become of the repository around a run whose steps work in its own folder: looked at before and after.

Nothing of such a run is captured and nothing is set back; a difference is told as a warning, whoever made it. A look
that cannot be had is none: it never fails a run.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from engine.errors import MinipipeError
from engine.git.changes import shown_path
from engine.git.refs import list_refs, read_ref, ref_differences
from engine.git.repository import Repository, find_repository
from engine.workspace import Workspace

_MOST_PATHS = 5


class _Look(NamedTuple):
    head: str
    refs: dict[str, str]
    changed: dict[bytes, str]
    """The tracked files that are otherwise than in HEAD, and what is in them."""


class Onlooker:
    """Looks once when a run begins or goes on, and once when it ends or stands still."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._before: _Look | None = None

    def begin(self) -> None:
        self._before = self._look()

    def end(self) -> list[str]:
        """What is otherwise than at the beginning."""
        before, self._before = self._before, None
        after = self._look() if before is not None else None
        return [] if before is None or after is None else list(_differences(before, after))

    def _look(self) -> _Look | None:
        if self._workspace.git_folder is None:
            return None
        try:
            repository = find_repository(self._workspace.root, self._workspace.git_folder)
            git = repository.here
            name = os.fsdecode(git.ask("symbolic-ref", "--quiet", "HEAD").output).strip()
            refs = list_refs(git, "refs/heads", "refs/tags", "refs/stash", "refs/notes", "refs/replace")
            return _Look(name or read_ref(git, "HEAD") or "", refs, _changed_files(repository))
        except (MinipipeError, OSError):
            return None


def _changed_files(repository: Repository) -> dict[bytes, str]:
    if repository.root is None:
        return {}
    words = ("diff-index", "-z", "--name-only", "--no-renames", "--ignore-submodules=all", "HEAD", "--")
    listed = repository.here.ask(*words).output.split(b"\0")
    return {path: _content(repository.root / os.fsdecode(path)) for path in listed if path}


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _differences(before: _Look, after: _Look) -> Iterator[str]:
    if before.head != after.head:
        yield f"HEAD was at {before.head or 'nothing'} and is at {after.head or 'nothing'}"
    for name, what in ref_differences(before.refs, after.refs):
        yield f"{name} {what}"
    paths = sorted(before.changed.keys() | after.changed.keys())
    if touched := [path for path in paths if before.changed.get(path) != after.changed.get(path)]:
        named = ", ".join(map(shown_path, touched[:_MOST_PATHS]))
        more = f" and {len(touched) - _MOST_PATHS} more" if len(touched) > _MOST_PATHS else ""
        yield f"tracked files were changed: {named}{more}"
