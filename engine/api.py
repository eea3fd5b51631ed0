"""The door: the engine wired together for one folder. What a face or a script uses; it decides nothing.

with open_engine(Path.cwd()) as orchestrator:
    run_id = orchestrator.create_run("plans/build.json", variables={"TARGET": "src"})
    run = orchestrator.execute_run(run_id)
"""

import os
from collections.abc import Mapping
from pathlib import Path

from engine.config.keys import Config
from engine.config.loading import load_config
from engine.events import EventBus
from engine.events.audience import AuditAudience, PokeAudience
from engine.events.audit import AuditTrail
from engine.events.poke import Poker
from engine.orchestrator import Orchestrator
from engine.store import queries
from engine.store.database import Database
from engine.workspace import Workspace, find_workspace


def read_config(workspace: Workspace, *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration that holds in a workspace."""
    return load_config(workspace.root, environ=os.environ if environ is None else environ)


def open_engine(
    folder: Path,
    *,
    config: Config | None = None,
    bus: EventBus | None = None,
    environ: Mapping[str, str] | None = None,
) -> Orchestrator:
    """An orchestrator for the workspace around a folder, with its audit trail and pokes; close it when done."""
    workspace = find_workspace(folder)
    config = config or read_config(workspace, environ=environ)
    workspace.prepare()
    database = Database(workspace.database_path, busy_seconds=config.db.busy_timeout_seconds)
    trail = AuditTrail(
        workspace.audit_path,
        since=lambda seq: queries.events_after(database, seq),
        max_bytes=config.audit.max_mb * 1024 * 1024,
        keep=config.audit.keep,
    )
    return Orchestrator(
        database,
        workspace=workspace,
        bus=bus,
        audience=(AuditAudience(trail), PokeAudience(Poker(workspace.wake_folder))),
        environ=environ,
        config=config,
    )


def open_store(folder: Path) -> tuple[Workspace, Database]:
    """The store of a workspace, for looking only."""
    workspace = find_workspace(folder)
    return workspace, Database(workspace.database_path, read_only=True)
