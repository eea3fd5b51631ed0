"""Provisional."""

from dataclasses import dataclass

from engine.git.program import Git
from engine.store.records import PatchRecord, ReviewRecord


@dataclass(frozen=True, slots=True)
class Selection:
    chosen: str
    rest: str | None


def select(git: Git, patch: PatchRecord, review: ReviewRecord) -> Selection:
    raise NotImplementedError
