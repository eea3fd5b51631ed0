"""Secrets taken out of whatever passes: every occurrence becomes `***`, and no byte of it is shown.

Pure: bytes or text in, bytes or text out. Occurrences that overlap are masked as one. Of a secret of
several lines each line is a secret too, since tools print them one by one; lines shorter than four
characters are not, because masking every `{` would leave nothing readable. The stream form gives the same
bytes however the input is cut.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

MASK = "***"
_SHORTEST_LINE = 4

Data = None | bool | int | float | str | Sequence["Data"] | Mapping[str, "Data"]


def mask_text(text: str, secrets: Iterable[str]) -> str:
    """The text without secrets."""
    needles = _needles(secrets)
    if not needles:
        return text
    stream = StreamMasker(secrets)
    masked = stream.feed(_encoded(text)) + stream.flush()
    return masked.decode("utf-8", "surrogatepass")


def mask_data(value: Data, secrets: Sequence[str]) -> Data:
    """The same structure with every text in it masked, keys included."""
    if isinstance(value, str):
        return mask_text(value, secrets)
    if isinstance(value, Mapping):
        return {mask_text(key, secrets): mask_data(item, secrets) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [mask_data(item, secrets) for item in value]
    return value


class StreamMasker:
    """Masks bytes that come in pieces; holds back only what may be the beginning of a secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._needles = _needles(secrets)
        self._held = b""
        self._masked_until = 0
        """How much of what is held is covered by a mask that was given out already."""

    def feed(self, piece: bytes) -> bytes:
        """What can be shown now that this piece has come."""
        data = self._held + piece
        return self._give(data, self._undecided_from(data))

    def flush(self) -> bytes:
        """The rest: nothing more will come."""
        return self._give(self._held, len(self._held))

    def _give(self, data: bytes, end: int) -> bytes:
        shown = []
        position = self._masked_until
        for start, stop in _runs(_spans(data, self._needles), self._masked_until):
            if start >= end:
                break
            if start >= position:
                shown += [data[position:start], MASK.encode()]
            position = max(position, stop)
        shown.append(data[position:end])
        self._held = data[end:]
        self._masked_until = max(position - end, 0)
        return b"".join(shown)

    def _undecided_from(self, data: bytes) -> int:
        """Where the longest end of the data starts that is the beginning of a secret."""
        return min((_started_at(data, needle) for needle in self._needles), default=len(data))


def _started_at(data: bytes, needle: bytes) -> int:
    first = needle[:1]
    start = data.find(first, max(len(data) - len(needle) + 1, 0))
    while start >= 0 and not needle.startswith(data[start:]):
        start = data.find(first, start + 1)
    return start if start >= 0 else len(data)


def _needles(secrets: Iterable[str]) -> list[bytes]:
    found = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        found |= {secret, *(line for line in lines if len(line) >= _SHORTEST_LINE)}
    return [_encoded(needle) for needle in sorted(found) if needle.strip()]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _spans(data: bytes, needles: Sequence[bytes]) -> list[tuple[int, int]]:
    return sorted((start, start + len(needle)) for needle in needles for start in _finds(data, needle))


def _finds(data: bytes, needle: bytes) -> Iterator[int]:
    start = data.find(needle)
    while start >= 0:
        yield start
        start = data.find(needle, start + 1)


def _runs(spans: Iterable[tuple[int, int]], masked_until: int) -> Iterator[tuple[int, int]]:
    """Overlapping spans joined; what overlaps the mask given out before goes on with it."""
    begin, end = 0, masked_until
    for start, stop in spans:
        if start < end:
            end = max(end, stop)
            continue
        if end > 0:
            yield begin, end
        begin, end = start, stop
    if end > 0:
        yield begin, end
