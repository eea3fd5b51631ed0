"""Commits, trees and blobs: read and written, never checked out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from engine.errors import GitFailed
from engine.git.program import Git
from engine.git.recent import Recent


class Identity(NamedTuple):
    """Who a commit is by."""

    name: str
    email: str


NOBODY = Identity("minipipe", "minipipe@localhost")
"""Who commits where the user has not said who they are."""


class Entry(NamedTuple):
    """What stands at a path of a tree."""

    mode: str
    object_id: str


def identity_of(git: Git) -> Identity:
    """Who the user says that they are."""
    found = [git.ask("config", "--get", key).output.decode(errors="replace").strip() for key in _WHO]
    return Identity(*found) if all(found) else NOBODY


_WHO = ("user.name", "user.email")


def resolve_commit(git: Git, name: str) -> str | None:
    """The commit that a name stands for, if there is one."""
    if name.startswith("-"):
        return None
    done = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return done.output.decode().strip() if done.exit_code == 0 else None


_trees: Recent[tuple[Path, str], str] = Recent(256)


def tree_of(git: Git, commit: str) -> str:
    """The tree of a commit, or of what a name stands for now."""
    place = (git.git_folder, commit)
    if (known := _trees.find(place)) is not None:
        return known
    # A name may stand for something else tomorrow; an id is as long as any other, and never does.
    is_id = len(commit) in (40, 64) and set(commit) <= _HEX
    tree = (git.sealed() if is_id else git).line("rev-parse", "--verify", f"{commit}^{{tree}}")
    return _trees.keep(place, tree) if is_id else tree


_HEX = frozenset("0123456789abcdef")


def parents_of(git: Git, commit: str) -> list[str]:
    return git.line("rev-list", "--parents", "--max-count=1", commit).split(" ")[1:]


def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """Whether one commit is the other or leads to it."""
    done = git.ask("merge-base", "--is-ancestor", older, newer)
    if done.exit_code not in (0, 1):
        raise GitFailed("merge-base", done.errors.decode(errors="replace").strip())
    return done.exit_code == 0


def merge_base(git: Git, one: str, other: str) -> str | None:
    done = git.ask("merge-base", one, other)
    return done.output.decode().strip() if done.exit_code == 0 else None


def write_commit(
    git: Git,
    tree: str,
    parents: Sequence[str],
    message: str,
    *,
    identity: Identity = NOBODY,
    signing: Mapping[str, str] | None = None,
) -> str:
    """A new commit, in the object database alone. `signing` holds the user's own settings for it, if it is signed."""
    writer = git.durable().sealed()
    who = {"user.name": identity.name, "user.email": identity.email}
    writer = replace(writer, settings={**writer.settings, **who, **(signing or {})})
    words = [word for parent in parents for word in ("-p", parent)]
    words += ["-S"] if signing is not None else []
    commit = writer.line("commit-tree", *words, tree, stdin=message.encode("utf-8", "surrogateescape"))
    _trees.keep((git.git_folder, commit), tree)
    return commit


def write_blob(git: Git, content: bytes) -> str:
    return git.durable().sealed().line("hash-object", "-w", "--no-filters", "--stdin", stdin=content)


def read_blob(git: Git, object_id: str) -> bytes:
    return git.sealed().tell("cat-file", "blob", object_id)


def read_blobs(git: Git, object_ids: Collection[str]) -> dict[str, bytes]:
    """Several blobs with one process; what is missing or no blob is left out."""
    if not object_ids:
        return {}
    output = git.sealed().tell("cat-file", "--batch", stdin="".join(f"{each}\n" for each in object_ids).encode())
    found, place = {}, 0
    while place < len(output):
        end = output.index(b"\n", place)
        header = output[place:end].split(b" ")
        place = end + 1
        if len(header) == 3 and header[2].isdigit():
            size = int(header[2])
            if header[1] == b"blob":
                found[header[0].decode()] = output[place : place + size]
            place += size + 1
    return found


def sizes_of(git: Git, object_ids: Collection[str]) -> dict[str, int]:
    """How large several blobs are; what is missing or no blob is left out."""
    if not object_ids:
        return {}
    output = git.sealed().tell("cat-file", "--batch-check", stdin="".join(f"{each}\n" for each in object_ids).encode())
    told = (line.split(" ") for line in output.decode().splitlines())
    return {words[0]: int(words[2]) for words in told if len(words) == 3 and words[1] == "blob"}


def entries_of(git: Git, tree: str, paths: Iterable[bytes] = ()) -> dict[bytes, Entry]:
    """What stands in a tree, by path, submodules and links included; only at these paths where some are given."""
    wanted = list(paths)
    scope: list[str | bytes] = ["--", *wanted] if wanted else []
    found = {}
    words = ("--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", tree)
    for line in git.sealed().tell(*words, *scope).split(b"\0"):
        if line:
            facts, _, path = line.partition(b"\t")
            mode, _, object_id = facts.decode().split(" ")
            found[path] = Entry(mode, object_id)
    return found
