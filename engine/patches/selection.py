"""The part of a patch that a reviewer takes: whole files, single hunks, or the patch as they edited it.

Trees are put together from the blobs of base and patch, hunk by hunk at their recorded places: nothing is searched for,
so nothing can end up elsewhere. What is chosen and what is left add up to the patch.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from engine.errors import UsageError
from engine.git.changes import parse_shown_path, shown_path
from engine.git.diffs import patch_text
from engine.git.index import ABSENT, apply_text, change_tree
from engine.git.objects import Entry, entries_of, parents_of, read_blob, tree_of, write_blob, write_commit
from engine.git.program import Git
from engine.patches.text_rules import scan_patch_text
from engine.patches.unified import FileDiff, Hunk, merge_hunks, numbered, parse_patch
from engine.store.records import PatchRecord, ReviewRecord

_MESSAGE = "a part of a patch\n"


@dataclass(frozen=True, slots=True)
class Selection:
    """A commit of what was chosen on the base of the patch, and one of what was left, if anything was."""

    chosen: str
    rest: str | None


def select(git: Git, patch: PatchRecord, review: ReviewRecord) -> Selection:
    """What a review approves of; UsageError where it names what is not there."""
    if review.edited_commit is not None:
        if parents_of(git.sealed(), review.edited_commit) != [patch.base_commit]:
            raise UsageError(f"{review.edited_commit[:12]} is not a change of what {patch.patch_id} changes")
        return Selection(review.edited_commit, None)
    files = files_of_patch(git, patch)
    wanted = _choice(files, review.files, review.hunks)
    chosen = _commit(git, patch, files, [wanted[file.path] for file in files])
    left = [_others(file, wanted[file.path]) for file in files]
    rest = None if not any(left) else _commit(git, patch, files, left)
    return Selection(chosen, rest)


def check_choice(git: Git, patch: PatchRecord, files: Sequence[str], hunks: Sequence[int]) -> None:
    """Raise UsageError if a choice names what the patch does not have."""
    _choice(files_of_patch(git, patch), files, hunks)


def files_of_patch(git: Git, patch: PatchRecord) -> list[FileDiff]:
    """What can be chosen from: the patch as it is shown."""
    return parse_patch(patch_text(git, patch.base_commit, patch.commit_id))


def edited_commit(git: Git, patch: PatchRecord, text: bytes, *, source: str) -> str:
    """The commit that an edited patch text makes on the patch's base; refused where it does not apply there."""
    found = scan_patch_text(text, source=source)
    tree = apply_text(git, tree_of(git, patch.base_commit), found.diff(text), strip=found.strip or 0)
    return write_commit(git, tree, [patch.base_commit], "an edited patch\n")


# -- choosing --------------------------------------------------------------------------------------------

Wanted = Collection[Hunk | None]
"""What is taken of one file: some of its hunks; None stands for a file that has none."""


def _choice(files: Sequence[FileDiff], paths: Sequence[str], numbers: Sequence[int]) -> dict[bytes, Wanted]:
    if len(paths) > 1 and numbers:
        raise UsageError("--hunks with several --file: of which file are they?", hint="name one file, or none")
    named = list(_named(files, paths)) if paths else list(files)
    items = {number: (file, hunk) for number, file, hunk in numbered(named)}
    unknown = [number for number in numbers if number not in items]
    if unknown:
        raise UsageError(f"there is no hunk {unknown[0]}: the {'file' if paths else 'patch'} has {len(items)}")
    chosen = [items[number] for number in numbers] if numbers else list(items.values())
    wanted: dict[bytes, list[Hunk | None]] = {file.path: [] for file in files}
    for file, hunk in chosen:
        wanted[file.path].append(hunk)
    return dict(wanted)


def _named(files: Sequence[FileDiff], paths: Sequence[str]) -> Iterator[FileDiff]:
    by_path = {file.path: file for file in files} | {file.base_path: file for file in files}
    for path in dict.fromkeys(paths):
        file = by_path.get(path.encode("utf-8", "surrogateescape")) or by_path.get(_parsed(path))
        if file is None:
            shown = ", ".join(shown_path(each.path) for each in files[:5])
            raise UsageError(f"the patch does not change {path!r}", hint=f"it changes {shown}")
        yield file


def _parsed(path: str) -> bytes:
    try:
        return parse_shown_path(path)
    except ValueError:
        return b""


def _others(file: FileDiff, wanted: Wanted) -> Wanted:
    everything: list[Hunk | None] = [*file.hunks] or [None]
    return [hunk for hunk in everything if hunk not in wanted]


# -- building --------------------------------------------------------------------------------------------


def _commit(git: Git, patch: PatchRecord, files: Sequence[FileDiff], wanted: Sequence[Wanted]) -> str:
    base, new = tree_of(git, patch.base_commit), tree_of(git, patch.commit_id)
    paths = {path for file in files for path in (file.path, file.base_path)}
    before, after = entries_of(git, base, paths), entries_of(git, new, paths)
    entries: dict[bytes, Entry] = {}
    for file, hunks in zip(files, wanted, strict=True):
        if hunks:
            entries |= _entries(git, file, hunks, before, after)
    return write_commit(git, change_tree(git, base, entries), [patch.base_commit], _MESSAGE)


def _entries(
    git: Git, file: FileDiff, hunks: Wanted, before: dict[bytes, Entry], after: dict[bytes, Entry]
) -> dict[bytes, Entry]:
    """What stands at the paths of a file once these of its hunks are applied."""
    entry = after.get(file.path, ABSENT)
    is_whole = len(hunks) == max(1, len(file.hunks))
    if not is_whole and entry is not ABSENT:
        old = read_blob(git, before[file.base_path].object_id) if file.base_path in before else b""
        entry = Entry(entry.mode, write_blob(git, merge_hunks(old, [hunk for hunk in hunks if hunk is not None])))
    found = {file.path: entry}
    if file.status == "R" and file.base_path not in after:
        found[file.base_path] = ABSENT
    return found
