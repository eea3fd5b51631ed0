"""A place to break things in: a git repository, steps that keep records of their own, and minipipe as a user starts it.

Everything lies in one folder that is the test's own. Nothing here looks into the engine: what happened is read from
files, from SQLite and from /proc.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2]
STEP = Path(__file__).with_name("step.sh")
LINES = "".join(f"line {number}\n" for number in range(1, 10))
CONFIG = "[run]\ncrash_loop_limit = 1000000\ngrace_seconds = 0.3\n"

Json = dict[str, Any]


def wait_until(condition: Callable[[], Any], *, seconds: float = 10.0, what: str = "") -> Any:
    """The first true answer of a condition, or AssertionError after the time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what or condition}"
        time.sleep(0.005)
    return found


class Workshop:
    """A repository with one commit, and a folder beside it in which steps note what they do."""

    def __init__(self, folder: Path, *, config: str = CONFIG) -> None:
        self.root = folder / "repo"
        self.side = folder / "side"
        self.log = self.side / "log"
        self.state = self.root / ".minipipe"
        self.database = self.state / "state.db"
        self.home = folder / "home"
        self.worktrees = self.home / "minipipe" / "worktrees"
        self.root.mkdir(parents=True, exist_ok=True)
        self.home.mkdir()
        self.side.mkdir()
        self.log.touch()
        (self.root / "minipipe.toml").write_text(config)
        self._commit()

    @property
    def environment(self) -> dict[str, str]:
        """What minipipe and the user's git are started with: nobody's settings, and worktrees beside the repository."""
        return {"PYTHONPATH": str(SOURCE), "HOME": str(self.home), "XDG_STATE_HOME": str(self.home)}

    def git(self, *words: str, cwd: Path | None = None, check: bool = True, stdin: str = "") -> str:
        """git as the user calls it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.root,
            env={**clean, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"git {words}: {done.stderr}"
        return done.stdout.rstrip("\n")

    def commit(self, message: str, **files: str) -> str:
        """Commit as the user does, with `name.txt` for every name."""
        for name, content in files.items():
            (self.root / f"{name}.txt").write_text(content)
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def _commit(self) -> None:
        self.git("init", "-q", "-b", "main", "--template=")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        self.commit("begin", shared=LINES)

    # -- plans -----------------------------------------------------------------------------------------

    def step(self, step_id: str, kind: str = "plain", seconds: float = 0.01, *value: str, **keys: Any) -> Json:
        """A step of a plan that keeps its record here."""
        return {"id": step_id, "command": [str(STEP), str(self.side), f"{seconds:g}", kind, *value], **keys}

    def plan(
        self,
        *steps: Json,
        name: str = "plan",
        slots: int = 2,
        final: Sequence[Json] = (),
        isolation: str = "none",
        **keys: Any,
    ) -> Path:
        """Write a plan's file, outside the repository; `final` are its `finally` steps."""
        path = self.side / f"{name}.json"
        settings = {"isolation": isolation, "max_concurrent_steps": slots}
        plan = {"version": "1.0", "plan_id": name, "name": name, "globals": settings, "steps": steps, "finally": final}
        path.write_text(json.dumps(plan | keys))
        return path

    # -- minipipe --------------------------------------------------------------------------------------

    def start(self, *words: str, program: tuple[str, ...] = ("-m", "minipipe_tui"), **keys: Any) -> "Running":
        """Start minipipe, in a session of its own."""
        env = {**self.environment, **keys.pop("env", {})}
        return Running([sys.executable, *program, *words], cwd=self.root, env=env, **keys)

    def minipipe(self, *words: str, seconds: float = 60.0) -> "Running":
        """Run minipipe to its end."""
        running = self.start(*words)
        running.finish(seconds)
        return running

    def document(self, run_id: str = "last") -> Json:
        found: Json = json.loads(self.minipipe("show", run_id, "--json").output)
        return found

    # -- what happened ---------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the store; none while there is no store yet."""
        try:
            connection = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)
            try:
                return connection.execute(sql, parameters).fetchall()
            finally:
                connection.close()
        except sqlite3.OperationalError:
            return []

    def run_id(self) -> str | None:
        """The newest run, if there is one."""
        rows = self.rows("SELECT run_id FROM runs ORDER BY run_id DESC LIMIT 1")
        return str(rows[0][0]) if rows else None

    def run_state(self) -> str | None:
        rows = self.rows("SELECT state FROM runs ORDER BY run_id DESC LIMIT 1")
        return str(rows[0][0]) if rows else None

    def records(self, kind: str = "") -> list[tuple[str, ...]]:
        """What the steps noted, in order: `start STEP ATTEMPT`, `end STEP ATTEMPT`, …"""
        lines = [tuple(line.split(" ")) for line in self.log.read_text().splitlines()]
        return [line for line in lines if not kind or line[0] == kind]

    def wait_for_start(self, step_id: str, *, times: int = 1) -> None:
        wait_until(
            lambda: sum(line[1] == step_id for line in self.records("start")) >= times,
            what=f"start of {step_id}",
        )

    def open_gate(self) -> None:
        """Let `gated` steps go on."""
        (self.side / "gate").touch()

    def close(self) -> None:
        """End what a failed test has left running."""
        for pid in self.marked_processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def marked_processes(self) -> list[int]:
        """The living processes that work for a run of this workshop, found by their environment."""
        sql = "SELECT attempt_id FROM step_attempts UNION SELECT gate_id FROM gates"
        attempts = {attempt_id.encode() for (attempt_id,) in self.rows(sql)}
        return [pid for pid in _pids() if _attempt_in_environment(pid) in attempts]


class Running:
    """A minipipe process of ours."""

    def __init__(self, argv: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.output = self.errors = ""

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def finish(self, seconds: float = 60.0) -> int:
        """Its exit code, once it has ended."""
        try:
            self.output, self.errors = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end within {seconds:g} s: {self.errors}") from None
        return self._process.returncode

    def kill(self) -> None:
        self._process.kill()
        self.output, self.errors = self._process.communicate()


def _pids() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _attempt_in_environment(pid: int) -> bytes | None:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = b"MINIPIPE_ATTEMPT_ID="
    return next((entry[len(prefix) :] for entry in entries if entry.startswith(prefix)), None)
