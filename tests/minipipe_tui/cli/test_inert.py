"""Whatever a step prints is shown and never obeyed."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipipe_tui.cli.inert import (
    LINE_CUT,
    LINE_LIMIT,
    MARKS_CUT,
    InertStream,
    inert,
    inert_bytes,
    inert_line,
)

DANGEROUS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
HOSTILE = st.text(
    st.one_of(
        st.sampled_from("\x1b\x07\r\n\t\x00\x7f\x9b\u202e\u200d\ufe0f\ufeff\U000e0041\udc9f\ud800\u0301\u0489a[31m😀"),
        st.characters(),
    )
)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("grüße 中文 ▶ 😀", "grüße 中文 ▶ 😀"),
        ("\x1b[31mred\x1b[0m", "^[[31mred^[[0m"),
        ("\x1b]52;c;aGk=\x07", "^[]52;c;aGk=^G"),
        ("over\rwritten", "over^Mwritten"),
        ("\x00\x7f", "^@^?"),
        ("\x9b31m", "M-^[31m"),
        ("a\u202eb", "a<U+202E>b"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("\U000e0041\ufe0f\U000e0100", "<U+E0041><U+FE0F><U+E0100>"),
        ("\u2028", "<U+2028>"),
        ("\udc9f \ud800", "\\x9f <U+D800>"),
        ("e\u0301", "e\u0301"),
        ("Z" + "\u0301" * 50, "Z" + "\u0301" * 4 + MARKS_CUT),
        ("Z" + "\U0001e94a" * 50, "Z" + "\U0001e94a" * 4 + MARKS_CUT),
    ],
)
def test_active_characters_become_visible_ones_and_the_rest_stays(given_text: str, shown: str) -> None:
    assert inert(given_text) == shown


def test_bytes_that_are_not_utf8_are_shown_as_numbers() -> None:
    assert inert_bytes(b"ok \xff\xc3 \xe4\xb8\xad") == "ok \\xff\\xc3 中"


def test_a_long_line_is_cut_with_a_mark_and_its_neighbours_are_not() -> None:
    text = "short\n" + "x" * (LINE_LIMIT + 5) + "\n" + "y" * LINE_LIMIT
    assert inert(text) == "short\n" + "x" * LINE_LIMIT + LINE_CUT + "\n" + "y" * LINE_LIMIT


def test_one_line_stays_one_line() -> None:
    assert inert_line("two\nlines\tand\r") == "two lines and^M"


@given(HOSTILE)
def test_nothing_active_is_ever_left(text: str) -> None:
    assert not DANGEROUS.search(inert(text, line_limit=40))


@given(HOSTILE)
def test_what_is_inert_stays_as_it_is(text: str) -> None:
    once = inert(text, line_limit=20)
    assert inert(once, line_limit=20) == once


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\n\täß中▶😀")))
def test_plain_text_is_unchanged(text: str) -> None:
    assert inert(text) == text


@given(HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(), st.integers(1, 7))
def test_pieces_of_a_stream_add_up_to_the_whole(data: bytes, size: int) -> None:
    stream = InertStream(line_limit=10)
    pieces = [stream.feed(data[start : start + size]) for start in range(0, len(data), size)]
    assert "".join(pieces) + stream.close() == inert_bytes(data, line_limit=10)


def test_a_stream_gives_out_unfinished_lines_at_once() -> None:
    assert InertStream().feed(b"37 %") == "37 %"


def test_an_endless_pile_of_marks_is_not_hoarded() -> None:
    stream = InertStream()
    shown = "".join(stream.feed("\u0301".encode() * 100) for _ in range(100)) + stream.close()
    assert shown == "\u0301" * 4 + MARKS_CUT


def test_plain_text_passes_quickly() -> None:
    text = "a plain line of output, as most lines are, and nothing else in it\n" * 150_000
    inert(text)
    start = time.perf_counter()
    inert(text)
    # A tenth of what is measured on a quiet machine.
    assert len(text) / (time.perf_counter() - start) > 20e6
