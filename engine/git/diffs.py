"""What differs between two commits or trees, asked of git: as data, as text, as an identity."""

from collections.abc import Sequence

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
_FACTS = ("--raw", "--numstat", "--no-abbrev", "-z")
_TEXT = ("-p", "--binary", "--full-index", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-U3")


def changes_between(git: Git, old: str, new: str) -> list[Change]:
    """Every changed file, renames found, with its numbers of lines."""
    return parse_raw_and_numstat(git.sealed().tell("diff-tree", *_COMPARE, *_FACTS, old, new))[0]


def changes_and_text(git: Git, old: str, new: str) -> tuple[list[Change], bytes]:
    """Both `changes_between` and `patch_text`, for little more than the price of one."""
    return parse_raw_and_numstat(git.sealed().tell("diff-tree", *_COMPARE, *_FACTS, *_TEXT, old, new))


def patch_text(git: Git, old: str, new: str, paths: Sequence[bytes] = ()) -> bytes:
    """The change as a patch that git applies again, binary files included."""
    scope: list[str | bytes] = ["--", *paths] if paths else []
    return git.sealed().tell("--literal-pathspecs", "diff-tree", *_COMPARE, *_TEXT, old, new, *scope)


def patch_identity(git: Git, text: bytes) -> str:
    """What stays the same when a patch is moved elsewhere: git's stable patch id; empty for an empty patch."""
    if not text:
        return ""
    return git.sealed().line("patch-id", "--stable", stdin=text).partition(" ")[0]


def parse_raw_and_numstat(output: bytes) -> tuple[list[Change], bytes]:
    """The changes in what `diff-tree --raw --numstat -z` prints, all raw lines and then all numbers; and the patch that
    follows where one was asked for.
    """
    fields = _Fields(output)
    raw = []
    while fields.begin_with(b":"):
        facts = fields.take()[1:].decode().split(" ")
        raw.append((facts, [fields.take() for _ in range(2 if facts[4][0] in "RC" else 1)]))
    changes = [_change(facts, paths, _numbers(fields)) for facts, paths in raw]
    return changes, fields.rest


class _Fields:
    """Text that is taken apart at its NUL bytes, from its beginning on."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._place = 0

    def begin_with(self, start: bytes) -> bool:
        return self._text.startswith(start, self._place)

    def take(self) -> bytes:
        end = self._text.index(b"\0", self._place)
        field, self._place = self._text[self._place : end], end + 1
        return field

    @property
    def rest(self) -> bytes:
        """What follows the empty field that ends the list."""
        return self._text[self._place + 1 :]


def _numbers(fields: _Fields) -> tuple[bytes, bytes]:
    """Lines added and deleted of one change; `-` where they cannot be counted."""
    added, deleted, path = fields.take().split(b"\t", 2)
    if not path:  # A rename's two paths follow on their own.
        fields.take(), fields.take()
    return added, deleted


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
