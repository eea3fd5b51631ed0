"""Whether the text of a patch from outside says one thing only: to us, to git, and to whoever reads it.

A file that somebody imports, a tool that prints a diff: before git sees it, its names must agree with each other, its
hunks with their numbers, and no part of it may stand where one reader sees a diff and another a message. Nothing is
guessed or repaired; what is refused is refused with its line. That the *result* is harmless is judged on the resulting
tree (`path_rules`), not here. Only a newline ends a line; time is linear in the text.
"""

import re
import zlib
from base64 import b85decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.errors import PatchRefused
from engine.patches.diff_stats import HunkWalk
from engine.patches.limits import PatchLimits
from engine.patches.text_header import GIT_TITLE, Header, Text

Kind = Literal["git", "unified", "mail"]

_HEADER_LIKE = re.compile(rb"\n(?:diff --git |@@ -[0-9]|--- [^\n]*\n\+\+\+ )")
_HEADER_MARKS = (b"\ndiff --git ", b"\n--- ", b"\n@@ -")
_HUNK = re.compile(rb"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@(?=[ \r\n])")
_BETWEEN_FILES = re.compile(rb"\n(?:diff (?!--git )|Index: |Only in |===)[^\n]*(?=\n)")
_ED_COMMAND = re.compile(rb"\n[0-9]+(?:,[0-9]+)?[acdis]\r?(?=\n)")
_CONTEXT_DIFF = re.compile(rb"\n\*\*\* [^\n]*\n--- [^\n]*\n\*{15}")
_NORMAL_DIFF = re.compile(rb"\n[0-9]+(?:,[0-9]+)?[acd][0-9]+(?:,[0-9]+)?\r?\n[<>] ")
_MAIL_START = re.compile(
    rb"\n(?:From [0-9a-f]{40,64} [^\n]*|(?:From|Subject|Date|Message-Id): [^\n]*)(?=\n)", re.IGNORECASE
)
_NEXT_MAIL = re.compile(rb"\nFrom [0-9a-f]{40,64} ")
_ENCODED_MAIL = re.compile(rb"\nContent-Transfer-Encoding:\s*(quoted-printable|base64)", re.IGNORECASE)
_MAIL_SEPARATOR = re.compile(rb"\n---\r?(?=\n)")
_BLANK_LINES = re.compile(rb"[\r\n]*(?=\n)")
_LOOKED_AT = 1024 * 1024
"""How far a text without a diff is read for what it is instead."""
_SIGNATURE = re.compile(rb"\n-- ?\r?\n")
_BINARY_PIECE = re.compile(rb"(literal|delta) ([0-9]{1,18})\r?\Z")
_BINARY_LINE = re.compile(rb"([A-Za-z])([0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]+)\r?\Z")


@dataclass(frozen=True, slots=True)
class PatchText:
    """A text that can be trusted to say one thing, and where in it the diffs stand."""

    kind: Kind
    strip: int | None
    """1 if every name has `a/` or `b/` in front. Else a person must say how much of a name is not part of the path."""
    parts: tuple[tuple[int, int], ...]
    """From which byte up to which: one part, or one for each mail."""
    file_count: int

    @property
    def start(self) -> int:
        return self.parts[0][0]

    @property
    def end(self) -> int:
        return self.parts[-1][1]

    def diff(self, data: bytes) -> bytes:
        """The diffs alone: what git is given, so that it cannot find one in the words around them."""
        return b"".join(data[start:end] for start, end in self.parts)


def scan_patch_text(data: bytes, *, source: str = "patch", limits: PatchLimits | None = None) -> PatchText:
    """What a text from outside is; PatchRefused if it must not be applied."""
    return _Scanner(data, source, limits or PatchLimits()).scan()


