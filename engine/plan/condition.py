"""The language of `when`: whether a step should run at all.

    condition   = all { "or" all }          all  = one { "and" one }          one = ["not"] test
    test        = "(" condition ")" | operand [ ("==" "!=" "<" "<=" ">" ">=" "in") operand ]
    operand     = reference | 'text' | "text" | bare word or number

Two numbers compare as numbers, everything else as text. `a in b`: b is a list with commas, and a is one of
its items. A lone operand holds unless it is empty, "false", "0" or "no". References inside quotes are filled
in. An output that is not there, as of a skipped step, is empty.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from engine.plan.finding import quote
from engine.plan.limits import MAX_CONDITION
from engine.plan.lookup import Lookup, Outputs
from engine.plan.plan import Scalar, Values
from engine.plan.template import BadReference, Reference, fill, references

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>==|!=|<=|>=|<|>|\(|\))"""
    r"""|(?P<reference>\$\{[^{}$]*\})"""
    r"""|'(?P<single>[^']*)'|"(?P<double>[^"]*)\""""
    r"""|(?P<word>[^\s'"$(){}=!<>]+))"""
)
_NUMBER = re.compile(r"[+-]?\d{1,300}(\.\d{1,300})?")
_RESERVED = ("and", "or", "not", "in")
_DEEPEST = 50
_FALSE = ("", "false", "0", "no")


class BadCondition(ValueError):
    """A `when` that nobody can decide."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A text that may hold references."""

    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Operand
    sign: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Negation:
    inner: "Condition"


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts joined by `and` (all must hold) or by `or` (one must)."""

    word: str
    parts: tuple["Condition", ...]


Condition = Operand | Comparison | Negation | Chain


def needs_outputs(when: str) -> bool:
    """Whether a condition can be decided only during the run."""
    return any(reference.is_output for text in operands(parse_condition(when)) for reference in references(text))


def condition_holds(when: str, values: Values, outputs: Outputs, item: Mapping[str, Scalar] | None = None) -> bool:
    """Whether a step with this `when` should run."""
    lookup = Lookup(values, outputs, item or {})

    def or_empty(reference: Reference) -> str:
        if reference.is_output and reference.name not in outputs.get(str(reference.step), {}):
            return ""
        return lookup(reference)

    return _holds(parse_condition(when), or_empty)


def check_condition(when: str) -> str | None:
    """What is wrong with a `when`, if anything is."""
    try:
        for reference_text in operands(parse_condition(when)):
            references(reference_text)
    except (BadCondition, BadReference) as error:
        return str(error)
    return None


def operands(condition: Condition) -> Iterator[str]:
    """The texts in a condition, from left to right."""
    match condition:
        case Operand(text):
            yield text
        case Comparison(left, _, right):
            yield from (left.text, right.text)
        case Negation(inner):
            yield from operands(inner)
        case Chain(_, parts):
            for part in parts:
                yield from operands(part)


def _holds(condition: Condition, lookup: Callable[[Reference], str]) -> bool:
    match condition:
        case Operand(text):
            return fill(text, lookup).strip().lower() not in _FALSE
        case Comparison(left, sign, right):
            return _compare(fill(left.text, lookup), sign, fill(right.text, lookup))
        case Negation(inner):
            return not _holds(inner, lookup)
        case Chain("and", parts):
            return all(_holds(part, lookup) for part in parts)
        case Chain(_, parts):
            return any(_holds(part, lookup) for part in parts)


def _compare(left: str, sign: str, right: str) -> bool:
    if sign == "in":
        return left.strip() in [part.strip() for part in right.split(",")]
    if _NUMBER.fullmatch(left.strip()) and _NUMBER.fullmatch(right.strip()):
        return _ordered(_number(left), sign, _number(right))
    return _ordered(left, sign, right)


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _ordered(left: str | float, sign: str, right: str | float) -> bool:
    if sign == "==":
        return left == right
    if sign == "!=":
        return left != right
    # Both sides are of one type here: numbers, or texts.
    is_less = left < right  # type: ignore[operator]
    return {
        "<": is_less,
        "<=": is_less or left == right,
        ">": not is_less and left != right,
        ">=": not is_less,
    }[sign]


@lru_cache(maxsize=1024)
def parse_condition(when: str) -> Condition:
    """The structure of a `when`; raises BadCondition with a sentence for people."""
    if len(when) > MAX_CONDITION:
        raise BadCondition(f"the condition is longer than {MAX_CONDITION} characters")
    parser = _Parser(_tokens(when))
    condition = parser.take_condition(0)
    if not parser.is_done:
        raise BadCondition(f'{quote(parser.next_text)} is not expected here; join tests with "and" or "or"')
    return condition


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    is_operand: bool


def _tokens(when: str) -> list[_Token]:
    tokens = []
    position = 0
    text = when.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise BadCondition(_bad_token(text[position:].lstrip()))
        position = match.end()
        kind, found = match.lastgroup, match[match.lastgroup or 0]
        tokens.append(_Token(found, kind != "sign" and not (kind == "word" and found in _RESERVED)))
    return tokens


def _bad_token(rest: str) -> str:
    if rest[0] in "'\"":
        return f"{quote(rest[:20])} has no closing quote"
    if rest.startswith("${"):
        return '"${" is not closed'
    if rest[0] == "=":
        return 'one "=" is not a comparison; write "=="'
    return f"{quote(rest[0])} does not belong in a condition; put text in quotes"


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._tokens)

    @property
    def next_text(self) -> str:
        return "" if self.is_done else self._tokens[self._at].text

    def take_condition(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise BadCondition(f"the condition is nested more than {_DEEPEST} levels deep")
        return self._take_chain("or", lambda: self._take_chain("and", lambda: self._take_one(depth)))

    def _take_chain(self, word: str, take: Callable[[], Condition]) -> Condition:
        parts = [take()]
        while self._take_word(word):
            parts.append(take())
        return parts[0] if len(parts) == 1 else Chain(word, tuple(parts))

    def _take_one(self, depth: int) -> Condition:
        is_negated = False
        while self._take_word("not"):
            is_negated = not is_negated
        test = self._take_test(depth)
        return Negation(test) if is_negated else test

    def _take_test(self, depth: int) -> Condition:
        if self._take_word("("):
            condition = self.take_condition(depth + 1)
            if not self._take_word(")"):
                raise BadCondition('a "(" is not closed')
            return condition
        left = self._take_operand()
        for sign in ("==", "!=", "<=", ">=", "<", ">", "in"):
            if self._take_word(sign):
                return Comparison(left, sign, self._take_operand())
        return left

    def _take_operand(self) -> Operand:
        if self.is_done:
            raise BadCondition("the condition ends where a value should stand")
        token = self._tokens[self._at]
        if not token.is_operand:
            raise BadCondition(f"a value should stand before {quote(token.text)}")
        self._at += 1
        return Operand(token.text)

    def _take_word(self, word: str) -> bool:
        if self.is_done or self._tokens[self._at].is_operand or self._tokens[self._at].text != word:
            return False
        self._at += 1
        return True
