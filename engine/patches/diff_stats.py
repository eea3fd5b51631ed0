"""How large a patch is that is only known as text: git diffs, plain unified diffs, mails, and files of several.

It agrees with `git apply --numstat --summary` on whatever git accepts, save that the two halves in which git writes a
file that became a link (or the reverse) are one modified file. What git refuses is counted as far as it can be read.
Content that looks like a header is content: hunks end where their numbers say. Most files are counted without looking
at single lines, and only where the sums do not come out is a hunk walked; time is linear in the text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.git.changes import DiffStats

_GIT_MARK = b"\ndiff --git"
_HUNK_MARK = b"\n@@ -"

# The first branch is what most headers are: a file that was edited and nothing else.
_GIT_HEADER = re.compile(
    rb"diff --git ([^\n]*)\n"
    rb"(?:(index )[^\n]*\n--- [^\n]*\n\+\+\+ [^\n]*\n(?=@@ -)"
    rb"|(?:(?:index |--- |\+\+\+ |(?:old|new|deleted file|new file) mode |(?:dis)?similarity index "
    rb"|(?:rename|copy) (?:from|to) |rename (?:old|new) )[^\n]*\n)+)"
)
_GIT_KIND = re.compile(rb"\n(?:(new) file mode ([0-9]+)|(deleted) file mode ([0-9]+)|(rename|copy) (?:from|old) )")
_PLAIN_HEADER = re.compile(rb"\n--- ([^\n]*)\n\+\+\+ ([^\n]*)\n(?=@@ -[0-9])")
# Looking back after the first bytes is much quicker than to begin with a line end.
_HUNK_HEADER = re.compile(rb"@@ -(?<=\n@@ -)[0-9]{1,18}(?:,([0-9]{1,18}))? \+[0-9]{1,18}(?:,([0-9]{1,18}))? @@")
_BINARY = re.compile(rb"GIT binary patch\n|(?:Binary files |Files )[^\n]* differ\n")
_NOT_OF_A_HUNK = re.compile(rb"\n[^ +\-\\\n]")
_NOWHERE = re.compile(rb"/dev/null(?:\s|\Z)")
_EPOCH = re.compile(
    rb"(1969-12-31|1970-01-01) ([0-2][0-9]):([0-5][0-9]):00(?:\.0+)? ([-+])([0-2][0-9]):?([0-5][0-9])\Z"
)


class _Section(NamedTuple):
    """What a patch says about one file."""

    kind: str
    added: int = 0
    deleted: int = 0
    is_binary: bool = False
    title: bytes = b""
    mode: bytes = b""


_NO_SECTION = _Section("")


def compute_diff_stats(patch_text: str | bytes) -> DiffStats:
    """Count the files and lines of a patch."""
    data = patch_text.encode("utf-8", "surrogatepass") if isinstance(patch_text, str) else patch_text
    kinds = dict.fromkeys(("added", "modified", "deleted", "renamed"), 0)
    added = deleted = binary = 0
    previous = _NO_SECTION
    for section in _Text(data).sections():
        kinds[section.kind] += 1
        added += section.added
        deleted += section.deleted
        binary += section.is_binary
        if previous.mode and _is_other_half(previous, section):
            kinds["added"] -= 1
            kinds["deleted"] -= 1
            kinds["modified"] += 1
            binary -= previous.is_binary and section.is_binary
            section = _NO_SECTION
        previous = section
    return DiffStats(kinds["added"], kinds["modified"], kinds["deleted"], kinds["renamed"], added, deleted, binary)


def _is_other_half(first: _Section, second: _Section) -> bool:
    """git writes a change of type as a deletion and an addition with the same title, one right after the other."""
    return (
        first.kind == "deleted"
        and second.kind == "added"
        and first.title == second.title != b""
        and first.mode[:3] != second.mode[:3]
    )


class _Text:
    """A patch between two line ends, so that every line starts after one."""

    def __init__(self, data: bytes) -> None:
        self._data = b"\n" + data + (b"" if data.endswith(b"\n") else b"\n")
        self._end = len(self._data) - 1
        """Where the last line ends."""

    def sections(self) -> Iterator[_Section]:
        position = 0
        while position < self._end:
            git_at = self._find(_GIT_MARK, position, self._end)
            yield from self._plain_sections(position, git_at)
            if git_at == self._end:
                return
            header = _GIT_HEADER.match(self._data, git_at + 1)
            if header is None:
                position = git_at + 1
                continue
            limit = self._find(_GIT_MARK, header.end() - 1, self._end)
            section, position = self._git_section(header, limit)
            yield section

    def _find(self, mark: bytes, start: int, limit: int) -> int:
        found = self._data.find(mark, start, limit)
        return limit if found < 0 else found

    def _git_section(self, header: re.Match[bytes], limit: int) -> tuple[_Section, int]:
        kind, mode = _git_kind(header)
        body = header.end() - 1
        if self._data.startswith(b"@@ -", body + 1):
            added, deleted, end = self._hunks(body, limit)
            return _Section(kind, added, deleted, title=header[1], mode=mode), end
        is_binary = _BINARY.match(self._data, body + 1) is not None
        return _Section(kind, is_binary=is_binary, title=header[1], mode=mode), body

    def _plain_sections(self, position: int, limit: int) -> Iterator[_Section]:
        header = _PLAIN_HEADER.search(self._data, position, limit)
        while header is not None:
            body = header.end() - 1
            # The next header may be content that looks like one; then the sums do not come out.
            following = _PLAIN_HEADER.search(self._data, body, limit)
            likely_end = self._find(b"\ndiff ", body, following.start() if following else limit)
            added, deleted, end = self._hunks(body, likely_end, limit)
            yield _Section(_plain_kind(header[1], header[2]) or _guessed_kind(self, body, end), added, deleted)
            if following is None or following.start() < end:
                following = _PLAIN_HEADER.search(self._data, end, limit)
            header = following

    def _hunks(self, start: int, likely_end: int, limit: int | None = None) -> tuple[int, int, int]:
        """Lines added and deleted by the hunks from here on, and where the last one ends."""
        quick = self._summed(start, likely_end)
        return (*quick, likely_end) if quick else self._walked(start, likely_end if limit is None else limit)

    def _summed(self, start: int, end: int) -> tuple[int, int] | None:
        """Lines added and deleted if everything up to the end is hunks; None where that is not certain.

        Of what the headers promise and the number of lines both follow. One of them is counted too: any other line in
        between would have to be of that kind, and one that also follows the hunks would be the last.
        """
        data = self._data
        numbers = _HUNK_HEADER.findall(data, start, end)
        old, new = _promised(numbers)
        if len(numbers) == 1 and (not old or not new):
            return new, old
        lines = data.count(b"\n", start, end) - len(numbers)
        added, deleted = lines - old, lines - new
        if data.startswith(b"\n-", data.rfind(b"\n", start, end)):
            is_certain = added == data.count(b"\n+", start, end)
        else:
            is_certain = deleted == data.count(b"\n-", start, end)
        if not is_certain:
            incomplete = data.count(b"\n\\ ", start, end)
            added, deleted = added - incomplete, deleted - incomplete
            is_certain = added == data.count(b"\n+", start, end) and deleted == data.count(b"\n-", start, end)
        return (added, deleted) if is_certain and added >= 0 and deleted >= 0 else None

    def _walked(self, position: int, limit: int) -> tuple[int, int, int]:
        """The same, hunk by hunk."""
        added = deleted = 0
        while header := _HUNK_HEADER.match(self._data, position + 1, limit):
            body = self._find(b"\n", header.end(), limit)
            hunk = HunkWalk(self._data, body, int(header[1] or 1), int(header[2] or 1))
            position = hunk.walk(self._find(_HUNK_MARK, body, limit))
            added, deleted = added + hunk.added, deleted + hunk.deleted
        return added, deleted, position


class HunkWalk:
    """One hunk, walked in strides that grow while they fit into what its header promises and shrink where not."""

    def __init__(self, data: bytes, position: int, old: int, new: int) -> None:
        self._data = data
        self._position = position
        self.old_left, self.new_left = old, new
        self.added = self.deleted = 0

    def walk(self, limit: int) -> int:
        """Count up to the hunk's last line, or the first that cannot belong to it; answer where that is."""
        stride = limit - self._position
        while (self.old_left > 0 or self.new_left > 0) and self._position < limit:
            end = self._stride_end(stride, limit)
            if self._takes(end):
                stride *= 2
            elif self._data.find(b"\n", self._position + 1, end) < 0:
                break
            else:
                stride = (end - self._position) // 2
        if self._data.startswith(b"\n\\ ", self._position) and self._position < limit:
            self._position = self._data.index(b"\n", self._position + 1)
        return self._position

    def _stride_end(self, stride: int, limit: int) -> int:
        """The last line end within a stride, or that of the first line if it is longer."""
        if self._position + stride >= limit:
            return limit
        end = self._data.rfind(b"\n", self._position + 1, self._position + stride + 1)
        return end if end >= 0 else self._data.index(b"\n", self._position + 1)

    def _takes(self, end: int) -> bool:
        data, start = self._data, self._position
        added, deleted = data.count(b"\n+", start, end), data.count(b"\n-", start, end)
        unchanged = data.count(b"\n", start, end) - added - deleted - data.count(b"\n\\", start, end)
        if added + unchanged > self.new_left or deleted + unchanged > self.old_left:
            return False
        if _NOT_OF_A_HUNK.search(data, start, end):
            return False
        self._position = end
        self.old_left -= deleted + unchanged
        self.new_left -= added + unchanged
        self.added, self.deleted = self.added + added, self.deleted + deleted
        return True


