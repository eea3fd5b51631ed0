"""What is hostile in a `.gitmodules`: text that makes some version of git run a command or write where it must not.

The text is read as git reads a configuration file; one that git could not read is hostile too.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from engine.git.changes import shown_path
from engine.patches.path_rules import path_findings


class Entry(NamedTuple):
    """One setting of a configuration file; a key without `=` has no value."""

    section: bytes
    subsection: bytes | None
    key: bytes
    value: bytes | None


_GAP = re.compile(rb"(?:[ \t\r\n]+|[#;][^\n]*)+")
_SECTION = re.compile(rb'\[([-.0-9A-Za-z]+)(?:[ \t\r]+"((?:[^"\\\n]|\\[^\n])*+)")?\]')
_KEY = re.compile(rb"([A-Za-z][-0-9A-Za-z]*)[ \t]*(=|\n|\Z)")
_VALUE_PART = re.compile(rb'([ \t\r]+)|([#;][^\n]*)|\\(\n|[tbn\\"])|(")|([^ \t\r\n#;\\"]+)')
_QUOTED_PART = re.compile(rb'\\(\n|[tbn\\"])|(")|([^\n\\"]+)')
_ESCAPES = {b"\n": b"", b"t": b"\t", b"b": b"\b", b"n": b"\n", b"\\": b"\\", b'"': b'"'}

_LINE_END = ord("\n")

_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_HELPER = re.compile(rb"[^/\[]*?::")
_RELATIVE = re.compile(rb"(?:\.{1,2}/)*+")


def gitmodules_reasons(text: bytes) -> Iterator[str]:
    """Every hostile thing in it, in words."""
    try:
        entries = parse_config(text)
    except ValueError as problem:
        yield f"git cannot read it: {problem}"
        return
    names = dict.fromkeys(entry.subsection or b"" for entry in entries if entry.section == b"submodule")
    for name in names:
        if not name or b".." in re.split(rb"[/\\]", name):
            yield f"the name {shown_path(name)} leads out of .git/modules"
    for entry in entries:
        if entry.section == b"submodule" and entry.value is not None:
            for reason in _value_reasons(entry.key, entry.value):
                yield f"the {entry.key.decode()} of {shown_path(entry.subsection or b'')} {reason}"


def _value_reasons(key: bytes, value: bytes) -> Iterator[str]:
    if key in (b"url", b"path", b"branch"):
        if value.startswith(b"-"):
            yield "begins with a dash"
        if _CONTROLS.search(value):
            yield "holds a line end or another control character"
    if key == b"url":
        yield from _url_reasons(value)
    elif key == b"path":
        yield from (f"is refused: {finding.message}" for finding in path_findings(value))
    elif key == b"update" and value.lstrip().startswith(b"!"):
        yield "is a command"


def _url_reasons(url: bytes) -> Iterator[str]:
    if _HELPER.match(url, _relative_end(url)):
        yield "names a transport that runs a program"
    if url[_relative_end(url) :].startswith(b"-") and not url.startswith(b"-"):
        yield "begins with a dash once it is resolved"
    if not _CONTROLS.search(url) and re.search(rb"[\r\n]", unquote_to_bytes(url)):
        yield "holds a line end in disguise"


def _relative_end(url: bytes) -> int:
    """Where a relative URL's leading dots end: git replaces them by the parent's URL, in part."""
    start = _RELATIVE.match(url)
    return start.end() if start else 0


# -- git's configuration files ----------------------------------------------------------------------------


def parse_config(text: bytes) -> list[Entry]:
    """All settings of a configuration file as git reads them, in order. ValueError where git would give up."""
    if b"\0" in text:
        raise ValueError("it holds a NUL byte")
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    return list(_Reader(text).entries())


class _Reader:
    """A walk through a configuration file, one token after the other."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._position = 0
        self._section: tuple[bytes, bytes | None] = (b"", None)

    def entries(self) -> Iterator[Entry]:
        while True:
            if gap := _GAP.match(self._text, self._position):
                self._position = gap.end()
            if self._position >= len(self._text):
                return
            if self._text.startswith(b"[", self._position):
                self._read_section()
            else:
                yield self._entry()

    def _read_section(self) -> None:
        header = self._taken(_SECTION)
        name, subsection = header[1].lower(), header[2]
        if subsection is None:
            name, dot, rest = name.partition(b".")
            self._section = name, rest if dot else None
        else:
            self._section = name, re.sub(rb"\\(.)", rb"\1", subsection)

    def _entry(self) -> Entry:
        key = self._taken(_KEY)
        value = self._value() if key[2] == b"=" else None
        return Entry(*self._section, key[1].lower(), value)

    def _value(self) -> bytes:
        value, blanks, is_quoted = bytearray(), b"", False
        while self._position < len(self._text) and self._text[self._position] != _LINE_END:
            part = self._taken(_QUOTED_PART if is_quoted else _VALUE_PART)
            escape, quote, plain = part.groups()[-3:]
            if escape is quote is plain is None:
                blanks += (part[1] or b"") if value else b""
                continue
            value += blanks + (_ESCAPES[escape] if escape else plain or b"")
            blanks = b""
            is_quoted ^= quote is not None
        if is_quoted:
            raise ValueError("a quotation does not end")
        return bytes(value)

    def _taken(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        found = pattern.match(self._text, self._position)
        if found is None:
            line = self._text.count(b"\n", 0, self._position) + 1
            raise ValueError(f"line {line} is broken")
        self._position = found.end()
        return found
