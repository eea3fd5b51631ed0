"""Where a path stands in a text."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.plan.finding import Finding, path_text, quote
from engine.plan.position import line_and_column, to_problems, walk

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_every_value_is_found_where_it_begins(data: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    marks = [mark for mark in walk(text) if not mark.is_key]
    for mark in marks:
        found, _ = json.JSONDecoder().raw_decode(text, mark.start)
        assert found == at(data, mark.path)
    assert len({mark.path for mark in marks}) == len(marks)


def test_line_and_column_count_characters_from_one() -> None:
    assert line_and_column("äö\nüx", 4) == (2, 2)


def test_a_finding_about_a_key_points_at_the_key_and_others_at_the_value() -> None:
    text = '{\n  "a": {"b":   1}\n}'
    key, value = to_problems([Finding(("a", "b"), "", at_key=True), Finding(("a", "b"), "")], text)
    assert (key.line, key.column, value.line, value.column) == (2, 9, 2, 16)


def test_problems_come_in_the_order_of_the_text() -> None:
    findings = [Finding(("b",), "second"), Finding(("a",), "first"), Finding(("c",), "nowhere")]
    problems = to_problems(findings, '{"a": 1, "b": 2}')
    assert [problem.message for problem in problems] == ["nowhere", "first", "second"]


def test_paths_read_as_people_write_them() -> None:
    assert path_text(("steps", 3, "env", "a b")) == '$.steps[3].env["a b"]'


def test_quoted_text_is_short_and_inert() -> None:
    assert quote("a\x1b[31m" + "x" * 100) == '"a\\u001b[31m' + "x" * 53 + '…"'
