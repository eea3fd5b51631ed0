"""What must be true of a repository after runs in it were killed and resumed: refs and ledger say the same.

Asks plain git and SQLite, never the engine. What is wrong comes out as sentences.
"""

import fcntl
import os
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.chaos.workshop import Workshop

OURS = "refs/minipipe/"


class Belongings(NamedTuple):
    """What is the user's: files, index, HEAD and settings with their bytes, and every ref that is not ours."""

    files: dict[str, bytes]
    refs: dict[str, str]


def plain_git(shop: Workshop, *words: str, check: bool = True) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "--no-optional-locks", *words], cwd=shop.root, env=environment, capture_output=True, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"git {words}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="surrogateescape").rstrip("\n")


def belongings(shop: Workshop) -> Belongings:
    files = {
        str(path.relative_to(shop.root)): path.read_bytes()
        for path in sorted(shop.root.rglob("*"))
        if path.is_file() and path.relative_to(shop.root).parts[0] not in (".git", ".minipipe")
    }
    kept = {name: (shop.root / ".git" / name).read_bytes() for name in ("index", "HEAD", "config")}
    return Belongings({**files, **kept}, {name: at for name, at in refs(shop).items() if not name.startswith(OURS)})


def refs(shop: Workshop) -> dict[str, str]:
    lines = plain_git(shop, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def git_violations(
    shop: Workshop, before: Belongings, *, target: str | None = None, is_checked_out: bool = False
) -> list[str]:
    """Everything that is wrong. `target` is the branch that may have moved, with its files where it is checked out."""
    return [
        *_soundness(shop),
        *_ledger_and_refs(shop),
        *_history(shop, target),
        *_users_things(shop, before, target, is_checked_out=is_checked_out),
        *_locks(shop),
        *_worktrees(shop),
    ]


def _soundness(shop: Workshop) -> Iterator[str]:
    done = subprocess.run(
        ["git", "fsck", "--strict", "--no-dangling", "--no-progress"], cwd=shop.root, capture_output=True, check=False
    )
    if done.returncode != 0:
        yield f"git fsck: {(done.stdout + done.stderr).decode(errors='replace').strip()}"


# -- refs and rows -----------------------------------------------------------------------------------------


def _ledger_and_refs(shop: Workshop) -> Iterator[str]:
    found = {name: at for name, at in refs(shop).items() if name.startswith(OURS)}
    yield from _run_refs(shop, found)
    yield from _patch_refs(shop, found)
    yield from _other_refs(shop, found)


def _run_refs(shop: Workshop, found: dict[str, str]) -> Iterator[str]:
    rows = shop.rows("SELECT run_id, state, mode, base_commit, head_commit FROM runs WHERE base_commit IS NOT NULL")
    for run_id, state, mode, base, head in rows:
        is_over = state in ("succeeded", "failed", "canceled")
        at = found.pop(f"{OURS}runs/{run_id}", None)
        expected = None if mode == "shadow" or head in (None, base) else head
        if at != expected and not (at == base and not is_over):
            yield f"the ref of {run_id} ({state}) is at {at}, the ledger says {expected}"
        if found.pop(f"{OURS}shadow/{run_id}", None) is not None and is_over:
            yield f"the shadow of {run_id} ({state}) is left"


def _patch_refs(shop: Workshop, found: dict[str, str]) -> Iterator[str]:
    for patch_id, state, commit, candidate in shop.rows(
        "SELECT patch_id, state, commit_id, candidate_commit FROM patches"
    ):
        at = found.pop(f"{OURS}patches/{patch_id}", None)
        if at != commit:
            yield f"the ref of {patch_id} ({state}) is at {at}, the ledger says {commit}"
        at = found.pop(f"{OURS}candidates/{patch_id}", None)
        if at is not None and (state not in ("applied", "verified") or at != candidate):
            yield f"{patch_id} is {state}, and its candidate ref is left"


def _other_refs(shop: Workshop, found: dict[str, str]) -> Iterator[str]:
    known = {name for (name,) in shop.rows("SELECT run_id FROM runs UNION SELECT attempt_id FROM step_attempts")}
    for name in found:
        kind, _, rest = name.removeprefix(OURS).partition("/")
        owner = rest.split("/")[0].split("-")[0]
        if kind not in ("archive", "orphans") or owner not in known:
            yield f"{name} belongs to nothing on record"


# -- commits -----------------------------------------------------------------------------------------------


def _history(shop: Workshop, target: str | None) -> Iterator[str]:
    yield from _commits_on_record(shop)
    for run_id, base, head, state, promotion in shop.rows(
        "SELECT run_id, base_commit, head_commit, state, json_extract(promotion, '$.state') FROM runs"
        " WHERE base_commit IS NOT NULL AND mode <> 'shadow'"
    ):
        wanted = _committed(shop, run_id)
        if head is not None:
            yield from _compared(f"the branch of {run_id}", _trailers(shop, f"{base}..{head}"), wanted, run_id, shop)
        if target is None:
            continue
        there = _trailers(shop, f"{base}..{target}")
        ours = [patch_id for patch_id in there if patch_id in wanted]
        if promotion == "done":
            yield from _compared(f"{target}, promoted by {run_id}", there, wanted, run_id, shop)
        elif ours:
            yield f"{target} holds {len(ours)} of {len(wanted)} patches of {run_id}, which is {state}, {promotion}"


def _commits_on_record(shop: Workshop) -> Iterator[str]:
    for entity_id, count in shop.rows(
        "SELECT entity_id, count(*) FROM events WHERE event_type = 'patch_committed' GROUP BY 1 HAVING count(*) > 1"
    ):
        yield f"{entity_id} is recorded as committed {count} times"
    for commit, count in shop.rows(
        "SELECT committed_commit, count(*) FROM patches WHERE committed_commit IS NOT NULL GROUP BY 1"
        " HAVING count(*) > 1"
    ):
        yield f"{commit} is recorded as the commit of {count} patches"


def _committed(shop: Workshop, run_id: str) -> set[str]:
    """The patches that a run has committed, undone later or not: their commits stay in the history."""
    return {
        patch_id
        for (patch_id,) in shop.rows(
            "SELECT patch_id FROM patches WHERE run_id = ? AND committed_commit IS NOT NULL", run_id
        )
    }


def _trailers(shop: Workshop, commits: str) -> list[str]:
    output = plain_git(shop, "log", "--format=%(trailers:key=Minipipe-Patch,valueonly,separator=%x2C)", commits)
    return [line for line in output.splitlines() if line]


def _compared(what: str, there: list[str], wanted: Collection[str], run_id: str, shop: Workshop) -> Iterator[str]:
    own = {patch_id for (patch_id,) in shop.rows("SELECT patch_id FROM patches WHERE run_id = ?", run_id)}
    counted = Counter(patch_id for patch_id in there if patch_id in own)
    for patch_id in sorted({*wanted, *counted}):
        expected = 1 if patch_id in wanted else 0
        if counted[patch_id] != expected:
            yield f"{what} holds {patch_id} {counted[patch_id]} times, not {expected}"


# -- the user's --------------------------------------------------------------------------------------------


def _users_things(shop: Workshop, before: Belongings, target: str | None, *, is_checked_out: bool) -> Iterator[str]:
    after = belongings(shop)
    may_move = {f"refs/heads/{target}"} if target else set()
    kept = {f"refs/heads/minipipe/{run_id}" for (run_id,) in shop.rows("SELECT run_id FROM runs")}
    for name in sorted({*before.refs, *after.refs} - may_move - kept):
        if before.refs.get(name) != after.refs.get(name):
            yield f"{name} was moved from {before.refs.get(name)} to {after.refs.get(name)}"
    yield from _branches_for_people(shop, after.refs)
    if is_checked_out:
        yield from _checked_out(shop, target or "HEAD")
        return
    for name in sorted({*before.files, *after.files}):
        if before.files.get(name) != after.files.get(name):
            yield f"{name} of the user's is not as it was"


def _branches_for_people(shop: Workshop, found: dict[str, str]) -> Iterator[str]:
    for run_id, head, promotion in shop.rows(
        "SELECT run_id, head_commit, json_extract(promotion, '$.state') FROM runs"
    ):
        at = found.get(f"refs/heads/minipipe/{run_id}")
        if at is not None and (at != head or promotion == "done"):
            yield f"the branch of {run_id} ({promotion}) is at {at}, its head is {head}"


def _checked_out(shop: Workshop, target: str) -> Iterator[str]:
    if status := plain_git(shop, "status", "--porcelain"):
        yield f"git status says {status.splitlines()}"
    if plain_git(shop, "symbolic-ref", "HEAD") != f"refs/heads/{target}":
        yield f"HEAD is not on {target} any more"


# -- what must not be left ---------------------------------------------------------------------------------


def _locks(shop: Workshop) -> Iterator[str]:
    for path in sorted((shop.root / ".git").rglob("*.lock")):
        yield f"{path.relative_to(shop.root)} is left"
    for path in sorted(shop.worktrees.rglob("*.index.lock")):
        yield f"{path.name} is left"


def _worktrees(shop: Workshop) -> Iterator[str]:
    for path in sorted(shop.worktrees.glob("*/pool/*.lock")):
        if text := path.read_text():
            yield f"{path.name} still says who uses it: {text}"
        if not _is_free(path):
            yield f"{path.name} is still locked"
    for line in plain_git(shop, "worktree", "list", "--porcelain").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "prunable":
            yield f"git could prune a worktree: {rest}"
        if kind == "worktree" and Path(rest) != shop.root and not Path(rest).is_relative_to(shop.worktrees):
            yield f"there is a strange worktree: {rest}"


def _is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
