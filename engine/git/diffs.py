"""What differs between two commits or trees, asked of git: as data, as text, as an identity."""

from collections.abc import Iterator, Sequence

from engine.git.changes import NO_MODE, Change
from engine.git.program import RENAME_LIMIT, Git

_COMPARE = (
    "-r",
    "--no-ext-diff",
    "--no-textconv",
    "-M",
    f"-l{RENAME_LIMIT}",
    "--ignore-submodules=none",
    "--no-relative",
)
_TEXT = ("-p", "--binary", "--full-index", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-U3")


def changes_between(git: Git, old: str, new: str) -> list[Change]:
    """Every changed file, renames found, with its numbers of lines."""
    output = git.tell("diff-tree", *_COMPARE, "--raw", "--numstat", "--no-abbrev", "-z", old, new)
    return parse_raw_and_numstat(output)


def patch_text(git: Git, old: str, new: str, paths: Sequence[bytes] = ()) -> bytes:
    """The change as a patch that git applies again, binary files included."""
    scope: list[str | bytes] = ["--", *paths] if paths else []
    return git.tell("--literal-pathspecs", "diff-tree", *_COMPARE, *_TEXT, old, new, *scope)


def patch_identity(git: Git, text: bytes) -> str:
    """What stays the same when a patch is moved elsewhere: git's stable patch id; empty for an empty patch."""
    if not text:
        return ""
    return git.line("patch-id", "--stable", stdin=text).partition(" ")[0]


def parse_raw_and_numstat(output: bytes) -> list[Change]:
    """The changes in what `diff-tree --raw --numstat -z` prints: first all raw lines, then all numbers."""
    fields = output.split(b"\0")
    place, raw = 0, []
    while place < len(fields) and fields[place].startswith(b":"):
        facts = fields[place][1:].decode().split(" ")
        is_pair = facts[4][0] in "RC"
        paths = fields[place + 1 : place + 2 + is_pair]
        raw.append((facts, paths))
        place += 1 + len(paths)
    return [_change(facts, paths, number) for (facts, paths), number in zip(raw, _numbers(fields, place), strict=True)]


def _numbers(fields: Sequence[bytes], place: int) -> Iterator[tuple[bytes, bytes]]:
    """Lines added and deleted of each change; `-` where they cannot be counted."""
    while place < len(fields) and fields[place]:
        added, deleted, path = fields[place].split(b"\t", 2)
        yield added, deleted
        place += 1 if path else 3  # A rename's two paths follow on their own.


def _change(facts: Sequence[str], paths: Sequence[bytes], number: tuple[bytes, bytes]) -> Change:
    old_mode, new_mode, old_blob, new_blob, status = facts
    added, deleted = number
    is_binary = added == b"-"
    return Change(
        status=status[0],
        path=paths[-1],
        old_path=paths[0] if len(paths) == 2 else None,
        old_mode=old_mode,
        new_mode=new_mode,
        old_blob="" if old_mode == NO_MODE else old_blob,
        new_blob="" if new_mode == NO_MODE else new_blob,
        lines_added=0 if is_binary else int(added),
        lines_deleted=0 if is_binary else int(deleted),
        is_binary=is_binary,
    )
