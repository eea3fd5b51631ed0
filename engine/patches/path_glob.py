"""Globs over the paths of a repository, as plans write them: the words of git's `:(glob)` pathspecs.

`*`, `?` and `[…]` stay within one name, `**` as a whole name stands for any number of them, and a pattern without
wildcards or with a `/` at its end names a folder and everything below it. Braces mean nothing. Other than in git `?` is
a character, not a byte. Matching takes linear time in the path whatever the pattern: what stands between two stars is
taken at its first place and never looked for again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

_NOTHING = "(?!)"
_STAR = "*"
_SET_ITEM = re.compile(r"\[:([^\]]*):\]|(?:\\(.)|([^\\]))(?:-(?!\])(?:\\(.)|([^\\])))?", re.DOTALL)
_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e", "punct": r"!-/:-@\[-`{-~", "space": r" \t-\r",
    "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


class PathGlob:
    """One pattern, compiled once."""

    __slots__ = ("_regex", "_text", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._text = _from_top(pattern)
        self._regex = re.compile(_regex_of(self._text), re.DOTALL)

    def __repr__(self) -> str:
        return f"PathGlob({self.pattern!r})"

    def matches(self, path: bytes) -> bool:
        return self._regex.fullmatch(_text_of(path)) is not None

    def names(self, path: bytes) -> bool:
        """Whether the pattern, without any wildcard, is this path or a folder above it."""
        folder = self._text.rstrip("/")
        if not folder or _has_wildcard(folder):
            return False
        return _text_of(path) == self._text or _text_of(path).startswith(f"{folder}/")


class PathGlobs:
    """Several patterns of which one has to match, with upper and lower case the same, compiled into one."""

    __slots__ = ("_regex",)

    def __init__(self, patterns: Iterable[str]) -> None:
        choices = "|".join(f"(?:{_regex_of(_from_top(pattern))})" for pattern in patterns)
        self._regex = re.compile(choices or _NOTHING, re.DOTALL | re.IGNORECASE)

    def matches(self, path: bytes) -> bool:
        return self._regex.fullmatch(_text_of(path)) is not None


def _text_of(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _from_top(pattern: str) -> str:
    """A pattern without what only says that it begins at the top: `./src`, `/src` and `src` are the same."""
    return re.sub(r"\A(?:\./|/)*+(?:\.\Z)?", "", pattern)


def _has_wildcard(text: str) -> bool:
    return any(character in text for character in "*?[\\")


def _regex_of(pattern: str) -> str:
    if not pattern:
        return ".*"
    is_folder = pattern.endswith("/")
    name = pattern.rstrip("/")
    # As in git, what looks like a pattern can also be a name as it stands: app/[id]/page.tsx.
    literal = re.escape(name) + ("/.*" if is_folder else "(?:/.*)?")
    if not _has_wildcard(name):
        return literal
    return f"{literal}|{_path_regex(_names(name))}{'/.+' if is_folder else ''}"


def _path_regex(names: Sequence[Sequence[str]]) -> str:
    """A regular expression in which nothing is tried twice: between two `**` the first fit is as good as any."""
    parts = [""]
    for is_deep, group in groupby(names, _is_deep):
        if is_deep:
            parts.append("")
        else:
            parts[-1] = "/".join(map(_name_regex, group))
    if len(parts) == 1:
        return parts[0]
    first, *middle, last = parts
    return "".join(
        (
            f"{first}/" if first else "",
            *(f"(?>(?:[^/]++/)*?{part}/)" for part in middle),
            f"(?:[^/]++/)*{last}" if last else ".+",
        )
    )


def _is_deep(name: Sequence[str]) -> bool:
    return len(name) > 1 and set(name) == {_STAR}


def _name_regex(name: Sequence[str]) -> str:
    """The same for one name and its `*`; no path holds an empty name."""
    if not name:
        return _NOTHING
    parts = ["".join(group) for is_star, group in groupby(name, _STAR.__eq__) if not is_star]
    if _STAR not in name:
        return "".join(parts)
    first = parts.pop(0) if name[0] != _STAR else ""
    last = parts.pop() if name[-1] != _STAR else ""
    return first + "".join(f"(?>[^/]*?{part})" for part in parts) + f"[^/]*{last}"


def _names(pattern: str) -> list[list[str]]:
    """The names of a pattern, each a list of stars and of regular expressions for one character."""
    names: list[list[str]] = [[]]
    tokens = _tokens(pattern)
    for token in tokens:
        if token == "/":
            names.append([])
        else:
            names[-1].append(token)
    return names


def _tokens(pattern: str) -> Iterator[str]:
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "[":
            token, position = _set(pattern, position)
            yield token
        elif character == "\\":
            yield re.escape(pattern[position]) if position < len(pattern) else _NOTHING
            position += 1
        elif character == "?":
            yield "[^/]"
        else:
            yield _STAR if character == "*" else re.escape(character)


def _set(pattern: str, position: int) -> tuple[str, int]:
    """What stands between brackets, and where it ends. As in git, one that never ends matches nothing."""
    is_negated = pattern.startswith(("!", "^"), position)
    position += is_negated
    body = ""
    while not (body and pattern.startswith("]", position)):
        item = _SET_ITEM.match(pattern, position)
        if item is None:
            return _NOTHING, len(pattern)
        position = item.end()
        if item[1] is None:
            body += _range(item[2] or item[3], item[4] or item[5] or "")
        elif item[1] in _CLASSES:
            body += _CLASSES[item[1]]
        else:
            return _NOTHING, len(pattern)
    return f"[^/{body}]" if is_negated else f"(?!/)[{body}]", position + 1


def _range(low: str, high: str) -> str:
    return re.escape(low) + (f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
