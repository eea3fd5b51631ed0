"""From a captured commit to a row of the ledger: described, judged, and either validated or quarantined at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.git.changes import parse_shown_path, shown_path
from engine.git.diffs import patch_identity
from engine.git.program import Git
from engine.ids import new_id
from engine.patches.description import Description, describe, file_records
from engine.patches.judgement import Judgement, Rules, judge
from engine.patches.leaks import SecretSearch
from engine.states import PatchState
from engine.store.journal import Journal
from engine.store.records import PatchFileRecord, PatchRecord
from engine.workspace import write_for_owner


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a patch comes from."""

    run_id: str
    task_id: str
    step_id: str
    kind: str = "step"
    attempt_id: str | None = None
    parent_patch_id: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes changes into the ledger of one run."""

    journal: Journal
    git: Git
    diff_folder: Path
    """Where the text of each patch is kept, for people."""

    def admit(
        self, origin: Origin, base: str, commit: str, rules: Rules, *, approved: PatchRecord | None = None
    ) -> PatchRecord:
        """A new row for a change; it goes on under the decision about `approved`, if it is a part or edit of that."""
        description = describe(self.git, base, commit)
        judgement = judge(self.git, description, rules)
        patch_id = new_id("patch")
        patch = self._row(patch_id, origin, description, judgement)
        if approved is not None:
            patch = patch._replace(
                manual_review_required=approved.manual_review_required,
                review_status="approved",
                reviewed_by=approved.reviewed_by,
                reviewed_at=approved.reviewed_at,
                review_comment=approved.review_comment,
                review_reason=approved.review_reason,
                stable_id=patch_identity(self.git, description.text),
            )
        with self.journal.group():
            self.journal.add(patch)
            for record in file_records(patch_id, description):
                self.journal.add(_without(rules.secrets, record) if judgement.holds_secret else record)
            self.journal.note("patch_created", patch, metadata={"step_id": origin.step_id, **patch.diff_stats})
            return self._validated(patch, judgement)

    def rebase(self, patch: PatchRecord, head: str, commit: str, judgement: Judgement, *, reason: str) -> PatchRecord:
        """The same change on a newer head, where it reads otherwise: whoever approved it has not seen this."""
        description = describe(self.git, head, commit)
        path = self._keep_text(patch.patch_id, description)
        for record in file_records(patch.patch_id, description):
            self.journal.add(record)
        self.journal.note("patch_rebased", patch, metadata={"from": patch.commit_id, "to": commit})
        return self.journal.amend(
            patch,
            base_commit=head,
            commit_id=commit,
            patch_hash=description.text_hash,
            stable_id=patch_identity(self.git, description.text),
            diff_path=path,
            diff_stats=description.stats.to_dict(),
            risk_score=judgement.risk_score,
            risk_reasons=judgement.risk_reasons,
            manual_review_required=True,
            review_reason=reason,
            review_status="pending",
            reviewed_by=None,
            reviewed_at=None,
            review_comment=None,
        )

    def _row(self, patch_id: str, origin: Origin, description: Description, judgement: Judgement) -> PatchRecord:
        return PatchRecord(
            patch_id=patch_id,
            run_id=origin.run_id,
            task_id=origin.task_id,
            step_id=origin.step_id,
            attempt_id=origin.attempt_id,
            origin=origin.kind,
            parent_patch_id=origin.parent_patch_id,
            created_at=self.journal.now(),
            base_commit=description.base,
            commit_id=description.commit,
            patch_hash=description.text_hash,
            diff_path=None if judgement.holds_secret else self._keep_text(patch_id, description),
            diff_stats=description.stats.to_dict(),
            risk_score=judgement.risk_score,
            risk_reasons=judgement.risk_reasons,
        )

    def _validated(self, patch: PatchRecord, judgement: Judgement) -> PatchRecord:
        if not judgement.findings:
            return self.journal.move(patch, PatchState.VALIDATED, trigger="validation")
        return quarantine(self.journal, patch, judgement.findings)

    def _keep_text(self, patch_id: str, description: Description) -> str:
        self.diff_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.diff_folder / f"{patch_id}.diff"
        write_for_owner(path, description.text)
        return str(path)


def _without(secrets: Sequence[str], record: PatchFileRecord) -> PatchFileRecord:
    """A row that does not hold what the change itself would have made known."""
    search = SecretSearch(secrets)

    def masked(path: str) -> str:
        return shown_path(search.mask(parse_shown_path(path)))

    old_path = record.old_path and masked(record.old_path)
    return record._replace(path=masked(record.path), old_path=old_path)


def quarantine(
    journal: Journal, patch: PatchRecord, findings: Sequence[str], *, trigger: str = "validation"
) -> PatchRecord:
    """Set a patch aside, with every reason."""
    return journal.move(
        patch,
        PatchState.QUARANTINED,
        trigger=trigger,
        reason="; ".join(findings)[:2000],
        findings=(*patch.findings, *findings),
    )
