"""A diff that we made ourselves, as files and hunks: to number, show, choose from and comment on.

Only for the text of `git diff --binary --full-index` with `a/` and `b/`: whatever else comes is the house's mistake and
a ValueError; text from outside goes through `text_rules` and git first. Nothing is lost: headers and hunks joined again
are the patch, byte for byte.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.git.changes import NO_MODE, unquote

_TITLE = b"diff --git "
_HUNK = re.compile(rb"@@ -([0-9]+)(?:,([0-9]+))? \+([0-9]+)(?:,([0-9]+))? @@(?: (.*))?\Z", re.DOTALL)
_WORD = re.compile(
    rb"((?:old|new|new file|deleted file) mode|(?:rename|copy) (?:from|to)|index|---|\+\+\+) (.*)\Z", re.DOTALL
)
_INDEX = re.compile(rb"[0-9a-f]+\.\.[0-9a-f]+(?: ([0-7]{6}))?\Z")
_STATUSES = {b"rename from": "R", b"copy from": "C", b"new file mode": "A", b"deleted file mode": "D"}
_NOWHERE = b"/dev/null"


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place of a file that changes. Each line has its mark in front and its newline at the end."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: bytes
    """What git shows behind the numbers: mostly the function that the place is in."""
    lines: list[bytes]

    @property
    def title(self) -> bytes:
        numbers = b"@@ -%b +%b @@" % (_span(self.old_start, self.old_count), _span(self.new_start, self.new_count))
        return numbers + (b" " + self.section if self.section else b"")

    @property
    def text(self) -> bytes:
        return self.title + b"\n" + b"".join(self.lines)

    @property
    def first_line(self) -> int:
        """Before how many old lines the hunk begins."""
        return self.old_start - 1 if self.old_count else self.old_start


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a patch does to one file. A file that became a link (or the reverse) is one, without hunks: it cannot be
    taken in parts.
    """

    path: bytes
    old_path: bytes | None
    """Where a renamed or copied file was."""
    header: bytes
    """Everything before the first hunk; the body of a binary change too."""
    hunks: list[Hunk]
    is_binary: bool
    old_mode: str
    new_mode: str
    status: str

    @property
    def base_path(self) -> bytes:
        return self.path if self.old_path is None else self.old_path

    @property
    def text(self) -> bytes:
        return self.header + b"".join(hunk.text for hunk in self.hunks)


class LinePlace(NamedTuple):
    """A line of a hunk, and its number in the old and the new file; the mark of a missing newline has neither."""

    old: int | None
    new: int | None
    line: bytes


class Overlap(NamedTuple):
    """Two changes of one file that meet; None stands for a change of the file as a whole."""

    path: bytes
    first: Hunk | None
    second: Hunk | None


def parse_patch(patch: bytes) -> list[FileDiff]:
    """The files of a patch, in its order."""
    lines = patch.split(b"\n")
    if lines.pop():
        raise ValueError("a patch of ours ends with a newline")
    files: list[FileDiff] = []
    position = 0
    while position < len(lines):
        file, position = _parse_file(lines, position)
        if files and _are_halves(files[-1], file):
            file = _joined(files.pop(), file)
        files.append(file)
    return files


def numbered(files: Sequence[FileDiff]) -> list[tuple[int, FileDiff, Hunk | None]]:
    """What can be chosen, counted from 1: every hunk, and every file that has none. For one file, pass only that."""
    items: list[tuple[FileDiff, Hunk | None]] = []
    for file in files:
        items += [(file, hunk) for hunk in file.hunks] or [(file, None)]
    return [(number, file, hunk) for number, (file, hunk) in enumerate(items, start=1)]


# -- reading ---------------------------------------------------------------------------------------------


def _parse_file(lines: Sequence[bytes], start: int) -> tuple[FileDiff, int]:
    if not lines[start].startswith(_TITLE):
        raise ValueError(f"line {start + 1} of a patch of ours is no title")
    position = start + 1
    while position < len(lines) and not lines[position].startswith((_TITLE, b"@@ ")):
        position += 1
    header = lines[start:position]
    hunks: list[Hunk] = []
    while position < len(lines) and lines[position].startswith(b"@@ "):
        hunk, position = _parse_hunk(lines, position)
        hunks.append(hunk)
    return _file(header, hunks), position


