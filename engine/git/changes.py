"""What differs between two trees, path by path, exactly as git tells it: pure data, read by `diffs.py`.

Paths are bytes, as git has them; `shown_path` is how people and JSON see them, and `parse_shown_path` reads that back.
"""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

REGULAR, EXECUTABLE, SYMLINK, GITLINK = "100644", "100755", "120000", "160000"
NO_MODE = "000000"


@dataclass(frozen=True, slots=True)
class Change:
    """One changed file. `status` is A, M, D, R (renamed, perhaps edited), C (copied) or T (of another type)."""

    status: str
    path: bytes
    old_path: bytes | None = None
    """Where a renamed or copied file was."""
    old_mode: str = NO_MODE
    new_mode: str = NO_MODE
    old_blob: str = ""
    new_blob: str = ""
    lines_added: int = 0
    lines_deleted: int = 0
    is_binary: bool = False


@dataclass(frozen=True, slots=True)
class DiffStats:
    """How large a change is; every file counts once."""

    files_added: int = 0
    files_modified: int = 0
    files_deleted: int = 0
    files_renamed: int = 0
    lines_added: int = 0
    lines_deleted: int = 0
    binary_files: int = 0

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def file_count(self) -> int:
        return self.files_added + self.files_modified + self.files_deleted + self.files_renamed

    def __add__(self, other: "DiffStats") -> "DiffStats":
        mine, theirs = self.to_dict(), other.to_dict()
        return DiffStats(**{name: mine[name] + theirs[name] for name in mine})

    def __str__(self) -> str:
        return f"[+{self.file_count} files, +{self.lines_added} -{self.lines_deleted} lines]"

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Self:
        """The sum of changes: renamed before added before deleted before modified; copies count as added."""
        counts = dict.fromkeys(cls.__dataclass_fields__, 0)
        for change in changes:
            counts[_COUNTED_AS.get(change.status, "files_modified")] += 1
            counts["binary_files"] += change.is_binary
            counts["lines_added"] += change.lines_added
            counts["lines_deleted"] += change.lines_deleted
        return cls(**counts)


_COUNTED_AS = {"R": "files_renamed", "A": "files_added", "C": "files_added", "D": "files_deleted"}


# -- paths -----------------------------------------------------------------------------------------------

_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_UNESCAPES = {escape[1]: code for code, escape in _ESCAPES.items()}
_ESCAPED = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)


def shown_path(path: bytes) -> str:
    """A path as text: itself where it is plain UTF-8, else quoted as git quotes it, so that nothing is lost."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return '"' + "".join(_quoted(byte) for byte in path) + '"'


def _quoted(byte: int) -> str:
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def parse_shown_path(text: str) -> bytes:
    """The path that a text shows: C-quoted, or itself. ValueError if the quoting is broken."""
    if not (len(text) >= 2 and text[0] == text[-1] == '"'):
        return text.encode("utf-8", "surrogateescape")
    return unquote(text[1:-1].encode("utf-8", "surrogateescape"))


def unquote(inner: bytes) -> bytes:
    """What stands between the quotes of a C-quoted path. ValueError if it is broken."""
    text = inner.decode("latin-1")
    bare = _ESCAPED.sub("", text)
    if "\\" in bare or '"' in bare:
        raise ValueError("a quoted path is broken")
    return _ESCAPED.sub(lambda match: chr(_unescaped(match[1])), text).encode("latin-1")


def _unescaped(body: str) -> int:
    if len(body) == 3:
        if (code := int(body, 8)) < 256:
            return code
    elif body in _UNESCAPES:
        return _UNESCAPES[body]
    raise ValueError(f"\\{body} means nothing in a quoted path")
