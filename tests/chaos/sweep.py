"""Every boundary is a kill point: the engine kills itself at the n-th crossing, for every n.

The engine's own code is untouched: in a forked process the calls listed in `BOUNDARIES` are wrapped, and each is a
crossing when it begins and when it returns. A scenario is a series of commands; its last one is swept.
"""

import io
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine import orchestrator, ownership, recovery
from engine.backends import attempt
from engine.backends.local import LocalBackend
from engine.events.audit import AuditTrail
from engine.events.poke import PokeListener
from engine.events.trail_file import TrailFile
from engine.executor.attempts import Attempts
from engine.executor.loop import RunLoop
from engine.executor.steering import Steering
from engine.process.leader import Leader
from engine.process.logs import CappedLog
from engine.store import migrations
from engine.store.batch import Batch
from engine.store.database import Database
from engine.store.journal import Journal
from engine.workspace import Workspace
from minipipe_tui.cli import acting, complaint, db, hosting, progress, report, resume, run
from minipipe_tui.cli.main import main
from tests.chaos.inspection import violations
from tests.chaos.workshop import Running, Workshop

BOUNDARIES: tuple[tuple[Any, str], ...] = (
    (Workspace, "prepare"),
    (migrations, "migrate"),
    (orchestrator, "write_run"),
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
)
WARM = (acting, complaint, db, hosting, progress, report, resume, run)
"""What the commands import when they are called: here it is there before the fork."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Commands before the one that is swept, each with the crossing at which it is killed; and what must come of it."""

    before: tuple[tuple[tuple[str, ...], int], ...]
    swept: tuple[str, ...]
    after: tuple[str, ...]
    state: str


SCENARIOS = {
    "run": Scenario((), ("run", "PLAN", "--no-ui"), ("resume", "last"), "succeeded"),
    "resume": Scenario(((("run", "PLAN", "--no-ui"), 90),), ("resume", "last"), ("resume", "last"), "succeeded"),
    "cancel": Scenario(((("run", "PLAN", "--no-ui"), 90),), ("cancel", "last"), ("cancel", "last"), "canceled"),
}


class ForkingWorkshop(Workshop):
    """Runs commands in forks of this process, which has imported everything already."""

    def minipipe(self, *words: str, seconds: float = 60.0, crossing: int = 0) -> Running:
        pid = os.fork()
        if pid == 0:
            _become(words, self.root, crossing, self.side / "said")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return _Ended(status, (self.side / "said").read_text() if status >= 0 else "")

    def begin_again(self) -> None:
        self.close()
        shutil.rmtree(self.state, ignore_errors=True)
        self.log.write_text("")


class _Ended(Running):
    """A command that ran in a fork."""

    def __init__(self, code: int, said: str) -> None:
        self._code = code
        self.output = self.errors = said

    @property
    def code(self) -> int | None:
        return self._code


def sweep(name: str, *, first: int = 1, stride: int = 1, tell: bool = False) -> tuple[int, list[str]]:
    """Kill at every `stride`-th crossing of a scenario: how many kills there were, and every violation."""
    scenario, kills, found = SCENARIOS[name], 0, []
    with TemporaryDirectory(prefix="minipipe-sweep-") as folder:
        shop = ForkingWorkshop(Path(folder))
        plan = _plan(shop)
        for crossing in count(first, stride):
            shop.begin_again()
            was_killed, problems = _kill_at(shop, scenario, plan, crossing)
            found += [f"{name}, crossing {crossing}: {problem}" for problem in problems]
            if tell and problems:
                print(*found[-len(problems) :], sep="\n", flush=True)
            if not was_killed:
                return kills, found
            kills += 1
    raise AssertionError("never reached")


def _plan(shop: Workshop) -> Path:
    flaky = shop.step("flaky", "flaky", 0.005, retries=2, backoff={"initial_seconds": 0.01, "jitter": 0.0})
    return shop.plan(
        shop.step("give", "giving", 0.005),
        flaky,
        shop.step("read", "reading", 0.005, "${give.made}", depends_on=["give"]),
        shop.step("fork", "forking", 0.005, depends_on=["give"]),
        shop.step("scrub", "scrubbing", 0.005, workstream="w"),
        shop.step("join", "writing", 0.005, depends_on=["read", "fork", "flaky"], workstream="w"),
        final=[shop.step("final", "plain", 0.005)],
    )


def _kill_at(shop: ForkingWorkshop, scenario: Scenario, plan: Path, crossing: int) -> tuple[bool, list[str]]:
    for words, at in scenario.before:
        shop.minipipe(*_with(plan, words), crossing=at)
    was_killed = shop.minipipe(*_with(plan, scenario.swept), crossing=crossing).code == -signal.SIGKILL
    if shop.run_id() is None:
        shop.minipipe("run", str(plan), "--no-ui")
    shop.minipipe(*scenario.after)
    run_id = shop.run_id()
    if run_id is None:
        return was_killed, ["there is no run"]
    return was_killed, violations(shop, run_id, scenario.state, _expected_steps(shop, scenario))


def _with(plan: Path, words: Sequence[str]) -> list[str]:
    return [str(plan) if word == "PLAN" else word for word in words]


def _expected_steps(shop: Workshop, scenario: Scenario) -> dict[str, str]:
    """All are completed; after a cancel each may be completed or canceled, but nothing else."""
    rows = shop.rows("SELECT step_id, state FROM tasks")
    is_canceled = scenario.state == "canceled"
    return {step_id: state if is_canceled and state == "canceled" else "completed" for step_id, state in rows}


# -- inside the fork -----------------------------------------------------------------------------------------


def _become(words: Sequence[str], folder: Path, crossing: int, said: Path) -> None:
    """Be minipipe, and never come back."""
    code = 99
    try:
        os.chdir(folder)
        if crossing:
            _plant(crossing)
        text = io.StringIO()
        with redirect_stdout(text), redirect_stderr(text):
            code = main(words)
        said.write_text(text.getvalue())
    finally:
        os._exit(code)


def _plant(crossing: int) -> None:
    crossings = count(1)

    def cross() -> None:
        if next(crossings) == crossing:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in BOUNDARIES:
        setattr(owner, name, _mined(getattr(owner, name), cross))


def _mined(call: Callable[..., Any], cross: Callable[[], None]) -> Callable[..., Any]:
    def mined(*arguments: Any, **keys: Any) -> Any:
        cross()
        answer = call(*arguments, **keys)
        cross()
        return answer

    return mined
