from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.masking import StreamMasker, mask_data, mask_text

letters = st.text("abc", max_size=40)
secret_lists = st.lists(st.text("abc", min_size=1, max_size=5), max_size=4)


@pytest.mark.parametrize(
    ("text", "secrets", "masked"),
    [
        ("key=hunter2;", ["hunter2"], "key=***;"),
        ("nothing here", ["hunter2"], "nothing here"),
        ("nothing here", [], "nothing here"),
        ("a b", ["", " "], "a b"),
        ("abcdef", ["abcd", "cdef"], "***"),
        ("abcd", ["ab", "abcd"], "***"),
        ("xx", ["x"], "******"),
        ("grün", ["ü"], "gr***n"),
        ("one line of-key only", ["-----\nof-key\n}"], "one line *** only"),
        ("{}", ["{\n"], "{}"),
        ("\udcff hunter2", ["hunter2"], "\udcff ***"),
    ],
)
def test_every_occurrence_of_a_secret_becomes_the_mask(text, secrets, masked):
    assert mask_text(text, secrets) == masked


@given(letters, secret_lists)
def test_no_secret_is_left_whatever_the_text(text, secrets):
    kept = mask_text(text, secrets).split("***")
    assert not any(secret in part for part in kept for secret in secrets)


@given(letters, secret_lists, st.lists(st.integers(0, 40), max_size=6))
def test_the_cuts_of_a_stream_do_not_change_what_comes_out(text, secrets, cuts):
    stream = StreamMasker(secrets)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    pieces = [text[start:end].encode() for start, end in pairwise(edges)]
    streamed = b"".join(map(stream.feed, pieces)) + stream.flush()
    assert streamed.decode() == mask_text(text, secrets)


def test_a_stream_holds_back_only_what_may_become_a_secret():
    stream = StreamMasker(["hunter2"])
    assert stream.feed(b"Password? ") == b"Password? "
    assert stream.feed(b"hunt") == b""
    assert stream.feed(b"ing") == b"hunting"


def test_texts_are_masked_wherever_they_stand_in_a_structure():
    data = {"hunter2": ["a hunter2", 2, None, {"deep": "hunter2"}], "fine": True}
    assert mask_data(data, ["hunter2"]) == {"***": ["a ***", 2, None, {"deep": "***"}], "fine": True}
