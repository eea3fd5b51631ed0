"""Provisional."""

from dataclasses import dataclass

from engine.git.program import Git
from engine.patches.description import Description


@dataclass(frozen=True, slots=True)
class Rules:
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_files: int = 1000
    max_bytes: int = 16 * 1024 * 1024
    allow_filters: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    findings: tuple[str, ...] = ()
    risk_score: int = 0
    risk_reasons: tuple[str, ...] = ()
    holds_secret: bool = False


def judge(git: Git, description: Description, rules: Rules) -> Judgement:
    return Judgement()
