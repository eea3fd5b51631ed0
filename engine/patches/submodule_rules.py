"""What is hostile in a `.gitmodules`: text that makes some version of git run a command or write where it must not.

The text is read as git reads a configuration file, without includes; one that git could not read is hostile too.
"""

from collections.abc import Iterator


def gitmodules_reasons(text: bytes) -> Iterator[str]:
    """Every hostile thing in it, in words."""
    raise NotImplementedError
