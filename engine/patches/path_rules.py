"""Which paths no patch may touch, whatever the file system: the reasons of one path, from its bytes alone.

A path is refused if any system that a repository may be checked out on could take it for something outside of the
repository or for `.git`. What git itself refuses with `core.protectNTFS` and `core.protectHFS` is refused here too.
A path that is refused for many components has one finding for each rule, not for each component.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from engine.git.changes import Change
from engine.patches.finding import Finding

LONGEST_PATH, LONGEST_NAME, DEEPEST_PATH = 4095, 255, 255

_DRIVE = re.compile(rb"[A-Za-z]:")
_SEPARATORS = re.compile(rb"[/\\]")
_BLANK_NAME = re.compile(rb"[. ]*")
_TRAIL = r"[.\s]*(?::.*)?"
"""NTFS drops dots and blanks at the end of a name, and what follows a colon is a stream of the same file."""
_DOT_GIT = re.compile(rf"(?:\.git|git~[0-9]+){_TRAIL}", re.DOTALL)
_DOT_GITMODULES = re.compile(rf"(?:\.gitmodules|(?:gitmod|gi7eba)~[0-9]+){_TRAIL}", re.DOTALL)

_IGNORABLES = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
_IGNORABLE = re.compile(f"[{_IGNORABLES}]")
_BROKEN = re.compile("[\ud800-\udfff]")
_LONGEST_NORMALISED = 4 * LONGEST_NAME
"""Normalising takes quadratic time on a long run of combining marks; no system holds names that long."""


def path_findings(path: bytes) -> Iterator[Finding]:
    """Every reason why this path must not be touched."""
    if not path:
        yield Finding("path.empty", path, "a path is empty")
        return
    components = path.split(b"/")
    for rule, message in (*_form_reasons(path, components), *_name_reasons(path, components)):
        yield Finding(rule, path, message)


def _form_reasons(path: bytes, components: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    if path.startswith(b"/"):
        yield "path.absolute", "the path is absolute"
    if b"\0" in path:
        yield "path.nul", "the path holds a NUL byte"
    if _DRIVE.match(path):
        yield "path.drive", "the path begins with a drive letter"
    if max(map(len, components)) > LONGEST_NAME:
        yield "path.long", f"a name in the path is longer than {LONGEST_NAME} bytes"
    if is_too_long(path):
        yield "path.long", f"the path is longer than {LONGEST_PATH} bytes, or deeper than {DEEPEST_PATH} folders"


def _name_reasons(path: bytes, components: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    if b"" in components[1:]:
        yield "path.empty", "a name in the path is empty"
    names = set(components)
    if any(name and _BLANK_NAME.fullmatch(name) for name in names):
        yield "path.dots", 'a name in the path is ".", ".." or only dots and blanks'
    if any(map(is_dot_git, names)):
        yield "path.git", "a name in the path is .git, or some file system takes it for .git"
    if b"\\" in path and any(map(_is_harmful, set(_SEPARATORS.split(path)))):
        yield "path.backslash", "where backslashes separate names, the path leads elsewhere"


def _is_harmful(name: bytes) -> bool:
    return _BLANK_NAME.fullmatch(name) is not None or is_dot_git(name)


def is_absolute(path: bytes) -> bool:
    """Whether a path or the target of a link begins at a root on any system."""
    return path.startswith((b"/", b"\\")) or _DRIVE.match(path) is not None


def is_too_long(path: bytes) -> bool:
    """Whether no system needs to be able to hold this path; the other rules about trees leave such paths out."""
    return len(path) > LONGEST_PATH or path.count(b"/") > DEEPEST_PATH


def is_dot_git(name: bytes) -> bool:
    """Whether some file system takes this name for `.git`."""
    return any(map(_DOT_GIT.fullmatch, _skeletons(name)))


def is_dot_gitmodules(name: bytes) -> bool:
    """Whether some file system takes this name for `.gitmodules`."""
    return any(map(_DOT_GITMODULES.fullmatch, _skeletons(name)))


def _skeletons(name: bytes) -> tuple[str, ...]:
    """A name as careless file systems see it: without what is not UTF-8, or only up to there, as git fears."""
    if name.isascii() or len(name) > _LONGEST_NORMALISED:
        return (name.decode("utf-8", "surrogateescape").lower(),)
    text = name.decode("utf-8", "surrogateescape")
    return _skeleton(_BROKEN.sub("", text)), _skeleton(_BROKEN.split(text, maxsplit=1)[0])


def _skeleton(text: str) -> str:
    text = unicodedata.normalize("NFKC", _IGNORABLE.sub("", text)).casefold()
    return _IGNORABLE.sub("", unicodedata.normalize("NFKC", text))


def folded_name(name: bytes) -> str:
    """A name as a file system sees it that ignores case and how Unicode is composed."""
    text = name.decode("utf-8", "surrogateescape")
    if name.isascii() or len(name) > _LONGEST_NORMALISED:
        return text.lower()
    text = unicodedata.normalize("NFD", _IGNORABLE.sub("", text)).casefold()
    return unicodedata.normalize("NFD", text)


def touched_paths(change: Change) -> tuple[bytes, ...]:
    """The paths at which something is different afterwards: of a rename both, of a copy only the new one."""
    if change.status == "R" and change.old_path is not None:
        return change.old_path, change.path
    return (change.path,)
