"""The runs of one store, as whoever works on them needs them: found, owned, and with the plan they began with."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from engine import ownership
from engine.config.keys import Config
from engine.errors import NotFound
from engine.events import EventBus
from engine.events.poke import Poker
from engine.owners import Owners
from engine.plan.load import parse_plan
from engine.plan.plan import Plan
from engine.store import patch_queries, queries
from engine.store.database import Database, open_store
from engine.store.journal import Audience, Journal
from engine.store.records import PatchRecord, RunRecord
from engine.workspace import STATE_FOLDER, Workspace, find_workspace


class Runs:
    """One instance a process and store."""

    def __init__(
        self,
        db: Database | str | os.PathLike[str],
        *,
        workspace: Workspace | None = None,
        bus: EventBus | None = None,
        audience: Sequence[Audience] = (),
        environ: Mapping[str, str] | None = None,
        config: Config | None = None,
    ) -> None:
        self.database = open_store(db)
        self.workspace = workspace or _workspace_around(self.database.path)
        self.journal = Journal(self.database, bus=bus, audience=audience)
        self._environ = os.environ if environ is None else environ
        self.config = config or Config()
        self._poker = Poker(self.workspace.wake_folder)
        self._poker.sweep()
        self._owners = Owners(self.journal, self._poker, self.workspace)
        self._plan_at_hand: Plan | None = None

    def _plan_of(self, run: RunRecord) -> Plan:
        """The plan that a run was started with: the one at hand if it is the same, else read again from the record."""
        if self._plan_at_hand is None or self._plan_at_hand.digest != run.plan_digest:
            self._plan_at_hand = parse_plan(run.plan_text, source=run.plan_path or run.plan_id)
        return self._plan_at_hand

    def _own(self, run_id: str) -> ownership.RunLock:
        """Become the owner of a run, or RunOwned."""
        return ownership.claim(run_id, self.workspace.run_folder(run_id))

    def _has_owner(self, run_id: str) -> bool:
        return self._owners.exist_for(run_id)

    def _find(self, run_id: str) -> RunRecord:
        run = queries.find_run(self.database, run_id)
        if run is None:
            raise NotFound("run", run_id)
        return run

    def _find_patch(self, patch_id: str) -> PatchRecord:
        patch = patch_queries.find_patch(self.database, patch_id)
        if patch is None:
            raise NotFound("patch", patch_id, hint="minipipe patch list lists them")
        return patch

    def interrupted_runs(self) -> list[RunRecord]:
        """Runs that are recorded as running, or as about to be promoted, but that nobody runs."""
        return [run for run in queries.unfinished_runs(self.database) if not self._has_owner(run.run_id)]

    def close(self) -> None:
        self._poker.close()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _workspace_around(database_path: Path) -> Workspace:
    """The workspace of a store that was opened by its path alone."""
    folder = database_path.parent
    if folder.name != STATE_FOLDER:
        return Workspace(root=folder, state_folder=folder)
    found = find_workspace(folder.parent)
    workspace = found if found.state_folder == folder.resolve() else Workspace(folder.parent, folder)
    workspace.prepare()
    return workspace
