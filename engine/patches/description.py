"""A change, described: everything that rules, reviewers and records want to know of it, from two commits."""

from dataclasses import dataclass
from hashlib import sha256

from engine.git.changes import Change, DiffStats, shown_path
from engine.git.diffs import changes_and_text, patch_identity, patch_text
from engine.git.program import Git
from engine.store.records import PatchFileRecord, PatchRecord


@dataclass(frozen=True, slots=True)
class Description:
    """What a commit changes on its base."""

    base: str
    commit: str
    changes: tuple[Change, ...]
    text: bytes
    """The patch that people see, and that git applies again."""

    @property
    def stats(self) -> DiffStats:
        return DiffStats.of(self.changes)

    @property
    def text_hash(self) -> str:
        return sha256(self.text).hexdigest()


def describe(git: Git, base: str, commit: str) -> Description:
    changes, text = changes_and_text(git, base, commit)
    return Description(base, commit, tuple(changes), text)


def stable_id_of(git: Git, patch: PatchRecord) -> str:
    """Git's own identity of a patch, the same wherever it is applied; asked for where its row does not know it yet.

    Only an approval on a head that has moved depends on it, so most patches never need one.
    """
    return patch.stable_id or patch_identity(git, patch_text(git, patch.base_commit, patch.commit_id))


def file_records(patch_id: str, description: Description) -> list[PatchFileRecord]:
    """A row for each file of a change."""
    return [
        PatchFileRecord(
            patch_id=patch_id,
            commit_id=description.commit,
            position=position,
            path=shown_path(change.path),
            old_path=None if change.old_path is None else shown_path(change.old_path),
            status=change.status,
            old_mode=change.old_mode,
            new_mode=change.new_mode,
            lines_added=change.lines_added,
            lines_deleted=change.lines_deleted,
            is_binary=change.is_binary,
        )
        for position, change in enumerate(description.changes)
    ]