class _Scanner:
    """Reads a text from its beginning to its end. Positions are those of the newline before a line."""

    def __init__(self, data: bytes, source: str, limits: PatchLimits) -> None:
        self._limits = limits
        self._text = Text(data, source)
        self._file_count = 0
        self._is_git: bool | None = None
        self._has_prefixes = True

    def scan(self) -> PatchText:
        self._check_sizes()
        is_mail = _MAIL_START.match(self._text.data, self._skip_blank_lines(0, self._text.end)) is not None
        parts = tuple(self._mails(0) if is_mail else [self._part(0, self._text.end)])
        if not parts:
            raise self._refusal_without_diff(0, self._text.end)
        kind: Kind = "mail" if is_mail else "git" if self._is_git else "unified"
        return PatchText(kind, 1 if self._has_prefixes else None, parts, self._file_count)

    # -- the text as a whole

    def _check_sizes(self) -> None:
        if self._text.size > self._limits.max_bytes:
            raise self._text.refusal(0, f"it has {self._text.size:,} bytes; {self._limits.max_bytes:,} are allowed")
        position = 0
        while position + self._limits.max_line_bytes + 1 < self._text.end:
            end = self._text.data.rfind(b"\n", position + 1, position + self._limits.max_line_bytes + 2)
            if end < 0:
                raise self._text.refusal(position, f"the line is longer than {self._limits.max_line_bytes:,} bytes")
            position = end

    def _mails(self, start: int) -> Iterator[tuple[int, int]]:
        """Each mail's diffs; a cover letter has none."""
        while start < self._text.end:
            following = _NEXT_MAIL.search(self._text.data, start + 1)
            end = following.start() if following else self._text.end
            if self._find_header(start, end):
                yield self._mail(start, end)
            start = end

    def _mail(self, start: int, end: int) -> tuple[int, int]:
        head_end = self._text.data.find(b"\n\n", start + 1, end)
        if encoded := _ENCODED_MAIL.search(self._text.data, start, end if head_end < 0 else head_end):
            raise self._text.refusal(
                encoded.start(), f"the mail is encoded ({encoded[1].decode()}); decode it first, as git am does"
            )
        separator = _MAIL_SEPARATOR.search(self._text.data, start, end)
        header = self._find_header(start, end)
        if header and (separator is None or header.start() < separator.start()):
            raise self._text.refusal(header.start(), "a diff stands in the message of the mail, before its --- line")
        return self._part(separator.end() if separator else start, end)

    def _part(self, start: int, limit: int) -> tuple[int, int]:
        """The diffs of a text that has one run of them, whatever is said before and behind."""
        header = self._find_header(start, limit)
        if header is None:
            raise self._refusal_without_diff(start, limit)
        first = position = header.start()
        while self._is_header(position, limit):
            position = self._file(position, limit)
            end = position
            position = self._skip_between_files(position, limit)
        self._check_rest(position, limit)
        if end > self._text.size:
            raise self._text.refusal(self._text.line_before(end), "the last line has no newline, so it may be cut off")
        return first, end

    def _refusal_without_diff(self, start: int, limit: int) -> PatchRefused:
        for pattern, what in (
            (_CONTEXT_DIFF, "a context diff; only unified diffs are taken"),
            (_NORMAL_DIFF, "a diff without names; only unified diffs are taken"),
            (_ED_COMMAND, "an ed script; only unified diffs are taken"),
        ):
            if found := pattern.search(self._text.data, start, min(limit, start + _LOOKED_AT)):
                return self._text.refusal(found.start(), f"this is {what}")
        return self._text.refusal(start, "there is no diff in it")

    def _find_header(self, start: int, limit: int) -> re.Match[bytes] | None:
        data = self._text.data
        # Looking for a byte string is much quicker than the pattern, and most text has no header.
        if all(data.find(mark, start, limit) < 0 for mark in _HEADER_MARKS):
            return None
        return _HEADER_LIKE.search(data, start, limit)

    def _is_header(self, position: int, limit: int) -> bool:
        return position < limit and _HEADER_LIKE.match(self._text.data, position, limit) is not None

    def _skip_between_files(self, position: int, limit: int) -> int:
        """Past blank lines and the lines that other tools write before each file."""
        position = self._skip_blank_lines(position, limit)
        while between := _BETWEEN_FILES.match(self._text.data, position, limit + 1):
            position = self._skip_blank_lines(between.end(), limit)
        return position

    def _skip_blank_lines(self, position: int, limit: int) -> int:
        blank = _BLANK_LINES.match(self._text.data, position, limit + 1)
        return blank.end() if blank else position

    def _check_rest(self, position: int, limit: int) -> None:
        if header := self._find_header(position, limit):
            raise self._text.refusal(header.start(), "another diff begins here, after text that belongs to none")
        if command := _ED_COMMAND.search(self._text.data, position, limit):
            raise self._text.refusal(command.start(), "an ed command stands behind the diff")

    # -- one file

    def _file(self, position: int, limit: int) -> int:
        """Check one file's part; answer where it ends."""
        self._file_count += 1
        if self._file_count > self._limits.max_files:
            raise self._text.refusal(position, f"it changes more than {self._limits.max_files:,} files")
        if self._text.data.startswith(b"@@ -", position + 1):
            raise self._text.refusal(position, "a hunk stands here without the names of its file")
        is_git = self._text.data.startswith(GIT_TITLE, position + 1)
        if self._is_git not in (None, is_git):
            raise self._text.refusal(position, "git's and plain diffs are mixed")
        self._is_git = is_git
        header = Header(self._text, position)
        self._has_prefixes &= header.has_prefixes
        return self._body(header, header.end, limit)

    def _body(self, header: Header, position: int, limit: int) -> int:
        data = self._text.data
        if data.startswith(b"@@ -", position + 1):
            if not header.has_names:
                raise self._text.refusal(position, "a hunk stands here without --- and +++")
            return self._hunks(header, position, limit)
        if header.has_names:
            raise self._text.refusal(position, "--- and +++ are not followed by a hunk")
        if data.startswith(b"GIT binary patch", position + 1):
            return self._binary(self._text.line_end(position), limit)
        if data.startswith((b"Binary files ", b"Files "), position + 1):
            raise self._text.refusal(position, "a binary change is named but not contained; make it with --binary")
        if not header.says_something:
            raise self._text.refusal(header.start, "it says nothing about this file")
        return position

    def _hunks(self, header: Header, position: int, limit: int) -> int:
        free_from = 0
        while position < limit and self._text.data.startswith(b"@@ -", position + 1):
            found = _HUNK.match(self._text.data, position + 1)
            if found is None:
                raise self._text.refusal(position, "the numbers of the hunk cannot be read")
            start, old, _, new = (int(1 if number is None else number) for number in found.groups())
            if (header.is_new and old) or (header.is_deleted and new):
                raise self._text.refusal(position, "the file is new or deleted, but the hunk has lines of both")
            if (first := start - 1 if old else start) < free_from:
                raise self._text.refusal(position, "the hunk overlaps the one before it, or stands in the wrong order")
            free_from = first + old
            position = self._hunk_body(position, old, new, limit)
        return position

    def _hunk_body(self, position: int, old: int, new: int, limit: int) -> int:
        walk = HunkWalk(self._text.data, self._text.line_end(position), old, new)
        following = self._text.data.find(b"\n@@ -", self._text.line_end(position), limit)
        end = walk.walk(limit if following < 0 else following)
        if walk.old_left or walk.new_left:
            raise self._text.refusal(
                end, f"the hunk at line {self._text.line_number(position)} has fewer lines than its numbers say"
            )
        if self._is_more_of_hunk(end, limit):
            raise self._text.refusal(
                end, f"the hunk at line {self._text.line_number(position)} has more lines than its numbers say"
            )
        return end

    def _is_more_of_hunk(self, position: int, limit: int) -> bool:
        if position >= limit or self._text.data[position + 1 : position + 2] not in (b" ", b"+", b"-", b"\\"):
            return False
        return not (_SIGNATURE.match(self._text.data, position) or self._is_header(position, limit))

    # -- binary changes

    def _binary(self, position: int, limit: int) -> int:
        """Past the one or two pieces, forward and reverse, of a binary change."""
        start = position
        for _ in range(2):
            piece = _BINARY_PIECE.match(self._text.line(position)) if position < limit else None
            if piece is None:
                break
            size = int(piece[2])
            if size > self._limits.max_binary_bytes:
                raise self._text.refusal(
                    position, f"it would unpack to {size:,} bytes; {self._limits.max_binary_bytes:,} are allowed"
                )
            begun = position
            packed, position = self._packed(self._text.line_end(position), limit)
            self._check_unpacked(begun, packed, size, is_delta=piece[1] == b"delta")
        if position == start:
            raise self._text.refusal(position, "neither literal nor delta follows in the binary change")
        return position

    def _packed(self, position: int, limit: int) -> tuple[bytes, int]:
        """The bytes of the lines up to a blank one."""
        pieces = []
        while position < limit and (line := self._text.line(position)).rstrip(b"\r"):
            found = _BINARY_LINE.match(line)
            size = _length_of(found[1]) if found else 0
            if found is None or len(found[2]) != (size + 3) // 4 * 5:
                raise self._text.refusal(position, "a line of the binary change is broken")
            try:
                pieces.append(b85decode(found[2])[:size])
            except ValueError as error:
                raise self._text.refusal(position, "a line of the binary change is broken") from error
            position = self._text.line_end(position)
        if position >= limit:
            raise self._text.refusal(
                self._text.line_before(position), "the binary change does not end with a blank line"
            )
        return b"".join(pieces), self._text.line_end(position)

    def _check_unpacked(self, position: int, packed: bytes, size: int, *, is_delta: bool) -> None:
        unpacker = zlib.decompressobj()
        try:
            content = unpacker.decompress(packed, size + 1)
        except zlib.error as error:
            raise self._text.refusal(position, "the binary change cannot be unpacked") from error
        if len(content) != size or not unpacker.eof:
            raise self._text.refusal(position, "the binary change does not unpack to the size that it says")
        if is_delta and (result := _delta_result_size(content)) > self._limits.max_binary_bytes:
            raise self._text.refusal(
                position, f"it would unpack to {result:,} bytes; {self._limits.max_binary_bytes:,} are allowed"
            )


def _length_of(letter: bytes) -> int:
    """How many bytes a line of a binary change holds: A to Z are 1 to 26, a to z are 27 to 52."""
    return letter[0] - (0x40 if letter[0] < 0x60 else 0x60 - 26)


def _delta_result_size(delta: bytes) -> int:
    """What a delta unpacks to: the second of the two numbers at its beginning."""
    position = value = 0
    for _ in range(2):
        value = shift = 0
        while position < len(delta) and shift < 64:
            byte = delta[position]
            value |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                break
    return value
