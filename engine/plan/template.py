"""References in texts: `${NAME}`, `${step.key}`, `${item}`, `${matrix.axis}`, and `$${` for a literal `${`.

Filling in is one pass over the text: what a value holds is never looked at again. In shell text only the
forms above count as ours; everything else with a dollar sign is the shell's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.plan.finding import quote

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_STEP = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_KEY = r"[A-Za-z_][A-Za-z0-9_-]*"

_PIECE = re.compile(r"\$\$\{|\$\{([^{}$]*)\}|\$\{")
_REFERENCE = re.compile(rf"(?:({_STEP})\.)?({_KEY})")
_SHELL_PIECE = re.compile(rf"\$\$\{{|\$\$|\$\{{({_STEP}\.{_KEY}|item)\}}|\$\{{?[#!]?({NAME})")


@dataclass(frozen=True, slots=True)
class Reference:
    """`${name}` or `${step.name}`; `step` is `matrix` for the value of an axis."""

    name: str
    step: str | None = None

    @property
    def is_item(self) -> bool:
        """Whether it means a value of the step's own `foreach` or `matrix`."""
        return self.step == "matrix" or (self.step is None and self.name == "item")

    @property
    def is_output(self) -> bool:
        return self.step is not None and self.step != "matrix"

    def __str__(self) -> str:
        return f"${{{self.step}.{self.name}}}" if self.step is not None else f"${{{self.name}}}"


class BadReference(ValueError):
    """A text with a `${` that is not a reference."""


def parse_reference(inner: str) -> Reference:
    """What stands between `${` and `}`."""
    match = _REFERENCE.fullmatch(inner)
    if match is None or (match[1] is None and "-" in match[2]):
        raise BadReference(f"{quote('${' + inner + '}')} is not a reference")
    return Reference(match[2], match[1])


def pieces(text: str) -> Iterator[str | Reference]:
    """The text cut into literal parts and references."""
    position = 0
    for match in _PIECE.finditer(text):
        yield text[position : match.start()]
        position = match.end()
        if match[0] == "$${":
            yield "${"
        elif match[1] is None:
            raise BadReference('"${" is not closed')
        else:
            yield parse_reference(match[1])
    yield text[position:]


def references(text: str) -> list[Reference]:
    """The references of a text, in order."""
    if "${" not in text:
        return []
    return [piece for piece in pieces(text) if isinstance(piece, Reference)]


def fill(text: str, lookup: Callable[[Reference], str]) -> str:
    """The text with every reference replaced by what `lookup` says."""
    if "${" not in text:
        return text
    return "".join(piece if isinstance(piece, str) else lookup(piece) for piece in pieces(text))


def shell_references(text: str) -> Iterator[Reference]:
    """What shell text refers to, as far as it can be ours; a plain name may be the shell's own."""
    for match in _SHELL_PIECE.finditer(text):
        if match[1]:
            yield parse_reference(match[1])
        elif match[2]:
            yield Reference(match[2])


def rewrite_shell(text: str, export: Callable[[Reference], str | None]) -> str:
    """Shell text in which a reference is a parameter that the shell expands; no value is ever pasted.

    `export` provides a reference in the environment and tells under which name, or None if it is not ours.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        inner = match[1] or match[2]
        if inner is None:
            return match[0]
        name = export(parse_reference(inner))
        return f"${{{name}}}" if match[1] and name else match[0]

    return _SHELL_PIECE.sub(replace, text)
