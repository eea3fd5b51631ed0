"""The language of `when`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.condition import BadCondition, check_condition, condition_holds, parse_condition
from engine.plan.plan import Values

VALUES = Values({"OS": "linux", "N": "10", "EMPTY": "", "YES": "true", "NO": "False", "ZERO": "0", "TEXT": "a b"})
OUTPUTS = {"build": {"changed": "3", "list": "a, b,c"}}

TABLE = [
    ("${OS} == 'linux'", True),
    ('${OS} == "linux"', True),
    ("${OS} == linux", True),
    ("${OS} != linux", False),
    ("'linux'=='linux'", True),
    ("${N} > 9", True),
    ("${N} >= 10.0", True),
    ("${N} < 9", False),
    ("${N} <= -1", False),
    ("${N} == 10.00", True),
    ("'b' > 'a'", True),
    ("'10' < '9a'", True),
    ("${build.changed} > 2", True),
    ("${build.other} == ''", True),
    ("${skipped.x} == ''", True),
    ("${skipped.x}", False),
    ("b in ${build.list}", True),
    ("'d' in ${build.list}", False),
    ("${OS} in 'mac, linux'", True),
    ("lin in ${OS}", False),
    ("${YES}", True),
    ("${NO}", False),
    ("${ZERO}", False),
    ("${EMPTY}", False),
    ("no", False),
    ("not ${NO}", True),
    ("not not ${NO}", False),
    ("not ${OS} == mac", True),
    ("${YES} and ${NO} or ${YES}", True),
    ("${YES} or ${YES} and ${NO}", True),
    ("(${YES} or ${YES}) and ${NO}", False),
    ("${OS}==linux and(${N}==10)", True),
    ("'<${TEXT}>' == '<a b>'", True),
    ("'$${OS}' == '$${OS}'", True),
    ("'and' == and2", False),
    ("'and' == 'and'", True),
    ("src/a.py == src/a.py", True),
    ("${item} == x", True),
    ("${matrix.py} == 3.11", True),
]


@pytest.mark.parametrize(("when", "holds"), TABLE)
def test_a_condition_means_what_it_says(when: str, holds: bool) -> None:
    assert check_condition(when) is None
    assert condition_holds(when, VALUES, OUTPUTS, {"item": "x", "py": 3.11}) is holds


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("", "ends where a value should stand"),
        ("${A} ==", "ends where a value should stand"),
        ("== 1", 'a value should stand before "=="'),
        ("${A} = 1", 'write "=="'),
        ("${A} == 'x", "has no closing quote"),
        ("(${A}", 'a "(" is not closed'),
        ("${A})", '")" is not expected here'),
        ("${A} ${B}", "is not expected here"),
        ("1 < 2 < 3", "is not expected here"),
        ("${A} && ${B}", '"&&" is not expected here'),
        ("${A", '"${" is not closed'),
        ("${A B}", "is not a reference"),
        ("a == and", 'a value should stand before "and"'),
        ("(" * 60 + "a" + ")" * 60, "nested more than 50 levels"),
        ("a" * 2_001, "longer than 2000 characters"),
        ("!a", "put text in quotes"),
    ],
)
def test_a_wrong_condition_is_explained(when: str, problem: str) -> None:
    assert problem in str(check_condition(when))


class AnyName(dict[str, str]):
    """Has a value for every name."""

    def __missing__(self, name: str) -> str:
        return name


@given(st.text(alphabet="ab10 ()'\"$[]{}.=!<>noti&|-", max_size=40))
def test_any_text_is_decided_or_refused(when: str) -> None:
    if check_condition(when) is None:
        assert condition_holds(when, Values(AnyName()), {}) in (True, False)


@given(st.text(alphabet="abc", max_size=3), st.text(alphabet="abc", max_size=3))
def test_the_comparisons_of_texts_agree_with_one_another(left: str, right: str) -> None:
    def holds(sign: str) -> bool:
        return condition_holds(f"'{left}' {sign} '{right}'", VALUES, {})

    assert holds("==") == (left == right) != holds("!=")
    assert holds("<") == (left < right) != holds(">=")
    assert holds(">") == (left > right) != holds("<=")


def test_a_value_cannot_change_the_condition() -> None:
    assert not condition_holds("${V} == 'x'", Values({"V": "1' == '1' or 'x"}), {})


def test_a_long_chain_of_negations_is_no_danger() -> None:
    parse_condition("not " * 400 + "a")
    with pytest.raises(BadCondition):
        parse_condition("not " * 400)
