"""Globs over the paths of a repository, as plans write them: the words of git's `:(glob)` pathspecs.

Matching is linear in the path whatever the pattern: what stands before a `*` is taken at its first place and never
looked for again.
"""


class PathGlob:
    """One pattern, compiled once."""

    def __init__(self, pattern: str) -> None:
        raise NotImplementedError

    def matches(self, path: bytes) -> bool:
        raise NotImplementedError