def _promised(numbers: list[tuple[bytes, bytes]]) -> tuple[int, int]:
    """How many lines hunks say that they have before and after; what is not said is 1."""
    if len(numbers) == 1:
        ((before, after),) = numbers
        return int(before or 1), int(after or 1)
    return sum([int(before or 1) for before, _ in numbers]), sum([int(after or 1) for _, after in numbers])


def _git_kind(header: re.Match[bytes]) -> tuple[str, bytes]:
    if header[2]:
        return "modified", b""
    found = _GIT_KIND.search(header.string, header.start(), header.end())
    if found is None:
        return "modified", b""
    if found[5]:
        return ("renamed" if found[5] == b"rename" else "added"), b""
    return ("added", found[2]) if found[1] else ("deleted", found[4])


def _plain_kind(old: bytes, new: bytes) -> str:
    """What two names of a plain diff say: a file that is nowhere, or from the beginning of time, is not there."""
    if _NOWHERE.match(old):
        return "added"
    if _NOWHERE.match(new):
        return "deleted"
    if _is_epoch(old):
        return "added"
    return "deleted" if _is_epoch(new) else ""


def _guessed_kind(text: "_Text", body: int, end: int) -> str:
    """What git takes a plain diff for that does not say: one hunk without an old side is a new file."""
    numbers = _HUNK_HEADER.findall(text._data, body, end)
    if len(numbers) != 1:
        return "modified"
    before, after = numbers[0]
    if before == b"0":
        return "added"
    return "deleted" if after == b"0" else "modified"


def _is_epoch(name: bytes) -> bool:
    stamp = _EPOCH.match(name.rpartition(b"\t")[2])
    if stamp is None:
        return False
    day, hour, minute, sign, zone_hours, zone_minutes = stamp.groups()
    zone = int(zone_hours) * 60 + int(zone_minutes)
    midnight = 24 * 60 if day == b"1969-12-31" else 0
    return int(hour) * 60 + int(minute) - (-zone if sign == b"-" else zone) == midnight
