"""The lines of a patch that name a file and say what becomes of it; all of them must agree.

git, other programs and people take the names from different lines, so a header that lets them differ is refused.
"""

import re

from engine.errors import PatchRefused
from engine.git.changes import EXECUTABLE, GITLINK, REGULAR, SYMLINK, shown_path, unquote

NOWHERE = b"/dev/null"
GIT_TITLE = b"diff --git "
MODES = frozenset(mode.encode() for mode in (REGULAR, EXECUTABLE, SYMLINK, GITLINK))

_WORD = re.compile(
    rb"((?:old|new|new file|deleted file) mode|(?:rename|copy) (?:from|to)|(?:dis)?similarity index|index|---|\+\+\+)"
    rb" ([^\n]*)\Z"
)
_INDEX_MODE = re.compile(rb"[0-9a-f]+\.\.[0-9a-f]+ ([0-9]+)\Z")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')


class Text:
    """A text between two newlines, so that every line starts after one. A position is that of the newline before a
    line.
    """

    def __init__(self, data: bytes, source: str) -> None:
        self.source = source
        self.size = len(data)
        self.data = b"\n" + data + (b"" if data.endswith(b"\n") else b"\n")
        self.end = len(self.data) - 1

    def line(self, position: int) -> bytes:
        """The line after a newline, without its own."""
        return self.data[position + 1 : self.line_end(position)]

    def line_end(self, position: int) -> int:
        found = self.data.find(b"\n", position + 1)
        return self.end if found < 0 else found

    def line_before(self, position: int) -> int:
        """Where the line stands that ends at a newline."""
        return self.data.rfind(b"\n", 0, position)

    def line_number(self, position: int) -> int:
        return self.data.count(b"\n", 0, position) + 1

    def refusal(self, position: int, reason: str) -> PatchRefused:
        return PatchRefused(self.source, self.line_number(position), reason)


