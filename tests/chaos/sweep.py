"""Every boundary is a kill point: the engine kills itself at the n-th crossing, for every n.

What crossings are is said in `boundaries.py`, what is done in `scenarios.py`, what must be true afterwards in the two
inspections. Everything is done in forks of this process, which has imported the engine already.
"""

import io
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import imports
from engine.api import open_engine
from engine.errors import MinipipeError
from engine.executor.settings import settings_for
from minipipe_tui.cli import (
    acting,
    complaint,
    db,
    hosting,
    patch,
    progress,
    promote,
    report,
    resume,
    review,
    rollback,
    run,
)
from minipipe_tui.cli.main import main
from tests.chaos.boundaries import Mine
from tests.chaos.git_inspection import Belongings, belongings, git_violations, plain_git
from tests.chaos.inspection import violations
from tests.chaos.scenarios import SCENARIOS, Deed, Scenario
from tests.chaos.workshop import Running, Workshop

WARM = (acting, complaint, db, hosting, patch, progress, promote, report, resume, review, rollback, run)
"""What the commands import when they are called: here it is there before the fork."""


class ForkingWorkshop(Workshop):
    """Runs commands in forks of this process. What was done before the kill is done once, and put back each time."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "live")
        self._live, self._kept = folder / "live", folder / "kept"

    def minipipe(self, *words: str, seconds: float = 60.0, mine: Mine | None = None) -> Running:
        pid = os.fork()
        if pid == 0:
            _become(words, self, mine, self.side / "said")
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return _Ended(status, (self.side / "said").read_text() if status >= 0 else "")

    def keep(self) -> None:
        subprocess.run(["cp", "-a", "--reflink=auto", self._live, self._kept], check=True)

    def put_back(self) -> None:
        self.close()
        shutil.rmtree(self._live)
        subprocess.run(["cp", "-a", "--reflink=auto", self._kept, self._live], check=True)


class _Ended(Running):
    """A command that ran in a fork."""

    def __init__(self, code: int, said: str) -> None:
        self._code = code
        self.output = self.errors = said

    @property
    def code(self) -> int | None:
        return self._code


def sweep(
    name: str, *, kind: str = "engine", first: int = 1, stride: int = 1, tell: bool = False
) -> tuple[int, list[str]]:
    """Kill at every `stride`-th crossing of a scenario: how many kills there were, and every violation."""
    scenario, kills, found = SCENARIOS[name], 0, []
    with TemporaryDirectory(prefix="minipipe-sweep-") as folder:
        shop = ForkingWorkshop(Path(folder))
        plan = scenario.plan(shop)
        trial = _Trial(shop, scenario, plan)
        trial.prepare()
        for crossing in count(first, stride):
            was_hit, problems = trial.kill(Mine(crossing, kind))
            found += [f"{name}, {kind} {crossing}: {problem}" for problem in problems]
            if tell and problems:
                print(*found[-len(problems) :], sep="\n", flush=True)
            if not was_hit:
                return kills, found
            kills += 1
    raise AssertionError("never reached")


class _Trial:
    """One scenario, played again and again with a mine at another place."""

    def __init__(self, shop: ForkingWorkshop, scenario: Scenario, plan: Path) -> None:
        self._shop = shop
        self._scenario = scenario
        self._plan = plan
        self._before = Belongings({}, {})

    def prepare(self) -> None:
        if not self._scenario.killed_before:
            for deed in self._scenario.before:
                self._do(deed)
        self._before = belongings(self._shop)
        self._shop.keep()

    def kill(self, mine: Mine) -> tuple[bool, list[str]]:
        """Whether the mine went off, and what was wrong in the end."""
        shop, scenario = self._shop, self._scenario
        shop.put_back()
        if scenario.killed_before:
            # Living processes are part of what was before: they cannot be put back.
            for deed in scenario.before:
                self._do(deed, Mine(scenario.killed_before))
        swept = self._do(scenario.swept, mine)
        was_hit = _went_off(shop, swept, mine)
        if shop.run_id() is None:
            self._do(scenario.swept)
        last: list[str] = []
        for words in scenario.after:
            if not self._is_needless(words):
                last = [f"{' '.join(words)}: exit {done.code}" for done in [self._do(words)]]
        problems = list(self._problems(mine))
        return was_hit, [*problems, *(last if problems else [])]

    def _do(self, deed: Deed, mine: Mine | None = None) -> Running | None:
        if callable(deed):
            deed(self._shop)
            return None
        words = [str(self._plan) if word == "PLAN" else word for word in deed]
        return self._shop.minipipe(*words, mine=mine)

    def _is_needless(self, words: Sequence[str]) -> bool:
        """Whether a command that makes something new would do a second time what has come about by now."""
        return words[0] == "!import" and self._shop.run_state() == "succeeded"

    def _problems(self, mine: Mine) -> Iterator[str]:
        shop, scenario = self._shop, self._scenario
        run_id = shop.run_id()
        if run_id is None:
            yield "there is no run"
            return
        is_about_git = mine.kind == "git"
        state = None if is_about_git else scenario.state
        yield from violations(shop, run_id, state, scenario.steps, has_patches=scenario.has_patches)
        if not scenario.has_patches:
            return
        yield from git_violations(shop, self._before, target=scenario.target, is_checked_out=scenario.is_checked_out)
        if not is_about_git:
            yield from self._results(run_id)

    def _results(self, run_id: str) -> Iterator[str]:
        shop, scenario = self._shop, self._scenario
        ((promotion, head),) = shop.rows(
            "SELECT json_extract(promotion, '$.state'), head_commit FROM runs WHERE run_id = ?", run_id
        )
        if scenario.promotion not in (None, promotion):
            yield f"the promotion is {promotion}, not {scenario.promotion}"
        for name, wanted in scenario.files.items():
            found = plain_git(shop, "show", f"{scenario.target or head}:{name}", check=False)
            if found.splitlines()[:1] != [wanted]:
                yield f"{name} begins with {found[:40]!r}, not {wanted!r}"


def _went_off(shop: ForkingWorkshop, swept: Running | None, mine: Mine) -> bool:
    if mine.kind != "git":
        return swept is not None and swept.code == -signal.SIGKILL
    return (shop.side / "hit").exists()


# -- inside the fork -----------------------------------------------------------------------------------------


def _become(words: Sequence[str], shop: Workshop, mine: Mine | None, said: Path) -> None:
    """Be minipipe, and never come back."""
    code, text = 99, io.StringIO()
    try:
        os.chdir(shop.root)
        os.environ.update(shop.environment)
        if mine is not None:
            mine.plant((shop.root / ".git", shop.state, shop.home), told=shop.side / "hit")
        with redirect_stdout(text), redirect_stderr(text):
            code = _import(shop.side / words[1]) if words[0] == "!import" else main(words)
    except MinipipeError as error:
        code = 1
        text.write(error.message)
    finally:
        said.write_text(text.getvalue())
        os._exit(code)


def _import(path: Path) -> int:
    """Take a patch file in, and go on with it."""
    with open_engine(Path.cwd()) as orchestrator:
        plan = imports.import_plan(path.name, review="auto")
        how = imports.ImportWishes(settings_for(plan, orchestrator.config))
        run_id = orchestrator.import_patch(path.read_bytes(), name=path.name, how=how)
        return hosting.host_run(orchestrator, run_id, as_json=False)
