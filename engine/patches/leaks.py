"""Whether a secret value stands in what a step leaves behind: in a file, text or binary, or in the name of one.

Pure. A value of several lines is found whole, with either kind of line ends, and by each line that is long enough to be
nobody else's; a value that is found by chance in any text is not looked for.
"""

from collections.abc import Iterable, Iterator

from engine.masking import MASK

SHORTEST_SECRET = 6
"""A shorter value is found by chance in any text."""

_SHORTEST_LINE = 20
_FRAME = "-----"
"""How the first and last line of a key begin, which hold nothing of it."""


class SecretSearch:
    """Looks for some values, all at once."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._needles = tuple({_encoded(needle) for secret in secrets for needle in _needles(secret.strip())})
        self._overlap = max(map(len, self._needles), default=1) - 1

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._needles)

    def is_in(self, content: bytes) -> bool:
        return any(needle in content for needle in self._needles)

    def mask(self, text: bytes) -> bytes:
        """The text without them."""
        for needle in sorted(self._needles, key=len, reverse=True):
            text = text.replace(needle, MASK.encode())
        return text

    def mask_text(self, text: str) -> str:
        return self.mask(_encoded(text)).decode("utf-8", "surrogateescape")

    def is_in_pieces(self, pieces: Iterable[bytes]) -> bool:
        """The same for content that comes in pieces, however it is cut."""
        end = b""
        for piece in pieces:
            if self.is_in(seen := end + piece):
                return True
            end = seen[-self._overlap :] if self._overlap else b""
        return False


def _needles(secret: str) -> Iterator[str]:
    if len(secret) < SHORTEST_SECRET:
        return
    yield secret
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield "\n".join(lines)
        yield "\r\n".join(lines)
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith(_FRAME))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
