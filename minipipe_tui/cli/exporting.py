"""`minipipe patch export`: a patch as git reads it, into a file or onto stdout."""

import argparse
import os
import sys
from pathlib import Path

from engine.errors import UsageError
from engine.patches.export import exported
from minipipe_tui.cli.inert import inert_bytes
from minipipe_tui.cli.opening import git_of, opened_store, patch_called
from minipipe_tui.cli.output import is_terminal, print_lines, say


def run(arguments: argparse.Namespace) -> int:
    with opened_store() as (workspace, database):
        assert database is not None
        patch = patch_called(database, arguments.patch_id)
        content = exported(git_of(workspace), patch, arguments.format)
    if arguments.file in (None, "-"):
        _write_to_stdout(content)
    else:
        _write(Path(arguments.file), content, is_forced=arguments.force)
        say(f"{patch.patch_id} is written to {arguments.file}")
    return 0


def _write_to_stdout(content: bytes) -> None:
    """Exactly, but for a terminal, which would obey what is in it."""
    if is_terminal(sys.stdout):
        print_lines([inert_bytes(content).removesuffix("\n")])
    else:
        sys.stdout.buffer.write(content)


def _write(path: Path, content: bytes, *, is_forced: bool) -> None:
    try:
        if is_forced:
            _replace(path, content)
        else:
            with path.open("xb") as file:
                file.write(content)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="--force replaces it") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    """The whole new file or the old one, never a half; a link is replaced and not followed."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("xb") as file:
            file.write(content)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
