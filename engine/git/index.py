"""Private index files: trees are built in them, and nobody else's index is touched."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.errors import GitFailed
from engine.git.objects import Entry
from engine.git.program import Git

ABSENT = Entry("0", "")
"""What to put at a path that is to be deleted."""


@contextmanager
def private_index(git: Git, *, like: Path | None = None) -> Iterator[Git]:
    """A git with an index of its own, empty or a copy of another one; gone afterwards."""
    with TemporaryDirectory(prefix="minipipe-index-") as folder:
        index = Path(folder, "index")
        if like is not None:
            shutil.copy2(like, index)
        yield git.at(index=index)


def write_tree(git: Git) -> str:
    return git.durable().sealed().line("write-tree")


def add_everything(git: Git, *, except_for: Iterable[str] = ()) -> None:
    """Take in the working tree as it is: new, changed and deleted files, but for ignored ones and these globs."""
    excludes = [f":(top,exclude,glob){glob}" for glob in except_for]
    done = git.durable().sealed().ask("add", "--all", "--sparse", "--", ":/", *excludes)
    if done.exit_code != 0:
        raise GitFailed("add", _errors_of(done.errors))


def change_tree(git: Git, tree: str, entries: Mapping[bytes, Entry]) -> str:
    """A tree with something else at some paths; ABSENT deletes."""
    with private_index(git.sealed()) as own:
        own.tell("read-tree", tree)
        put_entries(own, entries, nothing="0" * len(tree))
        return write_tree(own)


def put_entries(git: Git, entries: Mapping[bytes, Entry], *, nothing: str) -> None:
    """Set paths of the index; deletions first, so that a file may take the place of a folder."""
    ordered = sorted(entries.items(), key=lambda each: each[1] is not ABSENT)
    lines = [
        b"%s %s 0\t%s\0" % (entry.mode.encode(), (entry.object_id or nothing).encode(), path) for path, entry in ordered
    ]
    git.tell("update-index", "-z", "--index-info", stdin=b"".join(lines))


def apply_text(git: Git, tree: str, patch: bytes, *, strip: int = 1) -> str:
    """The tree with a patch applied, exactly and wholly; GitFailed with git's own word where it does not fit."""
    with private_index(git.sealed()) as own:
        own.tell("read-tree", tree)
        done = own.durable().ask(
            "apply", "--cached", f"-p{strip}", "--whitespace=nowarn", "--unidiff-zero", stdin=patch
        )
        if done.exit_code != 0:
            raise GitFailed("apply", _errors_of(done.errors))
        return write_tree(own)


def _errors_of(said: bytes) -> str:
    """What git names as errors: its last words only say that there were some."""
    lines = said.decode(errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return "; ".join(errors[:3]) or " ".join(lines)
