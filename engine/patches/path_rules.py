"""Which paths no patch may touch, whatever the file system: the reasons of one path, from its bytes alone.

A path is refused if any system that a repository may be checked out on could take it for something outside of the
repository or for `.git`. What git itself refuses with `core.protectNTFS` and `core.protectHFS` is refused here too.
"""

from collections.abc import Iterator

from engine.patches.finding import Finding


def path_findings(path: bytes) -> Iterator[Finding]:
    """Every reason why this path must not be touched."""
    raise NotImplementedError


def is_dot_git(component: bytes) -> bool:
    """Whether some file system takes this name for `.git`."""
    raise NotImplementedError


def folded_name(name: bytes) -> bytes:
    """What a file system that ignores case and Unicode normalisation makes of a name or path."""
    raise NotImplementedError
