"""Where things stand in a JSON text: a slow, iterative second reading, done only when there is a problem.

It tells the positions of paths, and finds what a JSON parser accepts but a plan may not hold. It trusts
that the text is valid JSON; where it is not, the walk simply ends.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.errors import Problem
from engine.plan.finding import Finding, Path, path_text, quote
from engine.plan.limits import MAX_DEPTH, MAX_DIGITS, MAX_FINDINGS, MAX_KEYS

# Possessive throughout: a token is found in one pass or not at all, however long it is.
_TOKEN = re.compile(r'[ \t\n\r]*+("(?:[^"\\]++|\\.)*+"|[{}\[\],:]|-?[0-9][0-9.eE+-]*+|-?[A-Za-z]++)', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class Mark:
    """A key, or the beginning of a value, met on the walk."""

    path: Path
    start: int
    token: str
    is_key: bool = False
    is_repeated: bool = False


@dataclass(slots=True)
class _Frame:
    """One object or list that the walk is inside of."""

    is_object: bool
    at: str | int = 0
    wants_key: bool = False
    keys: set[str] = field(default_factory=set)

    def go_on(self) -> None:
        if self.is_object:
            self.wants_key = True
        elif isinstance(self.at, int):
            self.at += 1

    def take_key(self, key: str) -> bool:
        """Enter a key; whether it was there before."""
        is_repeated = key in self.keys
        self.keys.add(key)
        self.at = key
        self.wants_key = False
        return is_repeated


def walk(text: str) -> Iterator[Mark]:
    """Every key and value in the order of the text."""
    frames: list[_Frame] = []
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        token = match[1]
        if token == ":":
            continue
        if token in (",", "]", "}"):
            if not frames:
                return
            if token == ",":
                frames[-1].go_on()
            else:
                frames.pop()
            continue
        yield _mark(frames, token, match.start(1))
        if token in ("[", "{"):
            frames.append(_Frame(is_object=token == "{", wants_key=token == "{"))


def _mark(frames: list[_Frame], token: str, start: int) -> Mark:
    if frames and frames[-1].wants_key:
        is_repeated = frames[-1].take_key(_decoded(token))
        return Mark(_path(frames), start, token, is_key=True, is_repeated=is_repeated)
    return Mark(_path(frames), start, token)


def _path(frames: list[_Frame]) -> Path:
    return tuple(frame.at for frame in frames[: MAX_DEPTH + 1])


def _decoded(token: str) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token


def hidden_findings(text: str) -> list[Finding]:
    """What a parser takes and a plan may not hold: repeated keys, NaN, NUL, half characters, great depth."""
    findings: list[Finding] = []
    for mark in walk(text):
        findings.extend(_judge(mark))
        if len(mark.path) > MAX_DEPTH or len(findings) >= MAX_FINDINGS:
            break
    return findings


def _judge(mark: Mark) -> Iterator[Finding]:
    if len(mark.path) > MAX_DEPTH:
        yield Finding((), f"the plan is nested more than {MAX_DEPTH} levels deep")
    elif mark.token.startswith('"'):
        yield from _judge_string(mark)
    elif mark.token in _CONSTANTS:
        yield Finding(mark.path, f"{mark.token} is not a number that JSON knows", "write a finite number")
    elif len(mark.token) > MAX_DIGITS:
        yield Finding(mark.path, f"a number of {len(mark.token)} digits is too long")


def _judge_string(mark: Mark) -> Iterator[Finding]:
    what = "a key" if mark.is_key else "a text"
    if mark.is_repeated:
        message = f"the key {quote(str(mark.path[-1]))} stands here twice"
        yield Finding(mark.path, message, "keep one of the two", at_key=True)
    text = str(mark.path[-1]) if mark.is_key else _decoded(mark.token)
    if "\0" in text:
        yield Finding(mark.path, f"{what} holds a NUL character, which no program can be given", at_key=mark.is_key)
    if _SURROGATE.search(text):
        message = f"{what} holds half a character (a lone surrogate, \\ud800 to \\udfff)"
        yield Finding(mark.path, message, "write the character itself", at_key=mark.is_key)


def crowded_findings(data: object) -> list[Finding]:
    """Objects with more keys than a plan has a use for."""
    findings: list[Finding] = []
    waiting: list[tuple[Path, object]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            if len(value) > MAX_KEYS:
                findings.append(Finding(path, f"an object of {len(value)} keys; at most {MAX_KEYS} are allowed"))
            waiting.extend(((*path, key), child) for key, child in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, index), child) for index, child in enumerate(value))
    return findings[:MAX_FINDINGS]


def to_problems(findings: Sequence[Finding], text: str) -> list[Problem]:
    """The findings with line and column, in the order of the text."""
    offsets = _offsets(text, findings)
    placed = [(offsets.get((finding.path, finding.at_key)), finding) for finding in findings]
    placed.sort(key=lambda pair: -1 if pair[0] is None else pair[0])
    return [_to_problem(finding, text, offset) for offset, finding in placed]


def _offsets(text: str, findings: Iterable[Finding]) -> dict[tuple[Path, bool], int]:
    wanted = {(finding.path, finding.at_key) for finding in findings}
    found: dict[tuple[Path, bool], int] = {}
    for mark in walk(text):
        place = (mark.path, mark.is_key)
        # A key that stands twice: the later one is what JSON readers take, and what is complained about.
        if place in wanted:
            found[place] = mark.start
        if len(mark.path) > MAX_DEPTH or len(found) == len(wanted):
            break
    return found


def _to_problem(finding: Finding, text: str, offset: int | None) -> Problem:
    line, column = line_and_column(text, offset) if offset is not None else (None, None)
    return Problem(path_text(finding.path), finding.message, finding.hint, line, column)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Both counted from 1, columns in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
