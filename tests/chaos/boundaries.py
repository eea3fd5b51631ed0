"""Where a process can be killed: the calls whose beginnings and ends are crossings, and the mine that waits at one.

The engine's own code is untouched: in a forked process the calls below are wrapped. A crossing counts only if something
on the disk has changed since the last one: two kills between which nothing was written are one and the same.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from engine import imports, ownership, promotion, recovery, rollback
from engine.backends import attempt
from engine.backends.local import LocalBackend
from engine.events.audit import AuditTrail
from engine.events.poke import PokeListener
from engine.events.trail_file import TrailFile
from engine.executor.artifacts import Artifacts
from engine.executor.attempts import Attempts
from engine.executor.changes import Capturing
from engine.executor.integration import Integration
from engine.executor.loop import RunLoop
from engine.executor.open_patches import OpenPatches
from engine.executor.passage import Passage
from engine.executor.pipeline import Pipeline
from engine.executor.review_desk import ReviewDesk
from engine.executor.steering import Steering
from engine.git import program
from engine.orchestrator import making
from engine.patches import half_moved
from engine.patches.intake import Intake
from engine.patches.ledger import PatchLedger
from engine.process.leader import Leader
from engine.process.logs import CappedLog
from engine.process.program import Finished
from engine.store import migrations
from engine.store.batch import Batch
from engine.store.database import Database
from engine.store.journal import Journal
from engine.workspace import Workspace
from engine.worktrees import locks, pool, rescue, worktree

BOUNDARIES: tuple[tuple[Any, str], ...] = (
    (Workspace, "prepare"),
    (migrations, "migrate"),
    (making, "write_run"),
    (imports, "write_run"),
    (ownership, "claim"),
    (ownership.RunLock, "release"),
    (recovery, "end_leftovers"),
    (recovery, "close_orphans"),
    (PokeListener, "__init__"),
    (PokeListener, "close"),
    (Journal, "end"),
    (Journal, "settle"),
    (Batch, "_write_events"),
    (Database, "checkpoint"),
    (Attempts, "claim"),
    (Attempts, "settle"),
    (Attempts, "put_off"),
    (RunLoop, "_begin"),
    (RunLoop, "_settle"),
    (RunLoop, "_tie_loose_ends"),
    (RunLoop, "_conclude"),
    (Steering, "cancel"),
    (LocalBackend, "start"),
    (LocalBackend, "wait"),
    (LocalBackend, "abort"),
    (LocalBackend, "close"),
    (attempt, "spawn"),
    (Leader, "reap"),
    (CappedLog, "finish"),
    (AuditTrail, "append"),
    (TrailFile, "append"),
    # -- patches
    (program.Git, "_run"),
    (locks, "write_holder"),
    (pool.WorktreePool, "_take"),
    (worktree.Worktree, "reset"),
    (worktree.Worktree, "release"),
    (worktree, "destroy"),
    (worktree, "add_worktree"),
    (worktree, "write_record"),
    (rescue, "_keep"),
    (Capturing, "capture"),
    (Artifacts, "keep"),
    (Intake, "admit"),
    (Intake, "_keep_text"),
    (OpenPatches, "make_refs"),
    (OpenPatches, "let_go_of_candidate"),
    (Integration, "advance"),
    (Passage, "_apply"),
    (Passage, "_commit"),
    (Pipeline, "open"),
    (Pipeline, "close_refs"),
    (ReviewDesk, "act"),
    (PatchLedger, "decide"),
    (promotion.Promotion, "_move"),
    (promotion.Promotion, "_conclude"),
    (promotion, "carry_out"),
    (promotion, "finish"),
    (half_moved.HalfMoved, "complete"),
    (half_moved.HalfMoved, "_update"),
    (rollback.Rollback, "_move"),
    (rollback, "carry_out"),
    (rollback, "conclude"),
)

LATE_SECONDS = 0.12

KINDS = ("engine", "git", "orphan", "late")


@dataclass(frozen=True, slots=True)
class Mine:
    """What is killed, and at which crossing.

    `engine`: the engine at a crossing. `git`: only the n-th git, in the middle of its work. `orphan`: the engine, while
    its n-th git goes on. `late`: the same, with a git that begins only when others are at work again.
    """

    at: int
    kind: str = "engine"

    def plant(self, places: Sequence[Path], *, told: Path) -> None:
        """Lay it in this process. `places` are the folders in which a change makes a crossing count; a git that was
        killed is told of by the file `told`.
        """
        if self.kind == "engine":
            _wrap_everything(_counting(self.at, places))
        else:
            _replace_git(self, told)


def _counting(at: int, places: Sequence[Path]) -> Callable[[], None]:
    crossings, last = count(1), dict[str, tuple[int, int]]()

    def cross() -> None:
        nonlocal last
        found = _look(places)
        if found != last:
            last = found
            if next(crossings) == at:
                os.kill(os.getpid(), signal.SIGKILL)

    return cross


def _look(places: Sequence[Path]) -> dict[str, tuple[int, int]]:
    """Names, times and sizes of what counts: objects that no ref names yet do not, nor what steps write."""
    found: dict[str, tuple[int, int]] = {}
    waiting = [str(place) for place in places]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.name in _UNIMPORTANT:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if entry.is_dir(follow_symlinks=False):
                found[entry.path] = (status.st_ino, 0)
                if not _is_worktree(entry.path):
                    waiting.append(entry.path)
            else:
                found[entry.path] = (status.st_mtime_ns, status.st_size)
    return found


_UNIMPORTANT = {"objects", "hooks", "info", "state.db-shm"}


def _is_worktree(path: str) -> bool:
    return Path(path).parent.name == "pool"


def _wrap_everything(cross: Callable[[], None]) -> None:
    for owner, name in BOUNDARIES:
        setattr(owner, name, _mined(getattr(owner, name), cross))


def _mined(call: Callable[..., Any], cross: Callable[[], None]) -> Callable[..., Any]:
    def mined(*arguments: Any, **keys: Any) -> Any:
        cross()
        answer = call(*arguments, **keys)
        cross()
        return answer

    return mined


# -- git itself --------------------------------------------------------------------------------------------


def _replace_git(mine: Mine, told: Path) -> None:
    calls, usual = count(1), program.run_program

    def run(argv: Sequence[Any], **keys: Any) -> Finished:
        if next(calls) != mine.at:
            return usual(argv, **keys)
        told.touch()
        return _hit(mine, argv, **keys)

    program.run_program = run  # type: ignore[assignment]


def _hit(
    mine: Mine,
    argv: Sequence[Any],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    held: Sequence[int] = (),
    timeout_seconds: float = 0.0,
) -> Finished:
    if mine.kind == "late":
        argv = ["/bin/sh", "-c", f'sleep {LATE_SECONDS}; exec "$@"', "sh", *argv]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        pass_fds=tuple(held),
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.flush()
    if mine.kind != "git":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(mine.at % 7 * 0.0006)
    process.kill()
    output, errors = process.communicate()
    return Finished(process.returncode, output, errors)