def _parse_hunk(lines: Sequence[bytes], start: int) -> tuple[Hunk, int]:
    found = _HUNK.match(lines[start])
    if found is None:
        raise ValueError(f"line {start + 1} of a patch of ours is no hunk")
    old_start, old_count, new_start, new_count = (int(1 if number is None else number) for number in found.groups()[:4])
    old, new, end = old_count, new_count, start + 1
    while end < len(lines) and (old or new or lines[end].startswith(b"\\")):
        mark = lines[end][:1]
        old -= mark in (b" ", b"-")
        new -= mark in (b" ", b"+")
        end += 1
    if old or new:
        raise ValueError(f"the hunk at line {start + 1} of a patch of ours does not add up")
    body = [line + b"\n" for line in lines[start + 1 : end]]
    return Hunk(old_start, old_count, new_start, new_count, found[5] or b"", body), end


def _file(header: Sequence[bytes], hunks: list[Hunk]) -> FileDiff:
    said = {found[1]: found[2] for line in header[1:] if (found := _WORD.match(line))}
    path, old_path = _paths(header[0].removeprefix(_TITLE), said)
    old_mode, new_mode = _modes(said)
    return FileDiff(
        path=path,
        old_path=old_path,
        header=b"".join(line + b"\n" for line in header),
        hunks=hunks,
        is_binary=any(line == b"GIT binary patch" or line.startswith(b"Binary files ") for line in header),
        old_mode=old_mode,
        new_mode=new_mode,
        status=next((status for word, status in _STATUSES.items() if word in said), "M"),
    )


