"""What came of an attempt, decided from what it left behind: how it ended, its files, its values.

An exit code of zero is a claim; the files and values that the step declares are the evidence.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.backends.contract import AttemptEnd, EndedBy
from engine.states.outcomes import Outcome

VALUES_LIMIT_BYTES = 64 * 1024
_VALUE_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_-]{0,63})=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of an attempt, the values it gave, and what to tell a person where it is not `ok`."""

    outcome: Outcome
    message: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def examine(end: AttemptEnd, expected: Iterable[Path], values_path: Path) -> Finding:
    """Judge an attempt that has ended; `expected` are the files that it promised to leave."""
    if end.ended_by is EndedBy.TIMEOUT:
        return Finding(Outcome.TIMEOUT, end.message or "it ran longer than its timeout")
    if end.ended_by is EndedBy.CANCEL:
        return Finding(Outcome.CANCELED, end.message)
    if end.ended_by is EndedBy.SPAWN:
        return Finding(Outcome.NO_TOOL, end.message)
    if end.exit_code != 0:
        return Finding(Outcome.FAILED, end.message or _how_it_exited(end.exit_code))
    return _examine_results(expected, values_path)


def _how_it_exited(exit_code: int | None) -> str:
    if exit_code is None:
        return "it never ran"
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _examine_results(expected: Iterable[Path], values_path: Path) -> Finding:
    for path in expected:
        if lacking := _lacking(path):
            return Finding(Outcome.CHECK_FAILED, lacking)
    try:
        values = read_values(values_path)
    except ValueError as error:
        return Finding(Outcome.CHECK_FAILED, str(error))
    return Finding(Outcome.OK, values=values)


def _lacking(path: Path) -> str:
    """Why a promised file does not count as left, or nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"it left no {path.name} ({path})"
    except OSError as error:
        return f"{path.name} cannot be looked for: {error.strerror}"
    return ""


def read_values(path: Path) -> dict[str, str]:
    """The `key=value` lines of a file, the later of two equal keys winning; a file that is not there has none."""
    if not os.access(path, os.F_OK):
        return {}
    try:
        with open(path, "rb", opener=_open_plain) as file:
            content = file.read(VALUES_LIMIT_BYTES + 1)
    except OSError as error:
        raise ValueError(f"$MINIPIPE_OUTPUT cannot be read: {error.strerror}") from error
    if len(content) > VALUES_LIMIT_BYTES:
        raise ValueError(f"$MINIPIPE_OUTPUT is larger than {VALUES_LIMIT_BYTES // 1024} KiB")
    values = {}
    for number, line in enumerate(_decode(content).split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        match = _VALUE_LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} of $MINIPIPE_OUTPUT is not key=value")
        values[match[1]] = match[2]
    return values


def _open_plain(path: str, flags: int) -> int:
    """A descriptor of a plain file: a step may have put a pipe in its place, which would never end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a plain file")
    return descriptor


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError("$MINIPIPE_OUTPUT is not UTF-8 text") from None
