"""A patch as people read it: its text made inert, every hunk with the number by which it can be chosen.

The numbers are those of `engine.patches.unified`, so `review approve --hunks` means what was shown. The body of a
binary change says nothing to anybody and is left out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from engine.git.changes import shown_path
from engine.patches.unified import FileDiff, Hunk, numbered
from minipipe_tui.cli.inert import inert_bytes
from minipipe_tui.cli.style import paint
from minipipe_tui.cli.theme import Theme

_BLOBS = b"index "
_BINARY_BODY = b"GIT binary patch"
_TITLE = b"diff --git "
_PARTS = {b"+": "added", b"-": "removed"}


def diff_lines(files: Sequence[FileDiff], theme: Theme | None = None) -> Iterator[str]:
    """The lines of a patch; in the colours of a theme, if there is one."""
    last: FileDiff | None = None
    for number, file, hunk in numbered(files):
        if file is not last:
            last = file
            yield from ([""] if number > 1 else [])
            yield from (_line(line, _style_of_header(line, theme)) for line in _shown_header(file))
        yield from _numbered_hunk(number, file, hunk, theme)


def hunk_documents(files: Sequence[FileDiff]) -> list[dict[str, Any]]:
    """What can be chosen, for programs."""
    return [
        {
            "number": number,
            "path": shown_path(file.path),
            "header": hunk.title.decode("utf-8", "surrogateescape") if hunk else None,
            "lines_added": _count(hunk, b"+"),
            "lines_deleted": _count(hunk, b"-"),
        }
        for number, file, hunk in numbered(files)
    ]


def _count(hunk: Hunk | None, mark: bytes) -> int:
    return sum(line.startswith(mark) for line in hunk.lines) if hunk else 0


def _numbered_hunk(number: int, file: FileDiff, hunk: Hunk | None, theme: Theme | None) -> Iterator[str]:
    style = theme.style("hunk") if theme else ""
    if hunk is None:
        yield paint(f"[{number}] {_without_hunks(file)}", style)
        return
    yield _line(b"[%d] %b" % (number, hunk.title), style)
    for line in hunk.lines:
        part = _PARTS.get(line[:1], "") if theme else ""
        yield _line(line, theme.style(part) if theme and part else "")


def _without_hunks(file: FileDiff) -> str:
    if file.is_binary:
        return "a binary change"
    if file.status == "T":
        return "the file becomes something else"
    return {"A": "an empty file", "D": "an empty file is removed"}.get(file.status, "no line changes")


def _shown_header(file: FileDiff) -> Iterator[bytes]:
    """The header without what is not for reading: ids of blobs, binary bodies."""
    is_body = False
    for line in _lines(file.header):
        is_body = is_body and not line.startswith(_TITLE)
        if not is_body and not line.startswith(_BLOBS):
            yield line
        is_body = is_body or line.startswith(_BINARY_BODY)


def _lines(content: bytes) -> list[bytes]:
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def _style_of_header(line: bytes, theme: Theme | None) -> str:
    return theme.style("heading" if line.startswith(_TITLE) else "hint") if theme else ""


def _line(line: bytes, style: str) -> str:
    return paint(inert_bytes(line.removesuffix(b"\n")), style)