def _paths(title: bytes, said: Mapping[bytes, bytes]) -> tuple[bytes, bytes | None]:
    for word in (b"rename", b"copy"):
        if word + b" from" in said:
            return _name(said[word + b" to"]), _name(said[word + b" from"])
    for word in (b"+++", b"---"):
        # A name with a blank in it has a tab behind it, so that other programs find its end.
        if (name := said.get(word, _NOWHERE).removesuffix(b"\t")) != _NOWHERE:
            return _name(name)[2:], None
    # Both names are the same here but for the letter in front, so each is one half.
    return _name(title[: len(title) // 2])[2:], None


def _name(text: bytes) -> bytes:
    return unquote(text[1:-1]) if text.startswith(b'"') else text


def _modes(said: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The modes before and after, as far as they are told: a rename that changes nothing else tells none."""
    index = _INDEX.match(said.get(b"index", b""))
    same = (index[1] if index else b"") or NO_MODE.encode()
    if b"new file mode" in said:
        return NO_MODE, said[b"new file mode"].decode()
    if b"deleted file mode" in said:
        return said[b"deleted file mode"].decode(), NO_MODE
    return said.get(b"old mode", same).decode(), said.get(b"new mode", same).decode()


def _are_halves(first: FileDiff, second: FileDiff) -> bool:
    """git writes a change of type as a deletion and an addition of one path, one right after the other."""
    return (first.status, second.status) == ("D", "A") and first.path == second.path


def _joined(first: FileDiff, second: FileDiff) -> FileDiff:
    return replace(
        first,
        header=first.text + second.text,
        hunks=[],
        is_binary=first.is_binary or second.is_binary,
        new_mode=second.new_mode,
        status="T",
    )


# -- choosing --------------------------------------------------------------------------------------------


def merge_hunks(old: bytes, hunks: Sequence[Hunk]) -> bytes:
    """The old content with just these hunks of its diff applied; ValueError if one does not stand where it says."""
    lines = _lines(old)
    pieces: list[bytes] = []
    position = 0
    for hunk in sorted(hunks, key=lambda hunk: (hunk.first_line, hunk.new_start)):
        before, after = _side(hunk, b"-"), _side(hunk, b"+")
        start, end = hunk.first_line, hunk.first_line + hunk.old_count
        if start < position or lines[start:end] != before:
            raise ValueError(f"the hunk {hunk.title!r} does not stand where it says")
        pieces += lines[position:start] + after
        position = end
    return b"".join(pieces + lines[position:])


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _side(hunk: Hunk, mark: bytes) -> list[bytes]:
    """The lines of a hunk before (`-`) or after (`+`) it is applied."""
    side: list[bytes] = []
    has_line = False
    for line in hunk.lines:
        if line.startswith(b"\\"):
            if has_line:
                side[-1] = side[-1][:-1]
            continue
        has_line = line.startswith((b" ", mark))
        if has_line:
            side.append(line[1:])
    return side


# -- lines -----------------------------------------------------------------------------------------------


def line_places(file: FileDiff) -> list[list[LinePlace]]:
    """For each hunk, its lines with their numbers in the old and the new file: what a comment on a line refers to.

    Counted here and not by unidiff: it takes text, so every byte would be decoded and encoded again, it calls a CRLF
    header a rename and a copy a rename, and the numbers alone are less than what calling it would take.
    """
    return [list(_places(hunk)) for hunk in file.hunks]


def _places(hunk: Hunk) -> Iterator[LinePlace]:
    old, new = hunk.old_start, hunk.new_start
    for line in hunk.lines:
        if line.startswith(b"\\"):
            yield LinePlace(None, None, line)
            continue
        is_old, is_new = not line.startswith(b"+"), not line.startswith(b"-")
        yield LinePlace(old if is_old else None, new if is_new else None, line)
        old, new = old + is_old, new + is_new


# -- comparing -------------------------------------------------------------------------------------------


def hunk_overlaps(first: Sequence[FileDiff], second: Sequence[FileDiff]) -> list[Overlap]:
    """Where two patches on one base meet: hunks that touch the same or adjacent lines, or files changed as a whole."""
    others: dict[bytes, list[FileDiff]] = {}
    for file in second:
        for path in _touched(file):
            others.setdefault(path, []).append(file)
    return [
        overlap
        for file in first
        for path in sorted(_touched(file))
        for other in others.get(path, ())
        for overlap in _file_overlaps(path, file, other)
    ]


def _touched(file: FileDiff) -> set[bytes]:
    """Where a file was and where it is; what was only copied from is not touched."""
    return {file.path} if file.status == "C" else {file.path, file.base_path}


def _file_overlaps(path: bytes, first: FileDiff, second: FileDiff) -> Iterator[Overlap]:
    if first.base_path != second.base_path or not (first.hunks and second.hunks):
        if _is_whole(first, path) or _is_whole(second, path) or not (first.hunks or second.hunks):
            yield Overlap(path, None, None)
        return
    spans = sorted((span, place) for place, hunk in enumerate(second.hunks) for span in _changed_spans(hunk))
    ends = [end for (_, end), _ in spans]
    for hunk in first.hunks:
        met = {place for span in _changed_spans(hunk) for place in _meeting(span, spans, ends)}
        yield from (Overlap(path, hunk, second.hunks[place]) for place in sorted(met))


def _is_whole(file: FileDiff, path: bytes) -> bool:
    """Whether what stands at a path comes, goes or is replaced as a whole: another change of it always meets that."""
    return file.is_binary or file.status in ("T", "A", "D", "C") or (file.status == "R" and path == file.path)


def _changed_spans(hunk: Hunk) -> Iterator[tuple[int, int]]:
    """The old lines that are replaced, without the context: from (counted from 0) and up to; an insertion is empty."""
    line = start = hunk.first_line
    is_changing = False
    for mark in (text[:1] for text in hunk.lines):
        if mark == b" ":
            if is_changing:
                yield start, line
            line += 1
            start, is_changing = line, False
        elif mark in (b"+", b"-"):
            line += mark == b"-"
            is_changing = True
    if is_changing:
        yield start, line


def _meeting(span: tuple[int, int], spans: Sequence[tuple[tuple[int, int], int]], ends: Sequence[int]) -> Iterator[int]:
    """Which of the sorted spans share a line with this one, or a border."""
    for (start, _), place in spans[bisect_left(ends, span[0]) :]:
        if start > span[1]:
            return
        yield place


def _span(start: int, count: int) -> bytes:
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)
