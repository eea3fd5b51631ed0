"""What a patch must not do to a tree, judged by the tree that results: links, embedded repositories, submodules, modes.

It sees changes as git tells them and the whole resulting tree, never the text of a patch, so that no trick in a header
can hide anything. Time and memory are linear in the paths.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from engine.git.changes import Change
from engine.patches.finding import Finding


def tree_findings(
    changes: Sequence[Change],
    *,
    read_link: Callable[[str], bytes],
    read_blob: Callable[[str], bytes],
    paths_after: Mapping[bytes, str],
    links_before: frozenset[bytes],
) -> Iterator[Finding]:
    """Every reason to refuse these changes; `path_rules` for each changed path included."""
    raise NotImplementedError
