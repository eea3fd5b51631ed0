"""Repositories of every kind, plans outside of them, and the real program started in them: the judge is plain git."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 120.0
NUMBERS = count(1)


class Ended(NamedTuple):
    """What a command line left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> list[str]:
        """The lines in which it says why it does not do something."""
        return [line for line in self.err.splitlines() if line.startswith("minipipe: ")]


@dataclass(frozen=True)
class Repo:
    """A repository on the disk, and a place beside it for plans and whatever tests leave."""

    path: Path
    beside: Path
    environ: Mapping[str, str] = field(repr=False)

    # -- plain git -------------------------------------------------------------------------------------

    def git(self, *words: str | bytes | Path, cwd: Path | None = None, stdin: bytes | None = None) -> bytes:
        done = self.try_git(*words, cwd=cwd, stdin=stdin)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def try_git(
        self, *words: str | bytes | Path, cwd: Path | None = None, stdin: bytes | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["git", *words], cwd=cwd or self.path, env=self.environ, input=stdin, capture_output=True, check=False
        )

    def line(self, *words: str, cwd: Path | None = None) -> str:
        return os.fsdecode(self.git(*words, cwd=cwd)).strip()

    def head(self, name: str = "HEAD") -> str:
        return self.line("rev-parse", "--verify", f"{name}^{{commit}}")

    def tree(self, name: str = "HEAD") -> str:
        return self.line("rev-parse", "--verify", f"{name}^{{tree}}")

    def files(self, name: str = "HEAD") -> list[str]:
        return [os.fsdecode(path) for path in self.git("ls-tree", "-rz", "--name-only", name).split(b"\0") if path]

    def content(self, path: str, name: str = "HEAD") -> bytes:
        return self.git("cat-file", "blob", f"{name}:{path}")

    def write(self, files: Mapping[str, bytes | str]) -> None:
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else os.fsencode(content))

    def commit(self, message: str = "more", **files: bytes | str) -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def is_sound(self) -> bool:
        """Whether git finds nothing broken, and nothing of a run is left in the way of the user."""
        fsck = self.try_git("fsck", "--full", "--strict", "--no-dangling")
        return fsck.returncode == 0

    # -- minipipe --------------------------------------------------------------------------------------

    def plan(self, *steps: Mapping[str, Any] | str, **more: Any) -> str:
        """Write a plan beside the repository; a step that is a text is its shell line, and is called s1, s2, ..."""
        listed = [
            {"id": f"s{place}", "shell": step} if isinstance(step, str) else dict(step)
            for place, step in enumerate(steps, 1)
        ]
        name = f"plan{next(NUMBERS)}"
        path = self.beside / f"{name}.json"
        path.write_text(json.dumps({"version": "1.0", "plan_id": name, "steps": listed, **more}))
        return str(path)

    def minipipe(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "minipipe_tui", *words],
            cwd=cwd or self.path,
            env={**self.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        return Ended(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))

    def start(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Any:
        return subprocess.Popen(
            [sys.executable, "-m", "minipipe_tui", *words],
            cwd=cwd or self.path,
            env={**self.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def run(
        self, *steps: Mapping[str, Any] | str, words: tuple[str, ...] = (), cwd: Path | None = None, **more: Any
    ) -> Ended:
        """Run a plan of these steps to its end, with its report as JSON."""
        return self.minipipe("run", self.plan(*steps, **more), "--no-ui", "--json", *words, cwd=cwd)

    def patches(self, *words: str) -> list[Any]:
        ended = self.minipipe("patch", "list", "--json", *words)
        assert ended.code == 0, ended.err
        return list(ended.document["patches"])

    def warnings(self) -> list[str]:
        ended = self.minipipe("events", "--json")
        rows = [json.loads(line) for line in ended.out.splitlines() if line.startswith("{")]
        return [row["reason"] for row in rows if row["event_type"] == "warning"]
