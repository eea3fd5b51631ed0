"""Reading the text of a plan: whatever comes in, a plan or a clean refusal comes out."""

import json
import os
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ExitCode, PlanError, Problem, UserError
from engine.plan.load import load_plan, parse_plan

GOOD = '{"version": "1.0", "plan_id": "p", "steps": [{"id": "a", "command": ["true"]}]}'


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.problems


HOSTILE = [
    ("nothing", b"", "the plan is empty"),
    ("blanks", b" \n\t ", "the plan is empty"),
    ("binary", bytes(range(256)), "not UTF-8"),
    ("utf-16", GOOD.encode("utf-16"), "not UTF-8"),
    ("half of a file", GOOD[:40].encode(), "no closing quote"),
    ("open lists", b"[" * 200_000, "nested more than 64 levels"),
    ("open objects", b'{"a":' * 200_000, "nested more than 64 levels"),
    ("deep but closed", b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested more than 64 levels"),
    ("a list", b"[1, 2]", "one JSON object"),
    ("a number", b"17", "one JSON object"),
    ("null", b"null", "one JSON object"),
    ("trailing data", GOOD.encode() + b" {}", "the plan ended before this"),
    ("a trailing comma", GOOD[:-1].encode() + b",}", "something should follow the comma"),
    ("a comment", b"// a plan\n" + GOOD.encode(), "a value should stand here"),
    ("a line break in a text", b'{"plan_id": "a\nb"}', "a text may not hold a line break"),
    ("NaN", b'{"a": NaN}', "NaN is not a number"),
    ("Infinity", b'{"a": [1, -Infinity]}', "-Infinity is not a number"),
    ("endless digits", b'{"a": ' + b"9" * 5_000 + b"}", "a number of 5000 digits is too long"),
    ("repeated keys", b'{"a": 1, "a": 2}', 'the key "a" stands here twice'),
    ("repeated keys by escapes", b'{"a": 1, "\\u0061": 2}', 'the key "a" stands here twice'),
    ("NUL", b'{"a": "x\\u0000y"}', "NUL character"),
    ("NUL in a key", b'{"x\\u0000y": 1}', "a key holds a NUL character"),
    ("a raw NUL", b'{"a": "x\0y"}', "control character"),
    ("half a character", b'{"a": "\\ud800"}', "half a character"),
    ("half a character in a key", b'{"\\udfff": 1}', "a key holds half a character"),
    ("halves in the wrong order", b'{"a": "\\udc00\\ud800"}', "half a character"),
    ("too many keys", json.dumps({str(n): n for n in range(1_001)}).encode(), "an object of 1001 keys"),
    ("too many values", b"[" + b"1," * 1_000_001 + b"1]", "more than 1,000,000 values"),
    ("too large", b'{"a": "' + b"x" * 16 * 1024 * 1024 + b'"}', "larger than 16 MiB"),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_text_is_refused_soon_and_in_plain_words(text: bytes, message: str) -> None:
    start = monotonic()
    assert message in problems_of(text)[0].message
    assert monotonic() - start < 5


def test_a_text_with_half_a_character_in_it_is_refused() -> None:
    assert "not UTF-8" in problems_of('{"a": "\ud800"}')[0].message


def test_whole_characters_written_as_two_escapes_are_welcome() -> None:
    text = GOOD.replace("true", "\\ud83d\\ude00 \\\\u0000")
    assert parse_plan(text).steps[0].command == ("😀 \\u0000",)


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse_plan(b"\xef\xbb\xbf" + GOOD.encode()) == parse_plan(GOOD)


def test_a_syntax_error_has_line_and_column() -> None:
    problem = problems_of('{\n  "version": "1.0",\n  "plan_id" "p"\n}')[0]
    assert (problem.path, problem.line, problem.column) == ("$", 3, 13)
    assert problem.message == "not valid JSON: a colon should stand here"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{'version': '1.0'}", "double quotes"),
        ("{\"version\": '1.0'}", "double quotes"),
        ('{\n // mine\n "version": "1.0"}', "no comments"),
        ('{"version": "1.0", # mine\n "plan_id": "x"}', "no comments"),
    ],
)
def test_what_other_formats_allow_is_answered_with_what_json_wants(text: str, hint: str) -> None:
    assert hint in problems_of(text)[0].hint


def test_everything_hidden_is_told_at_once_with_its_place() -> None:
    found = problems_of('{"a": 1,\n "a": [NaN,\n "\\u0000"]}')
    assert [(p.path, p.line, p.column) for p in found] == [("$.a", 2, 2), ("$.a[0]", 2, 8), ("$.a[1]", 3, 2)]


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b", "x" * 5_000])
def test_a_file_that_cannot_be_read_is_the_users_to_mend(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        load_plan(tmp_path / name)
    assert caught.value.exit_code is ExitCode.USAGE
    assert not isinstance(caught.value, PlanError)


def test_a_plan_is_read_from_its_file_and_keeps_its_text(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(GOOD)
    plan = load_plan(path)
    assert (plan.text, len(plan.digest)) == (GOOD, 64)


def test_a_wrong_plan_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text("{}")
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert str(path) in caught.value.message


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(raw: bytes) -> None:
    problems_of(raw)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]",:\\u0d8\n 1-eNa', max_size=60))
def test_any_text_that_is_nearly_json_is_refused_cleanly(text: str) -> None:
    problems_of(text)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(['"', "{", "]", "1", "\\", "\0", "\ud800", ",", "x" * 999]))
def test_any_damage_to_a_good_plan_leaves_a_plan_or_a_clean_refusal(place: int, junk: str) -> None:
    with suppress(PlanError):
        parse_plan(GOOD[:place] + junk + GOOD[place + 1 :])


def test_a_pipe_that_nobody_writes_to_is_an_empty_plan_not_an_endless_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plan.json")
    with pytest.raises(PlanError, match="the plan is empty"):
        load_plan(tmp_path / "plan.json")


def test_a_plan_may_come_through_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, GOOD.encode())
    os.close(writing)
    try:
        assert load_plan(Path(f"/dev/fd/{reading}")).plan_id == "p"
    finally:
        os.close(reading)
