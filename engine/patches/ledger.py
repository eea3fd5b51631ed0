"""The ledger, as people and scripts use it: which patches there are, and what is decided about them.

A decision reaches whoever runs the run; where nobody does, it is written here, under the run's lock, and the next
`resume` acts on it. Methods answer False for an unknown id and raise InvalidTransition for what cannot be.
"""

import os
from typing import Any

from engine import ownership
from engine.events.poke import Poker
from engine.ids import new_id
from engine.owners import Owners
from engine.patches.decisions import VERB, Decision, check_decision, decide
from engine.store import patch_queries, queries
from engine.store.database import Database, open_store
from engine.store.journal import Journal
from engine.store.patch_documents import patch_documents
from engine.store.records import CommentRecord, PatchRecord
from engine.workspace import Workspace


class PatchLedger:
    """Every patch of a store. `db` is a path or an open store."""

    def __init__(self, db: Database | str | os.PathLike[str], *, journal: Journal | None = None) -> None:
        self.database = open_store(db)
        self._journal = journal or Journal(self.database)
        state_folder = self.database.path.parent
        self._workspace = Workspace(state_folder.parent, state_folder)
        self._owners = Owners(self._journal, Poker(self._workspace.wake_folder), self._workspace)

    # -- looking ---------------------------------------------------------------------------------------

    def list_patches_awaiting_review(
        self, run_id: str | None = None, workstream_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Patches about which nobody has decided yet, oldest first."""
        found = patch_queries.waiting_for_review(self.database, run_id=run_id, workstream_id=workstream_id)
        return patch_documents(self.database, found)

    def find(self, ledger_id: str) -> PatchRecord | None:
        return patch_queries.find_patch(self.database, ledger_id)

    # -- deciding --------------------------------------------------------------------------------------

    def mark_for_review(self, ledger_id: str, reviewer: str | None = None, review_reason: str | None = None) -> bool:
        """Let a person look at a patch before it is applied."""
        return self.decide(Decision("mark", ledger_id, reviewer, review_reason))

    def approve_patch(self, ledger_id: str, reviewer: str | None = None, comment: str | None = None) -> bool:
        """Let a patch go on as it is."""
        return self.decide(Decision("approve", ledger_id, reviewer, comment))

    def reject_patch(self, ledger_id: str, reviewer: str | None = None, reason: str | None = None) -> bool:
        """Give a patch up; its step has failed."""
        return self.decide(Decision("reject", ledger_id, reviewer, reason))

    def request_changes(self, ledger_id: str, reviewer: str | None = None, comment: str | None = None) -> bool:
        """Let the step try again, from this patch and with the comments."""
        return self.decide(Decision("request_changes", ledger_id, reviewer, comment))

    def quarantine_patch(self, ledger_id: str, operator: str | None = None, reason: str | None = None) -> bool:
        """Set a patch aside, for a reason that no rule knows."""
        return self.decide(Decision("quarantine", ledger_id, operator, reason))

    def release_patch(self, ledger_id: str, operator: str | None = None, reason: str | None = None) -> bool:
        """Take a patch out of quarantine, after another look; it goes on to its gates."""
        return self.decide(Decision("release", ledger_id, operator, reason))

    def drop_patch(self, ledger_id: str, operator: str | None = None, reason: str | None = None) -> bool:
        """Give a patch up that stands in quarantine; its step has failed."""
        return self.decide(Decision("drop", ledger_id, operator, reason))

    def decide(self, decision: Decision) -> bool:
        """Have a decision written down by whoever may write; False for an unknown patch."""
        patch = self.find(decision.patch_id)
        if patch is None:
            return False
        check_decision(patch, decision)
        if not self._tell_owner(patch, decision):
            with ownership.claim(patch.run_id, self._workspace.run_folder(patch.run_id)):
                decide(self._journal, decision)
        return True

    def _tell_owner(self, patch: PatchRecord, decision: Decision) -> bool:
        run = queries.find_run(self.database, patch.run_id)
        if run is None or not self._owners.exist_for(patch.run_id):
            return False
        return self._owners.have_done(run, VERB, operator=decision.operator, arguments=decision.as_arguments())

    def comment(
        self,
        ledger_id: str,
        text: str,
        *,
        author: str | None = None,
        path: str | None = None,
        line: int | None = None,
        side: str = "new",
    ) -> bool:
        """Say something about a patch, or about a line of it; read by whoever tries the step again."""
        patch = self.find(ledger_id)
        if patch is None:
            return False
        with self._journal.group():
            self._journal.add(
                CommentRecord(
                    new_id("comment"), patch.patch_id, patch.run_id, patch.commit_id, self._journal.now(), author,
                    path, line, side, text,
                )
            )  # fmt: skip
            self._journal.note("review_commented", patch, operator=author, metadata={"path": path, "line": line})
        return True
