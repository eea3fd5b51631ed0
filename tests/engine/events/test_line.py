"""An event survives the way to a line and back, and no line ever breaks the file."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events.event import Event
from engine.events.line import MAX_LINE_BYTES, from_line, to_line

MakeEvent = Callable[..., Event]

KEYS = [
    "event_id", "timestamp", "event_type", "severity", "entity_type", "entity_id", "from_state", "to_state",
    "trigger", "reason", "operator", "run_id", "metadata", "seq",
]  # fmt: skip

texts = st.text()
maybe_texts = st.none() | texts
metadata = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
events = st.builds(
    Event,
    *[texts] * 6,
    *[maybe_texts] * 6,
    metadata,
    st.integers(min_value=0, max_value=2**63),
)


@given(events)
def test_what_is_written_is_read_back_the_same(event: Event) -> None:
    assert from_line(to_line(event)) == event


@given(events)
def test_a_line_is_printable_ascii_with_one_newline_and_the_documented_keys(event: Event) -> None:
    line = to_line(event)
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    assert list(json.loads(line)) == KEYS


@given(st.binary())
def test_reading_never_raises(data: bytes) -> None:
    assert from_line(data) is None


@given(st.recursive(st.none() | st.integers() | texts, lambda inner: st.dictionaries(st.sampled_from(KEYS), inner)))
def test_reading_json_of_another_shape_never_raises(document: object) -> None:
    event = from_line(json.dumps(document).encode())
    assert event is None or isinstance(event, Event)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("event_id", None),
        ("event_type", 3),
        ("run_id", 3),
        ("reason", ["x"]),
        ("metadata", [1]),
        ("metadata", None),
        ("seq", -1),
        ("seq", True),
        ("seq", "1"),
    ],
)
def test_a_line_with_a_wrong_value_is_no_event(make_event: MakeEvent, key: str, value: object) -> None:
    facts = json.loads(to_line(make_event(1)))
    assert from_line(json.dumps({**facts, key: value}).encode()) is None


def test_keys_of_a_newer_program_are_passed_over(make_event: MakeEvent) -> None:
    facts = json.loads(to_line(make_event(5)))
    assert from_line(json.dumps({**facts, "colour": "red"}).encode()) == make_event(5)


def test_a_line_nested_too_deeply_is_no_event() -> None:
    assert from_line(b"[" * 100_000) is None


def test_too_much_metadata_is_replaced_by_a_note(make_event: MakeEvent) -> None:
    line = to_line(make_event(9, metadata={"log": "x" * MAX_LINE_BYTES}, reason="because"))
    event = from_line(line)
    assert len(line) <= MAX_LINE_BYTES
    assert event is not None
    assert "left out" in event.metadata["note"]
    assert (event.seq, event.reason) == (9, "because")


@given(st.sampled_from(["x", "\U0001f600", "\ud800", '"', "\x00", "\x7f"]))
def test_no_text_makes_a_line_longer_than_the_cap(character: str) -> None:
    huge = character * 40_000
    facts: dict[str, Any] = {**dict.fromkeys(KEYS, huge), "metadata": {"also": huge}, "seq": 2**63}
    line = to_line(Event(**facts))
    event = from_line(line)
    assert len(line) <= MAX_LINE_BYTES
    assert event is not None
    assert event.reason is not None
    assert set(event.reason) == {character}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}, {("a", 1): 2}])
def test_metadata_that_json_cannot_say_never_raises(make_event: MakeEvent, bad: object) -> None:
    line = to_line(make_event(1, metadata={"bad": bad}))
    assert json.loads(line, parse_constant=pytest.fail)["seq"] == 1


def test_metadata_that_holds_itself_never_raises(make_event: MakeEvent) -> None:
    circle: dict[str, object] = {}
    circle["me"] = circle
    event = from_line(to_line(make_event(1, metadata=circle)))
    assert event is not None
    assert event.metadata == {"note": "left out: not JSON"}
