"""Events as the engine would publish them, and repositories in which the real program is started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from minipipe_tui.cli.main import main

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 20.0

RUN_ID = "run_01JD8Q3ZK5XN6W2V7T9R4B1C0M"


@dataclass(frozen=True, slots=True)
class Happening:
    """What progress reads of an event."""

    event_type: str
    entity_type: str
    reason: str | None = None
    to_state: str | None = None
    run_id: str | None = RUN_ID
    metadata: Mapping[str, Any] = field(default_factory=dict)
    timestamp: str = "2026-11-21T12:01:03.000000Z"
    entity_id: str = ""


@pytest.fixture
def about_run() -> Callable[..., Any]:
    def make(event_type: str, **facts: Any) -> Happening:
        return Happening(event_type, "run", **facts)

    return make


@pytest.fixture
def about_step() -> Callable[..., Any]:
    def make(event_type: str, step_id: str, *, reason: str | None = None, **metadata: Any) -> Happening:
        to_state = metadata.pop("to_state", None)
        return Happening(event_type, "task", reason, to_state, metadata={"step_id": step_id, **metadata})

    return make


@pytest.fixture
def about_patch() -> Callable[..., Any]:
    def make(event_type: str, *, to_state: str | None = None, reason: str | None = None, **metadata: Any) -> Happening:
        return Happening(event_type, "patch", reason, to_state, metadata=metadata, entity_id="pat_1")

    return make


@pytest.fixture
def about_gate() -> Callable[..., Any]:
    def make(event_type: str, name: str, *, to_state: str) -> Happening:
        return Happening(event_type, "gate", None, to_state, metadata={"name": name, "patch_id": "pat_1"})

    return make


class Ended(NamedTuple):
    """What a command line left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MINIPIPE_", "GIT_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path / "no-config"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false")
    subprocess.run([*git, "init", "-q", "--template="], cwd=folder, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], cwd=folder, check=True)
    return folder


@pytest.fixture
def plan(repo: Path) -> Callable[..., str]:
    """Writes a plan of the given steps into the repository and answers its name.

    Its steps work in the repository's own folder, where tests see what they do, unless the plan says otherwise.
    """

    def write(*steps: Mapping[str, Any], name: str = "plan", **more: Any) -> str:
        common = more.pop("globals", {})
        if "use_worktrees" not in common:
            common = {"isolation": "none", **common}
        document = {"version": "1.0", "plan_id": name, "steps": list(steps), "globals": common, **more}
        (repo / f"{name}.json").write_text(json.dumps(document))
        return f"{name}.json"

    return write


@pytest.fixture
def here(
    repo: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Runs a command line in this process, in the repository."""
    for name in [name for name in os.environ if name.startswith("MINIPIPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", environ["XDG_CONFIG_HOME"])
    monkeypatch.chdir(repo)

    def run(*words: str) -> Ended:
        capsys.readouterr()
        code = main(list(words))
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def started(repo: Path, environ: dict[str, str]) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts the program as its own process, and makes sure that none is left at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str, cwd: Path = repo, env: Mapping[str, str] | None = None, **options: Any) -> Any:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [sys.executable, "-m", "minipipe_tui", *words],
            cwd=cwd,
            env={**environ, **(env or {})},
            text=True,
            **streams,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a process and the steps that it runs: killed at once, it would leave them behind."""
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@pytest.fixture
def there(started: Callable[..., "subprocess.Popen[str]"]) -> Callable[..., Ended]:
    """Runs a command line as its own process, to its end."""

    def run(*words: str, **options: Any) -> Ended:
        process = started(*words, **options)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
        return Ended(process.returncode, out or "", err or "")

    return run


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Wait for a condition, and answer what it said."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about")


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any], str], Any]:
    return wait_until


@pytest.fixture
def reviewed(here: Callable[..., Ended], plan: Callable[..., str]) -> Callable[..., dict[str, str]]:
    """Runs steps (a name and a shell line each) whose changes must be reviewed; the id of each step's patch."""

    def run(**shells: str) -> dict[str, str]:
        steps = [{"id": name, "shell": shell, "review": "always"} for name, shell in shells.items()]
        ended = here("run", plan(*steps, globals={"use_worktrees": True, "max_concurrent_steps": 1}), "--json")
        assert ended.code == 3, ended.err
        patches = here("review", "list", "--json").document["patches"]
        return {patch["step_id"]: patch["patch_id"] for patch in patches}

    return run
