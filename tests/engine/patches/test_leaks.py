"""Values that must not become known are found however they stand in what a step leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.patches.leaks import SecretSearch

KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nq83vASNFZ4mrze8BI0VniavN\n-----END KEY-----\n"


@pytest.mark.parametrize(
    "content",
    [
        KEY.encode(),
        b"\0\1" + KEY.strip().encode() + b"\2",
        KEY.replace("\n", "\r\n").encode(),
        b"  key: |\n    MIIEvQIBADANBgkqhkiG9w0BAQ\n",
    ],
)
def test_a_value_of_several_lines_is_found(content: bytes) -> None:
    assert SecretSearch([KEY]).is_in(content)


@pytest.mark.parametrize("content", [b"-----BEGIN KEY-----\nother\n-----END KEY-----\n", b"", b"MIIEvQ"])
def test_what_is_not_the_value_is_not_found(content: bytes) -> None:
    assert not SecretSearch([KEY]).is_in(content)


def test_a_value_that_is_found_by_chance_is_not_looked_for() -> None:
    assert not SecretSearch(["abc", "", "\n\n  \n"])


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 9))
def test_where_pieces_are_cut_makes_no_difference(before: bytes, after: bytes, size: int) -> None:
    content = before + b"hunter2-hunter2" + after
    pieces = [content[place : place + size] for place in range(0, len(content), size)]
    assert SecretSearch(["hunter2-hunter2", "other!"]).is_in_pieces(pieces)
    assert not SecretSearch(["hunter2-hunter3"]).is_in_pieces(pieces)


def test_every_occurrence_is_masked() -> None:
    assert SecretSearch(["secret-a"]).mask(b"x/secret-a/secret-a.txt") == b"x/***/***.txt"