class Header:
    """The lines that name a file and say what becomes of it; all of them must agree."""

    def __init__(self, text: Text, start: int) -> None:
        self.start = self.end = start
        self._text = text
        self._said: dict[bytes, bytes] = {}
        self._at: dict[bytes, int] = {}
        title = text.line(start).rstrip(b"\r")
        self._is_git = title.startswith(GIT_TITLE)
        if self._is_git:
            self._check_bytes(start, title)
            self.end = text.line_end(start)
        self._read_words()
        self._check_words()
        self._old, self._new = self._named(b"---"), self._named(b"+++")
        if self._is_git:
            self._check_title(title.removeprefix(GIT_TITLE))
        else:
            self._check_plain()

    def _read_words(self) -> None:
        while self.end < self._text.end:
            line = self._text.line(self.end).rstrip(b"\r")
            found = _WORD.match(line)
            if found is None:
                return
            self._check_bytes(self.end, line)
            if found[1] in self._said:
                raise self._text.refusal(self.end, f"{found[1].decode()} is said twice")
            self._said[found[1]], self._at[found[1]] = found[2], self.end
            self.end = self._text.line_end(self.end)
            if found[1] == b"+++":
                return

    def _check_bytes(self, position: int, line: bytes) -> None:
        if b"\0" in line:
            raise self._text.refusal(position, "a NUL stands in a header")

    # -- what must go together

    _PAIRS = ((b"---", b"+++"), (b"old mode", b"new mode"), (b"rename from", b"rename to"), (b"copy from", b"copy to"))
    _ALONE = ((b"new file mode",), (b"deleted file mode",), (b"rename from",), (b"copy from",))

    def _check_words(self) -> None:
        for one, other in self._PAIRS:
            if (one in self._said) != (other in self._said):
                said, missing = (one, other) if one in self._said else (other, one)
                raise self._refusal(said, f"{said.decode()} is said without {missing.decode()}")
        fates = [word for (word,) in self._ALONE if word in self._said]
        if len(fates) > 1 or (fates and fates[0].endswith(b"file mode") and b"old mode" in self._said):
            raise self._refusal(fates[0], f"{fates[0].decode()} is said beside another fate of the file")
        for word in (b"old mode", b"new mode", b"new file mode", b"deleted file mode"):
            if (mode := self._said.get(word)) is not None and mode not in MODES:
                raise self._refusal(word, f"{_shown(mode)} is no mode of a file, program, link or submodule")
        index = _INDEX_MODE.match(self._said.get(b"index", b""))
        if index and index[1] not in MODES:
            raise self._refusal(b"index", f"{_shown(index[1])} is no mode of a file, program, link or submodule")

    @property
    def has_names(self) -> bool:
        return b"---" in self._said

    @property
    def is_new(self) -> bool:
        return b"new file mode" in self._said or self._old == NOWHERE

    @property
    def is_deleted(self) -> bool:
        return b"deleted file mode" in self._said or self._new == NOWHERE

    @property
    def says_something(self) -> bool:
        return bool(self._said.keys() - {b"index", b"similarity index", b"dissimilarity index"})

    # -- names

    def _named(self, word: bytes) -> bytes | None:
        """The name behind --- or +++, without the time that plain diffs tell."""
        text = self._said.get(word)
        if text is None:
            return None
        name, rest = self._name(word, text) if text.startswith(b'"') else text.partition(b"\t")[::2]
        if text.startswith(b'"') and rest and not rest.startswith((b"\t", b" ")):
            raise self._refusal(word, "something stands right behind a quoted name")
        return self._checked_name(word, name)

    def _name(self, word: bytes, text: bytes) -> tuple[bytes, bytes]:
        """A quoted name at the beginning of a text, and what follows it."""
        found = _QUOTED.match(text)
        try:
            if found:
                return unquote(found[1]), text[found.end() :]
        except ValueError:
            pass
        raise self._refusal(word, "the quoting of a name is broken")

    def _checked_name(self, word: bytes, name: bytes) -> bytes:
        if b"\0" in name or b"\n" in name:
            raise self._refusal(word, "a NUL or a newline stands in a name")
        if not name:
            raise self._refusal(word, "a name is empty")
        return name

    def _check_title(self, title: bytes) -> None:
        """The title, --- and +++, and the names of a rename or copy must mean the same two paths."""
        self._check_fate()
        moved_from, moved_to = self._moved()
        old, new = self._split(title, moved_from, moved_to)
        for told, name, word in ((self._old, old, b"---"), (self._new, new, b"+++")):
            if told is not None and told not in (NOWHERE, name):
                raise self._refusal(word, f"the title says {_shown(name)}, this line {_shown(told)}")
        if moved_from is None and _without_first(old) != _without_first(new):
            raise self._refusal(
                b"", f"the title names two paths, {_shown(old)} and {_shown(new)}, and no rename is told"
            )
        self.has_prefixes = old.startswith(b"a/") and new.startswith(b"b/")

    def _check_fate(self) -> None:
        for name, word, is_told in (
            (self._old, b"---", b"new file mode" in self._said),
            (self._new, b"+++", b"deleted file mode" in self._said),
        ):
            if name is not None and (name == NOWHERE) != is_told:
                raise self._refusal(word, "whether the file is new or deleted is said in two ways that disagree")

    def _moved(self) -> tuple[bytes | None, bytes | None]:
        for word in (b"rename", b"copy"):
            if word + b" from" in self._said:
                return self._whole(word + b" from"), self._whole(word + b" to")
        return None, None

    def _whole(self, word: bytes) -> bytes:
        text = self._said[word]
        name, rest = self._name(word, text) if text.startswith(b'"') else (text, b"")
        if rest:
            raise self._refusal(word, "something stands behind a quoted name")
        return self._checked_name(word, name)

    def _split(self, title: bytes, moved_from: bytes | None, moved_to: bytes | None) -> tuple[bytes, bytes]:
        """The two names of a title. Where blanks leave it open, those that are known from elsewhere decide."""
        if title.startswith(b'"'):
            old, rest = self._name(b"", title)
            new = self._second(rest)
        elif title.endswith(b'"'):
            old, _, rest = title.partition(b' "')
            new = self._second(b' "' + rest)
        else:
            old, new = self._split_plain(title, moved_to)
        if (
            moved_from is not None
            and moved_to is not None
            and not (_ends_in(old, moved_from) and _ends_in(new, moved_to))
        ):
            raise self._refusal(b"", "the title and the names of the rename or copy disagree")
        return self._checked_name(b"", old), self._checked_name(b"", new)

    def _second(self, rest: bytes) -> bytes:
        if not rest.startswith(b" "):
            raise self._refusal(b"", "the title does not have two names")
        if not rest.startswith(b' "'):
            return rest[1:]
        name, rest = self._name(b"", rest[1:])
        if rest:
            raise self._refusal(b"", "something stands behind the names of the title")
        return name

    def _split_plain(self, title: bytes, moved_to: bytes | None) -> tuple[bytes, bytes]:
        known = self._new if self._new not in (None, NOWHERE) else None
        if known is not None and title.endswith(b" " + known):
            return title[: -len(known) - 1], known
        known = self._old if self._old not in (None, NOWHERE) else None
        if known is not None and title.startswith(known + b" "):
            return known, title[len(known) + 1 :]
        if moved_to is not None:
            for new in (b"b/" + moved_to, moved_to):
                if title.endswith(b" " + new):
                    return title[: -len(new) - 1], new
        half = len(title) // 2
        if title[half : half + 1] == b" ":
            return title[:half], title[half + 1 :]
        raise self._refusal(b"", "the title and the names below it disagree")

    def _check_plain(self) -> None:
        old, new = self._old, self._new
        assert old is not None
        assert new is not None
        if extra := self._said.keys() - {b"---", b"+++"}:
            raise self._refusal(min(extra), f"{min(extra).decode()} stands in a plain diff")
        if old == new == NOWHERE:
            raise self._refusal(b"+++", "the file is nowhere, before and after")
        if NOWHERE not in (old, new) and old != new and _without_first(old) != _without_first(new):
            raise self._refusal(b"+++", f"the diff names two paths, {_shown(old)} and {_shown(new)}")
        self.has_prefixes = (old.startswith(b"a/") or old == NOWHERE) and (new.startswith(b"b/") or new == NOWHERE)

    def _refusal(self, word: bytes, reason: str) -> PatchRefused:
        return self._text.refusal(self._at.get(word, self.start), reason)


def _without_first(name: bytes) -> bytes:
    """A name without its first folder, in which the two sides of a diff may differ; a bare name is itself."""
    first, slash, rest = name.partition(b"/")
    return rest if slash else first


def _ends_in(name: bytes, path: bytes) -> bool:
    return name == path or (name.endswith(b"/" + path) and b"/" not in name[: -len(path) - 1])


def _shown(name: bytes) -> str:
    return shown_path(name[:200])
