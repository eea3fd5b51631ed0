"""Which paths of a tree have a filter, by the attributes that stand in that tree and in the repository itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.git.index import private_index, put_entries
from engine.git.objects import entries_of
from engine.git.program import Git

_NONE = (b"unspecified", b"unset")


def filters_of(git: Git, tree: str, attribute_files: Sequence[bytes], paths: Sequence[bytes]) -> Mapping[bytes, str]:
    """The filter of each path that has one. `attribute_files` are the `.gitattributes` of the tree."""
    if not paths or not (attribute_files or (git.git_folder / "info" / "attributes").exists()):
        return {}
    with private_index(git.sealed()) as own:
        own.tell("read-tree", "--empty")
        if attribute_files:
            put_entries(own, entries_of(git, tree, attribute_files), nothing="0" * len(tree))
        # What the repository says for itself may give a path a filter, but never hide one that the tree gives it.
        return {**_asked(replace(own, seal=None), paths), **_asked(own, paths)}


def _asked(git: Git, paths: Sequence[bytes]) -> dict[bytes, str]:
    output = git.tell("check-attr", "--cached", "--stdin", "-z", "filter", stdin=b"".join(p + b"\0" for p in paths))
    fields = output.split(b"\0")
    triples = zip(fields[0::3], fields[1::3], fields[2::3], strict=False)
    return {path: value.decode(errors="replace") for path, _, value in triples if value not in _NONE}
