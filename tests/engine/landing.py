"""A repository with runs that have something to promote, and an independent look at what became of it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.config.keys import Config, PatchSettings
from engine.errors import MinipipeError
from engine.orchestrator import Orchestrator
from engine.store import patch_queries, queries
from engine.store.documents import run_document
from engine.store.records import PatchRecord
from engine.workspace import find_workspace

LINES = "".join(f"line {number}\n" for number in range(1, 21))

TRUSTING = Config(patches=PatchSettings(review_score=101))
"""Nobody is asked about anything."""

Snapshot = dict[str, Any]


def step(step_id: str, shell: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "shell": shell, **more}


class Landing:
    """A repository, the engine on it, and plain git as the judge."""

    def __init__(self, root: Path, *, bare: bool = False) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.source = root.parent / "source" if bare else root
        self.source.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main", at=self.source)
        self.git("config", "user.name", "Ada", at=self.source)
        self.git("config", "user.email", "ada@example.org", at=self.source)
        (self.source / "a.txt").write_text(LINES)
        (self.source / "b.txt").write_text(LINES)
        (self.source / ".gitignore").write_text("*.log\n")
        self.git("add", "-A", at=self.source)
        self.git("commit", "-qm", "first", at=self.source)
        if bare:
            self.git("clone", "-q", "--bare", str(self.source), str(root), at=root.parent)
        self._opened: list[Orchestrator] = []

    # -- git -------------------------------------------------------------------------------------------

    def git(self, *words: str, at: Path | None = None, ok: bool = True) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        env = {**clean, "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true"}
        done = subprocess.run(
            ["git", *words], cwd=at or self.root, env=env, capture_output=True, text=True, check=False
        )
        assert not ok or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.rstrip("\n")

    def commit(self, path: str, content: str, *, at: Path | None = None) -> str:
        """A commit of the user's."""
        folder = at or self.root
        (folder / path).write_text(content)
        self.git("add", "-A", at=folder)
        self.git("commit", "-qm", f"by hand: {path}", at=folder)
        return self.git("rev-parse", "HEAD", at=folder)

    def at(self, ref: str) -> str:
        return self.git("rev-parse", "--verify", "--quiet", ref, ok=False)

    def show(self, ref: str, path: str) -> str:
        return self.git("show", f"{ref}:{path}")

    def status(self, at: Path | None = None) -> str:
        return self.git("status", "--porcelain", at=at)

    def assert_sound(self, at: Path | None = None) -> None:
        """Nothing looks changed, nothing is broken, no lock is left."""
        assert self.status(at) == ""
        self.git("fsck", "--strict", "--no-dangling")
        folder = Path(self.git("rev-parse", "--git-common-dir"))
        common = folder if folder.is_absolute() else self.root / folder
        assert not list(common.rglob("*.lock"))

    def snapshot(self, at: Path | None = None) -> Snapshot:
        """Everything of the user's: files, index, HEAD, their refs, their reflogs, what is under way."""
        folder = at or self.root
        own = Path(self.git("rev-parse", "--absolute-git-dir", at=folder))
        files = {
            str(path.relative_to(folder)): _digest(path)
            for path in sorted(folder.rglob("*"))
            if not {".git", ".minipipe"} & set(path.relative_to(folder).parts[:1]) and not path.is_dir()
        }
        state = {name: _digest(own / name) for name in ("index", "HEAD", "ORIG_HEAD", "MERGE_HEAD", "index.lock")}
        refs = self.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", at=folder)
        ours = "refs/heads/minipipe/"
        return {
            "files": files,
            "state": state,
            "refs": [line for line in refs.splitlines() if ours not in line],
            "config": _digest(own / "config"),
        }

    # -- the engine ------------------------------------------------------------------------------------

    def engine(self, folder: Path | None = None, *, config: Config | None = None) -> Orchestrator:
        workspace = find_workspace(folder or self.root)
        workspace.prepare()
        environ = {"PATH": os.environ["PATH"]}
        made = Orchestrator(workspace.database_path, workspace=workspace, environ=environ, config=config or TRUSTING)
        self._opened.append(made)
        return made

    def close(self) -> None:
        for each in self._opened:
            each.close()

    def make(self, engine: Orchestrator, *steps: dict[str, Any], target: str | None = None, **plan: Any) -> str:
        plan["globals"] = {"timeout_seconds": 30, **plan.get("globals", {})}
        return engine.create_run({"version": "1.0", "plan_id": "p", "steps": list(steps), **plan}, target=target)

    def run(
        self, *steps: dict[str, Any], engine: Orchestrator | None = None, target: str | None = None, **plan: Any
    ) -> "Result":
        """Make a run and execute it."""
        engine = engine or self.engine()
        run_id = self.make(engine, *steps, target=target, **plan)
        engine.execute_run(run_id)
        return Result(self, engine, run_id)


class Result:
    """A run that was executed."""

    def __init__(self, landing: Landing, engine: Orchestrator, run_id: str) -> None:
        self.landing = landing
        self.engine = engine
        self.run_id = run_id

    @property
    def document(self) -> dict[str, Any]:
        assert queries.inconsistencies(self.engine.database) == []
        document = run_document(self.engine.database, self.run_id)
        json.dumps(document)
        return document

    @property
    def promotion(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["promotion"]
        return found

    @property
    def head(self) -> str:
        return str(self.document["head_commit"])

    @property
    def own(self) -> str:
        return f"minipipe/{self.run_id}"

    def patch(self, step_id: str) -> PatchRecord:
        found = patch_queries.patches_of(self.engine.database, self.run_id)
        (patch,) = [each for each in found if each.step_id == step_id]
        return patch

    def events(self) -> list[str]:
        return [event.event_type for event in queries.events_after(self.engine.database, 0, run_id=self.run_id)]

    def promote(self, **how: Any) -> Mapping[str, Any]:
        self.engine.promote_run(self.run_id, **how)
        return self.promotion


def refusal(action: Any) -> MinipipeError:
    """The error that an action ends with."""
    try:
        action()
    except MinipipeError as error:
        return error
    raise AssertionError("it was not refused")


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
