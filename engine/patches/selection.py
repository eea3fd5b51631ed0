"""Provisional."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.git.changes import shown_path
from engine.git.diffs import patch_text
from engine.git.program import Git
from engine.patches.unified import numbered, parse_patch
from engine.store.records import PatchRecord, ReviewRecord


@dataclass(frozen=True, slots=True)
class Selection:
    chosen: str
    rest: str | None


def select(git: Git, patch: PatchRecord, review: ReviewRecord) -> Selection:
    raise NotImplementedError


def check_choice(git: Git, patch: PatchRecord, files: Sequence[str], hunks: Sequence[int]) -> None:
    diffs = [
        file
        for file in parse_patch(patch_text(git, patch.base_commit, patch.commit_id))
        if not files or shown_path(file.path) in files
    ]
    known = {number for number, _, _ in numbered(diffs)}
    if unknown := sorted(set(hunks) - known):
        raise UsageError(f"there is no hunk {unknown[0]} in {patch.patch_id}: it has 1 to {max(known, default=0)}")
