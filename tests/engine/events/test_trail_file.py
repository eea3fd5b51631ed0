"""The end of a file is found wherever it is, and parts are kept in order."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.events.event import Event
from engine.events.line import MAX_LINE_BYTES, to_line
from engine.events.trail_file import TrailFile, last_event_of_parts, last_good_line, parts, set_aside

MakeEvent = Callable[..., Event]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def _end(path: Path) -> tuple[int, Event | None]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return last_good_line(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("junk", [0, 1, 70_000, *range(131_000, 131_300, 37), 200_000, 1_000_000])
@pytest.mark.parametrize("size", [10, 60_000])
def test_the_last_good_line_is_found_behind_any_amount_of_junk(
    path: Path, make_event: MakeEvent, junk: int, size: int
) -> None:
    lines = to_line(make_event(1)) + to_line(make_event(2, metadata={"x": "y" * size}))
    path.write_bytes(lines + b"j" * junk)
    end, event = _end(path)
    assert end == len(lines)
    assert event is not None
    assert event.seq == 2


def test_a_line_without_its_newline_is_not_good(path: Path, make_event: MakeEvent) -> None:
    first = to_line(make_event(1))
    path.write_bytes(first + to_line(make_event(2))[:-1])
    assert _end(path) == (len(first), make_event(1))


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"x" * 10, b"x\n" * 200_000])
def test_a_file_without_a_good_line_has_no_end(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert _end(path) == (0, None)


def test_a_file_without_a_good_line_is_not_touched(path: Path) -> None:
    path.write_bytes(b"notes\n")
    file = TrailFile.open(path)
    assert file.mend() is None
    file.close()
    assert path.read_bytes() == b"notes\n"


def test_the_longest_line_fits_into_the_window(path: Path, make_event: MakeEvent) -> None:
    event = make_event(3, metadata={"x": "y" * (MAX_LINE_BYTES - 600)})
    path.write_bytes(to_line(event) + b"\x00" * (2 * MAX_LINE_BYTES - 1))
    assert _end(path)[1] == event


def test_parts_are_numbered_upwards_and_the_oldest_go(path: Path, make_event: MakeEvent) -> None:
    for seq in range(1, 5):
        path.write_bytes(to_line(make_event(seq)))
        set_aside(path, 2)
    assert [part.name for part in parts(path)] == ["events-000003.jsonl", "events-000004.jsonl"]
    assert last_event_of_parts(path) == make_event(4)
    assert not path.exists()


def test_files_with_other_names_are_no_parts(path: Path) -> None:
    for name in ("events-old.jsonl", "events-1x.jsonl", "events.jsonl.lock", "events-000000.jsonl"):
        path.with_name(name).write_bytes(b"")
    assert parts(path) == []
    assert last_event_of_parts(path) is None


def test_a_file_that_was_replaced_counts_as_changed_even_at_the_same_size(path: Path) -> None:
    file = TrailFile.open(path)
    file.append(b"same\n")
    assert file.is_unchanged()
    path.unlink()
    path.write_bytes(b"size\n")
    assert not file.is_unchanged()
    file.close()
