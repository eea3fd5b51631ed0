"""A real git repository for tests, and runs in it; what git says is asked of plain git, not of the engine."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.api import open_engine
from engine.config.keys import Config, config_from
from engine.events import Event
from engine.orchestrator import Orchestrator
from engine.patches.ledger import PatchLedger
from engine.store import patch_queries, queries
from engine.store.documents import run_document
from engine.store.patch_documents import patch_document
from engine.store.records import PatchRecord

NO_WAIT = {"initial_seconds": 0, "jitter": 0}
Json = dict[str, Any]


class Repo:
    """A repository with one commit, and an engine that keeps its worktrees beside it."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes] | None = None, *, settings: Json | None = None):
        self.root = folder / "repo"
        self.root.mkdir(parents=True)
        self.worktrees = folder / "worktrees"
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        self.write({"a.txt": "one\ntwo\nthree\n", **(files or {})})
        self.base = self.commit("begin")
        values: Json = {"worktrees.dir": str(self.worktrees), "run.grace_seconds": 0.3, **(settings or {})}
        self.config: Config = config_from(values)
        self._engine: Orchestrator | None = None

    # -- plain git -------------------------------------------------------------------------------------

    def git(self, *words: str | bytes, cwd: Path | None = None, check: bool = True) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-c", "commit.gpgSign=false", *words],
            cwd=cwd or self.root,
            env=clean,
            capture_output=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"git {words}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape").rstrip("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def shown(self, commit: str, path: str) -> str:
        return self.git("show", f"{commit}:{path}")

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
        return dict(line.split(" ") for line in lines)

    def belongings(self) -> dict[str, object]:
        """What is the user's: files with their bytes and modes, the index, HEAD, branches, settings."""
        files = {
            str(path.relative_to(self.root)): (
                path.lstat().st_mode,
                path.readlink() if path.is_symlink() else path.read_bytes(),
            )
            for path in sorted(self.root.rglob("*"))
            if (path.is_file() or path.is_symlink())
            and not {".git", ".minipipe"} & set(path.relative_to(self.root).parts)
        }
        kept = [self.root / ".git" / name for name in ("index", "HEAD", "config")]
        mine = {name: value for name, value in self.refs().items() if not name.startswith("refs/minipipe/")}
        return {"files": files, "refs": mine, **{path.name: path.read_bytes() for path in kept if path.exists()}}

    # -- runs ------------------------------------------------------------------------------------------

    @property
    def engine(self) -> Orchestrator:
        if self._engine is None:
            self._engine = open_engine(self.root, config=self.config)
        return self._engine

    def create(self, *steps: Json, target: str | None = None, **plan: Any) -> str:
        whole = [{"backoff": NO_WAIT, **step} for step in steps]
        document = {"version": "1.0", "plan_id": "plan", "steps": whole, **plan}
        return self.engine.create_run(document, target=target)

    def drive(self, run_id: str, **how: Any) -> Json:
        self.engine.execute_run(run_id, **how)
        return self.document(run_id)

    def events(self, run_id: str) -> list[Event]:
        return queries.events_after(self.engine.database, 0, run_id=run_id)

    def play(self, *steps: Json, **plan: Any) -> Json:
        return self.drive(self.create(*steps, **plan))

    def document(self, run_id: str) -> Json:
        assert queries.inconsistencies(self.engine.database) == []
        document: Json = json.loads(json.dumps(run_document(self.engine.database, run_id)))
        return document

    @property
    def ledger(self) -> PatchLedger:
        return PatchLedger(self.engine.database, journal=self.engine.journal)

    def patches(self, run_id: str, step_id: str | None = None) -> list[PatchRecord]:
        found = patch_queries.patches_of(self.engine.database, run_id)
        return [patch for patch in found if step_id in (None, patch.step_id)]

    def patch(self, run_id: str, step_id: str) -> PatchRecord:
        """The newest patch of a step."""
        return self.patches(run_id, step_id)[-1]

    def patch_document(self, patch: PatchRecord) -> Json:
        found = patch_queries.find_patch(self.engine.database, patch.patch_id)
        assert found is not None
        return patch_document(self.engine.database, found)

    def head(self, run_id: str) -> str:
        """Where the run's own branch is; it may be gone where nothing was committed."""
        return self.refs().get(f"refs/minipipe/runs/{run_id}", self.base)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()


def outline(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        task["step_id"]: f"{task['state']}({task['reason']})" if task["reason"] else task["state"]
        for task in document["tasks"]
    }
