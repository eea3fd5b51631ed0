import os
from pathlib import Path

import pytest

from engine.process import logs
from engine.process.logs import CappedLog, human_bytes


def flood(log: CappedLog, rounds: int) -> None:
    for number in range(rounds):
        os.write(log.descriptor, b"%07d\n" % number)
        log.trim()


def test_a_log_within_its_cap_is_left_as_it_is(tmp_path: Path):
    log = CappedLog(tmp_path / "a.log", 1000)
    flood(log, 100)
    log.finish()
    assert log.path.read_bytes().split() == [b"%07d" % number for number in range(100)]


@pytest.mark.parametrize("can_punch", [True, False])
def test_a_log_over_its_cap_keeps_head_and_end_and_says_how_much_is_missing(tmp_path, monkeypatch, can_punch):
    if not can_punch:  # A file system that cannot make holes: no such one is at hand.
        monkeypatch.setattr(logs, "_fallocate", lambda: None)
    log = CappedLog(tmp_path / "a.log", 8000)
    flood(log, 10_000)
    if not can_punch:
        assert log.path.stat().st_size <= 8008
    log.finish()
    content = log.path.read_bytes()
    head, _, tail = content.partition("\n… ".encode())
    cut, _, tail = tail.partition(" cut …\n".encode())
    assert head.splitlines() == [b"%07d" % number for number in range(500)]
    assert tail.endswith(b"0009999\n")
    assert len(content) <= 8100
    kept = len(head) + len(tail)
    assert cut.decode() == human_bytes(80_000 - kept)


def test_the_disk_use_of_a_growing_log_is_bounded(tmp_path: Path):
    log = CappedLog(tmp_path / "a.log", 64 * 1024)
    for _ in range(100):
        os.write(log.descriptor, b"x" * 65_536)
        log.trim()
    assert log.path.stat().st_blocks * 512 <= 64 * 1024 + 16_384
    log.finish()


def test_a_quickly_growing_log_is_looked_at_more_often(tmp_path: Path):
    log = CappedLog(tmp_path / "a.log", 1000)
    log.trim()
    quiet = log.pause
    os.write(log.descriptor, b"x" * 500)
    log.trim()
    assert log.pause < quiet
    log.finish()


def test_a_log_that_the_step_removed_is_let_go(tmp_path: Path):
    log = CappedLog(tmp_path / "a.log", 10)
    os.write(log.descriptor, b"x" * 100)
    log.path.unlink()
    log.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_not_written_through_a_link(tmp_path: Path):
    (tmp_path / "a.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        CappedLog(tmp_path / "a.log", 10)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_234_567_890, "1.2 GB"), (5 * 10**12, "5.0 TB")],
)
def test_sizes_are_said_as_people_say_them(count: int, text: str):
    assert human_bytes(count) == text
