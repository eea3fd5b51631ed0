"""Which part of a patch is meant: files as people write them, hunks as `1,3-5`, a line as a comment names it."""

import re

from engine.errors import UsageError
from engine.git.changes import parse_shown_path, shown_path
from engine.patches.unified import FileDiff, line_places
from engine.store.records import PatchFileRecord

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_MANY = 100_000


def hunk_numbers(text: str) -> tuple[int, ...]:
    """The numbers in `1,3-5`."""
    numbers: set[int] = set()
    for word in text.split(","):
        found = _RANGE.fullmatch(word.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last or last - first >= _MANY:
            raise UsageError(f"--hunks {text}: {word.strip()!r} is no number and no range", hint="--hunks 1,3-5")
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def path_called(files: list[PatchFileRecord], given: str, *, patch_id: str) -> str:
    """The path of a changed file as the ledger shows it, however it was written."""
    meant = {given, shown_path(_plain_bytes(given)), *_unquoted(given)}
    for file in files:
        if meant & {file.path, file.old_path}:
            return file.path
    raise UsageError(f"{given!r} is not changed by {patch_id}", hint=f"minipipe review show {patch_id} --stat lists")


def _plain_bytes(given: str) -> bytes:
    return given.removeprefix("./").encode("utf-8", "surrogateescape")


def _unquoted(given: str) -> set[str]:
    try:
        return {shown_path(parse_shown_path(given))}
    except ValueError:
        return set()


def check_line(files: list[FileDiff], path: str, line: int, side: str) -> None:
    """Refuse a line that the diff does not show."""
    shown = [
        place.old if side == "old" else place.new
        for file in files
        if path in (shown_path(file.path), shown_path(file.base_path))
        for places in line_places(file)
        for place in places
    ]
    if line not in shown:
        raise UsageError(f"line {line} of {path} is not in the diff ({side} side)", hint="--side old|new, or no --line")
