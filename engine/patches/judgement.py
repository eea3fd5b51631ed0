"""Judges a change before anybody is asked about it: whether it may be trusted at all, and how risky it is.

The rules are pure and stand in files of their own; here git is asked for what they want to know. What is judged is the
result, path by path, never the text of a patch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from engine.git.attributes import filters_of
from engine.git.changes import SYMLINK
from engine.git.listing import modes_after, modes_of
from engine.git.objects import read_blob, total_size, tree_of
from engine.git.program import Git
from engine.patches.description import Description
from engine.patches.finding import Finding
from engine.patches.limits import PatchLimits, limit_findings
from engine.patches.risk import assess
from engine.patches.scope import ScopeRules
from engine.patches.tree_rules import tree_findings
from engine.patches.unified import parse_patch

SHORTEST_SECRET = 6
"""A shorter value is found by chance in any text."""

MOST_TEXT_BYTES = 4 * 1024 * 1024
"""How large a patch may be for its lines to be weighed one by one; a larger one is risky by its size."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a step's changes are judged by."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limits: PatchLimits = field(default_factory=PatchLimits)
    allow_filters: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    findings: tuple[str, ...] = ()
    """Why the change cannot be trusted; empty if it can."""
    risk_score: int = 0
    risk_reasons: tuple[str, ...] = ()
    holds_secret: bool = False


def judge(git: Git, description: Description, rules: Rules) -> Judgement:
    """Everything that speaks against a change, and its risk."""
    base, new = tree_of(git, description.base), tree_of(git, description.commit)
    leak = _leak(description, rules.secrets)
    findings = [
        *limit_findings(description.changes, _size(git, description), rules.limits),
        *ScopeRules(rules.include, rules.exclude).scope_findings(description.changes),
        *_tree_findings(git, description, base, new),
        *_filter_findings(git, description, new, rules.allow_filters),
        *leak,
    ]
    risk = assess(description.changes, _added_lines(description))
    return Judgement(tuple(map(str, findings)), risk.score, tuple(risk.reasons), bool(leak))


def _size(git: Git, description: Description) -> int:
    """How large a change is: its text, in which binary files are packed, or these files as they will be."""
    packed = {change.new_blob for change in description.changes if change.is_binary and change.new_blob}
    return max(len(description.text), total_size(git, packed))


def _tree_findings(git: Git, description: Description, base: str, new: str) -> Iterator[Finding]:
    links = frozenset(path for path, mode in modes_of(git, base).items() if mode == SYMLINK)
    return tree_findings(
        description.changes,
        read_link=lambda object_id: read_blob(git, object_id),
        read_blob=lambda object_id: read_blob(git, object_id),
        paths_after=modes_after(git, base, new, description.changes),
        links_before=links,
    )


def _filter_findings(git: Git, description: Description, new: str, allowed: Sequence[str]) -> Iterator[Finding]:
    """What a filter makes of a file is not what was reviewed, and a filter of ours would be somebody's program."""
    modes = modes_of(git, new)
    sources = [path for path in modes if path.rpartition(b"/")[2] == b".gitattributes"]
    paths = [change.path for change in description.changes if change.status != "D"]
    for path, name in filters_of(git, new, sources, paths).items():
        if name not in allowed:
            yield Finding("filter.active", path, f"the filter {name!r} would change it, and is not run here")


def _leak(description: Description, secrets: Sequence[str]) -> list[Finding]:
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET and secret.encode("utf-8", "surrogateescape") in description.text:
            return [Finding("secret.leaked", b"", "it holds a value that is secret in this run")]
    return []


def _added_lines(description: Description) -> Mapping[bytes, Sequence[bytes]]:
    if len(description.text) > MOST_TEXT_BYTES:
        return {}
    return {
        file.path: [line[1:] for hunk in file.hunks for line in hunk.lines if line.startswith(b"+")]
        for file in parse_patch(description.text)
    }
