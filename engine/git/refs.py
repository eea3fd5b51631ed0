"""Refs: read, and moved only from where they were believed to be, so that nobody's work is ever lost.

All of ours stand under `refs/minipipe/`; the functions below name them.
"""

import os
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from engine.errors import GitFailed
from engine.git.program import Git

OURS = "refs/minipipe/"
PATCHES, CANDIDATES, SHADOWS, EDITS = (f"{OURS}{kind}/" for kind in ("patches", "candidates", "shadow", "edits"))
ARCHIVE, ORPHANS = f"{OURS}archive/", f"{OURS}orphans/"
_TRIES = 40
_PAUSE_SECONDS = 0.05
_NO_OTHERS: Mapping[str, str | None] = MappingProxyType({})


def run_ref(run_id: str) -> str:
    """The integration head of a run."""
    return f"{OURS}runs/{run_id}"


def patch_ref(patch_id: str) -> str:
    """Keeps the commit of a patch alive."""
    return PATCHES + patch_id


def candidate_ref(patch_id: str) -> str:
    """The commit that a patch becomes if its gates pass."""
    return CANDIDATES + patch_id


def edit_ref(patch_id: str) -> str:
    """A patch as its reviewer edited it, until somebody has acted on that."""
    return EDITS + patch_id


def shadow_ref(run_id: str) -> str:
    """Where the steps of a run in shadow mode start from; never applied anywhere."""
    return SHADOWS + run_id


def orphan_ref(attempt_id: str) -> str:
    """What an attempt had changed when its engine died."""
    return ORPHANS + attempt_id


def archive_ref(run_id: str, step_id: str, number: int) -> str:
    """What a failed attempt had changed."""
    return f"{ARCHIVE}{run_id}/{step_id}.{number}"


def branch_ref(name: str) -> str:
    return f"refs/heads/{name}"


def read_ref(git: Git, name: str) -> str | None:
    done = git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    return done.output.decode().strip() if done.exit_code == 0 else None


def list_refs(git: Git, *prefixes: str) -> dict[str, str]:
    """Every ref below some prefixes, and what it points to."""
    output = git.tell("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
    pairs = (line.decode(errors="surrogateescape").split(" ", 1) for line in output.split(b"\n") if line)
    return {name: object_id for object_id, name in pairs}


def ref_differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The refs that are otherwise than before, and what has become of each."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield name, "was made" if old is None else "was deleted" if new is None else "was moved"


def create_ref(git: Git, name: str, commit: str) -> None:
    """Make a ref; one that is there and says the same is fine, one that says something else is not."""
    if not move_ref(git, name, commit, "0" * len(commit)):
        found = read_ref(git, name)
        if found != commit:
            raise GitFailed("update-ref", f"{name} is at {found}, not {commit}")


def put_ref(git: Git, name: str, commit: str, others: Mapping[str, str | None] = _NO_OTHERS) -> None:
    """Let a ref of ours, and others with it, say what the ledger says, wherever it was. Mostly it is new: that is tried
    first.
    """
    if move_ref(git, name, commit, "0" * len(commit), others=others):
        return
    found = read_ref(git, name)
    if (found != commit or others) and not move_ref(git, name, commit, found or "0" * len(commit), others=others):
        raise GitFailed("update-ref", f"{name} is being moved by somebody else")


def move_ref(
    git: Git, name: str, new: str, old: str, *, why: str = "minipipe", others: Mapping[str, str | None] = _NO_OTHERS
) -> bool:
    """Move a ref if it still is where it was believed to be; whether it was (zeros: it did not exist).

    `others` are refs of ours that are put to a commit with it, or deleted (None): all of them move, or none.
    """
    words = [b"update %s\0%s\0%s\0" % (os.fsencode(name), new.encode(), old.encode())]
    for other, commit in others.items():
        verb, value = ("delete", "") if commit is None else ("update", f"{commit}\0")
        words.append(b"%s %s\0%s\0" % (verb.encode(), os.fsencode(other), value.encode()))
    for _ in range(_TRIES):
        done = git.durable().ask("update-ref", "-m", why, "--no-deref", "--stdin", "-z", stdin=b"".join(words))
        if done.exit_code == 0:
            return True
        found = read_ref(git, name)
        if (found or "0" * len(new)) != old:
            return False
        # It is where it should be, so somebody else holds its lock for a moment.
        time.sleep(_PAUSE_SECONDS)
    raise GitFailed("update-ref", done.errors.decode(errors="replace").strip(), retryable=True)


def delete_ref(git: Git, name: str, old: str) -> bool:
    """Delete a ref if it is where it was believed to be; true also if it is gone already."""
    if git.durable().ask("update-ref", "--no-deref", "-d", name, old).exit_code == 0:
        return True
    return read_ref(git, name) is None
