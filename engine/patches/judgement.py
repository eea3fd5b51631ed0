"""Judges a change before anybody is asked about it: whether it may be trusted at all, and how risky it is.

The rules are pure and stand in files of their own; here git is asked for what they want to know. What is judged is the
result, path by path, never the text of a patch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from engine.git.attributes import filters_of
from engine.git.changes import GITLINK, NO_MODE, SYMLINK, Change
from engine.git.listing import modes_after, modes_of
from engine.git.objects import read_blob, read_blobs, sizes_of, tree_of
from engine.git.program import Git
from engine.patches.description import Description
from engine.patches.finding import Finding
from engine.patches.leaks import SecretSearch
from engine.patches.limits import PatchLimits, limit_findings
from engine.patches.risk import assess
from engine.patches.scope import ScopeRules
from engine.patches.tree_rules import tree_findings
from engine.patches.unified import parse_patch

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
    search = SecretSearch(rules.secrets)
    leak = list(_leaks(git, description.changes, search, rules.limits))
    findings = [
        *limit_findings(description.changes, _size(git, description), rules.limits),
        *ScopeRules(rules.include, rules.exclude).scope_findings(description.changes),
        *_tree_findings(git, description, base, new),
        *_filter_findings(git, description, new, rules.allow_filters),
        *leak,
    ]
    risk = assess(description.changes, _added_lines(description))
    told = tuple(
        str(replace(each, path=search.mask(each.path), message=search.mask_text(each.message))) for each in findings
    )
    return Judgement(told, risk.score, tuple(risk.reasons), bool(leak))


def _size(git: Git, description: Description) -> int:
    """How large a change is: its text, in which binary files are packed, or these files as they will be."""
    packed = {change.new_blob for change in description.changes if change.is_binary and change.new_blob}
    return max(len(description.text), sum(sizes_of(git, packed).values()))


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


def _leaks(git: Git, changes: Sequence[Change], search: SecretSearch, limits: PatchLimits) -> Iterator[Finding]:
    """What a change would make known: the files as they are stored, and their names, which are not told again."""
    if not search:
        return
    if any(search.is_in(change.path) for change in changes):
        yield Finding("secret.leaked", b"", "the name of a file holds a value that is secret in this run")
    paths = {change.new_blob: change.path for change in changes if change.new_mode not in (NO_MODE, GITLINK)}
    sizes = sizes_of(git, paths)
    for blob in [blob for blob, size in sizes.items() if size > limits.max_binary_bytes]:
        yield Finding("secret.unsearched", paths[blob], "it is too large to be searched for values that are secret")
        del sizes[blob]
    for blobs in _portions(sizes, limits.max_binary_bytes):
        for blob, content in read_blobs(git, blobs).items():
            if search.is_in(content):
                yield Finding("secret.leaked", paths[blob], "it holds a value that is secret in this run")


def _portions(sizes: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """As many at a time as fit into memory together."""
    portion: list[str] = []
    total = 0
    for blob, size in sizes.items():
        if portion and total + size > most:
            yield portion
            portion, total = [], 0
        portion.append(blob)
        total += size
    if portion:
        yield portion


def _added_lines(description: Description) -> Mapping[bytes, Sequence[bytes]]:
    if len(description.text) > MOST_TEXT_BYTES:
        return {}
    return {
        file.path: [line[1:] for hunk in file.hunks for line in hunk.lines if line.startswith(b"+")]
        for file in parse_patch(description.text)
    }
