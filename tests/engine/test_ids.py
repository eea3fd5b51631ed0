"""Ids are unique, sort by the time they were made, and names from outside stay harmless."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ids import PREFIXES, is_safe_name, new_id

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@pytest.mark.parametrize(("kind", "prefix"), sorted(PREFIXES.items()))
def test_an_id_is_a_prefix_and_a_ulid(kind: str, prefix: str) -> None:
    assert re.fullmatch(rf"{prefix}_[0-7][{CROCKFORD}]{{25}}", new_id(kind))


def test_prefixes_tell_kinds_apart() -> None:
    assert len(set(PREFIXES.values())) == len(PREFIXES)


def test_an_unknown_kind_has_no_ids() -> None:
    with pytest.raises(KeyError):
        new_id("nonsense")


def test_ids_of_one_process_grow_strictly() -> None:
    ids = [new_id("run") for _ in range(5_000)]
    assert all(before < after for before, after in pairwise(ids))


def test_ids_made_by_many_threads_at_once_are_all_different_and_grow_in_each() -> None:
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: [new_id("task") for _ in range(2_000)], range(4)))
    assert len({made for batch in batches for made in batch}) == 8_000
    assert all(batch == sorted(batch) for batch in batches)


def test_an_id_holds_the_time_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id("event").removeprefix("evt_")
    milliseconds = 0
    for letter in made[:10]:
        milliseconds = milliseconds * 32 + CROCKFORD.index(letter)
    # Ids go on counting where the clock was set back, so they may be ahead of it, but never behind.
    assert before <= milliseconds <= before + 60_000


@pytest.mark.parametrize("name", ["a", "build-2", "A_b", "0", "x" * 64])
def test_a_plain_name_is_safe(name: str) -> None:
    assert is_safe_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "a b", "-rf", "_a", "a.b", "a\n", "\na", "é", "a\0", "x" * 65, "٣"]
)
def test_a_name_that_could_become_a_path_or_an_option_is_not_safe(name: str) -> None:
    assert not is_safe_name(name)


@given(st.text())
def test_a_safe_name_holds_nothing_but_letters_digits_and_dashes(name: str) -> None:
    if is_safe_name(name):
        assert name.isascii()
        assert name.replace("-", "").replace("_", "").isalnum()
