"""`review approve --edit`: the diff in the reviewer's own editor, and what comes back, made a commit at once.

The text is kept beside the patch for people; what was approved is the commit, whatever becomes of the text.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import ActionRefused, MinipipeError, UsageError
from engine.git.program import Git
from engine.patches.export import exported
from engine.patches.selection import edited_commit
from engine.process.foreground import run_in_foreground
from engine.store.records import PatchRecord
from engine.workspace import Workspace
from minipipe_tui.cli.output import is_terminal

_LAST_RESORT = "vi"


def edited(workspace: Workspace, git: Git, patch: PatchRecord) -> str:
    """Let the person edit the diff; the commit that the result makes on the base of the patch."""
    editor = _editor()
    before = exported(git, patch, "diff")
    folder = workspace.run_folder(patch.run_id) / "patches"
    after = _in_editor(editor, before, folder, patch)
    if not after.strip() or after == before:
        why = "the edited diff is empty" if after != before else "nothing was changed in the editor"
        raise ActionRefused("approve", patch.patch_id, why, hint=f"minipipe review approve {patch.patch_id}")
    kept = _keep(after, folder, patch)
    try:
        return edited_commit(git, patch, after, source=str(kept))
    except MinipipeError as error:
        raise ActionRefused("approve", patch.patch_id, error.message, hint=f"your text is kept: {kept}") from error


def _editor() -> list[str]:
    has_terminal = is_terminal(sys.stdin) and (is_terminal(sys.stdout) or is_terminal(sys.stderr))
    chosen = (os.environ.get("VISUAL") if has_terminal else None) or os.environ.get("EDITOR")
    if not chosen and not has_terminal:
        raise UsageError("--edit: there is no terminal, and EDITOR is not set", hint="EDITOR=… minipipe review approve")
    try:
        return shlex.split(chosen or _LAST_RESORT) or [_LAST_RESORT]
    except ValueError as error:
        raise UsageError(f"$EDITOR cannot be understood: {error}") from error


def _in_editor(editor: list[str], text: bytes, folder: Path, patch: PatchRecord) -> bytes:
    with _scratch(folder, text) as path:
        code = run_in_foreground([*editor, str(path)], cwd=folder)
        if code != 0:
            why = f"the editor {editor[0]!r} ended with exit code {code}"
            raise ActionRefused("approve", patch.patch_id, why, hint="nothing was decided")
        try:
            return path.read_bytes()
        except OSError as error:
            raise ActionRefused("approve", patch.patch_id, f"the edited file is gone: {error.strerror}") from error


@contextmanager
def _scratch(folder: Path, text: bytes) -> Iterator[Path]:
    """A file for the owner alone, gone afterwards."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix="edit-", suffix=".diff", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _keep(text: bytes, folder: Path, patch: PatchRecord) -> Path:
    """Write the text to a new file of its own."""
    number = 1
    while True:
        path = folder / f"{patch.patch_id}.{number}.edited.diff"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        return path
