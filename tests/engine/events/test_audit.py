"""The trail is what the journal says, whoever died, raced or ran out of disk."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.events.audit import AuditTrail, rebuild
from engine.events.event import Event
from engine.events.file_lock import FileLock
from engine.events.line import from_line, to_line

OpenTrail = Callable[..., AuditTrail]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def open_trail() -> Iterator[OpenTrail]:
    """Trails that are closed when the test is over."""
    opened = []

    def open_one(path: Path, **options: Any) -> AuditTrail:
        opened.append(AuditTrail(path, **options))
        return opened[-1]

    yield open_one
    for trail in opened:
        trail.close()


def numbers(path: Path) -> list[int]:
    """The numbers of the events in a file; every line has to tell of one."""
    events = [from_line(line) for line in path.read_bytes().splitlines(keepends=True)]
    assert all(events)
    return [event.seq for event in events if event]


def parts_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob("events-*.jsonl"))


def test_events_become_lines_in_order_in_a_file_for_the_owner_alone(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    trail = open_trail(path, since=journal.since)
    assert trail.append(journal.commit(3))
    assert trail.append(journal.commit(2))
    assert path.read_bytes() == b"".join(to_line(event) for event in journal.events)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_while_nobody_else_writes_the_journal_is_never_asked(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since)
    for _ in range(5):
        trail.append(journal.commit(2))
    assert numbers(path) == list(range(1, 11))
    assert journal.asked == []


def test_events_lost_between_commit_and_append_come_with_the_next(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    open_trail(path, since=journal.since).append(journal.commit(2))
    journal.commit(3)
    assert open_trail(path, since=journal.since).append(journal.commit(1))
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_an_append_of_nothing_brings_the_file_up_to_date(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since)
    journal.commit(2_500)
    assert trail.append()
    assert numbers(path) == list(range(1, 2_501))


def test_two_writers_that_append_in_the_wrong_order_leave_the_right_one(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    first, second = (open_trail(path, since=journal.since) for _ in range(2))
    early, late = journal.commit(2), journal.commit(2)
    assert second.append(late)
    assert first.append(early)
    assert first.append(journal.commit(1))
    assert second.append(journal.commit(1))
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_a_batch_with_somebody_elses_event_in_the_middle_is_completed(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    one, _, three = journal.commit(3)
    assert open_trail(path, since=journal.since).append([one, three])
    assert numbers(path) == [1, 2, 3]


def test_events_without_a_place_in_the_journal_are_not_written(
    path: Path, open_trail: OpenTrail, journal: Any, make_event: Callable[..., Event]
) -> None:
    trail = open_trail(path, since=journal.since)
    assert trail.append([make_event(0)])
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "tail",
    [
        b'{"event_id":"evt_x","times',
        b"{}\n",
        b"\x00" * 5_000,
        b"garbage\n" * 40_000,
        b"x" * 300_000,
        b"\n\n\n",
        b"\xff\xfe\n{",
    ],
    ids=["torn", "empty object", "zeros", "many lines", "one long line", "newlines", "bytes"],
)
def test_a_broken_tail_is_cut_off_before_anything_is_added(
    path: Path, open_trail: OpenTrail, journal: Any, tail: bytes
) -> None:
    open_trail(path, since=journal.since).append(journal.commit(3))
    with path.open("ab") as file:
        file.write(tail)
    assert open_trail(path, since=journal.since).append(journal.commit(1))
    assert numbers(path) == [1, 2, 3, 4]


def test_a_file_torn_at_any_byte_is_healed(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    journal.commit(2)
    whole = b"".join(to_line(event) for event in journal.events)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        trail = open_trail(path, since=journal.since)
        assert trail.append(journal.events[1:])
        assert path.read_bytes() == whole
        trail.close()


def test_a_tail_broken_by_somebody_else_is_seen_by_a_writer_with_a_memory(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    trail = open_trail(path, since=journal.since)
    trail.append(journal.commit(2))
    with path.open("ab") as file:
        file.write(b'{"torn')
    assert trail.append(journal.commit(1))
    assert numbers(path) == [1, 2, 3]


def test_a_deleted_file_is_written_again(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since)
    trail.append(journal.commit(2))
    path.unlink()
    assert trail.append(journal.commit(1))
    assert numbers(path) == [1, 2, 3]


def test_a_file_that_tells_nothing_of_ours_is_set_aside_not_destroyed(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    path.write_bytes(b"somebody's notes\n")
    assert open_trail(path, since=journal.since).append(journal.commit(1))
    assert numbers(path) == [1]
    assert [part.read_bytes() for part in parts_of(path)] == [b"somebody's notes\n"]


def test_a_file_of_another_history_is_set_aside_and_all_is_told_again(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    other = type(journal)()
    open_trail(path, since=other.since).append(other.commit(50, prefix="old"))
    assert open_trail(path, since=journal.since).append(journal.commit(3))
    assert numbers(path) == [1, 2, 3]
    assert [numbers(part) for part in parts_of(path)] == [list(range(1, 51))]


def test_a_disk_that_fills_while_another_history_is_replaced_loses_nothing(
    path: Path, open_trail: OpenTrail, journal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = type(journal)()
    open_trail(path, since=other.since).append(other.commit(50, prefix="old"))
    trail = open_trail(path, since=journal.since)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _no_space)
        assert not trail.append(journal.commit(3))
    assert trail.append(journal.commit(1))
    assert numbers(path) == [1, 2, 3, 4]


def test_a_large_file_is_set_aside_and_numbers_go_on(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since, max_bytes=1_000, keep=100)
    for _ in range(10):
        trail.append(journal.commit(2))
    files = [*parts_of(path), path]
    assert len(files) > 2
    assert [seq for file in files for seq in numbers(file)] == list(range(1, 21))
    assert files[0].name == "events-000001.jsonl"


def test_a_catching_up_also_sets_large_files_aside(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    journal.commit(3_000)
    open_trail(path, since=journal.since, max_bytes=1_000).append()
    assert [seq for file in (*parts_of(path), path) for seq in numbers(file)] == list(range(1, 3_001))
    assert len(parts_of(path)) == 2


def test_only_the_newest_parts_are_kept(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since, max_bytes=1, keep=2)
    for _ in range(6):
        trail.append(journal.commit(1))
    assert [part.name for part in parts_of(path)] == ["events-000004.jsonl", "events-000005.jsonl"]
    assert [seq for file in (*parts_of(path), path) for seq in numbers(file)] == [4, 5, 6]


def test_a_crash_right_after_a_file_was_set_aside_loses_no_number(
    path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    open_trail(path, since=journal.since).append(journal.commit(4))
    path.rename(path.with_name("events-000001.jsonl"))
    assert open_trail(path, since=journal.since).append(journal.commit(1))
    assert numbers(path) == [5]


def test_another_writers_change_of_file_is_noticed(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    patient = open_trail(path, since=journal.since)
    patient.append(journal.commit(2))
    open_trail(path, since=journal.since, max_bytes=1).append(journal.commit(2))
    assert patient.append(journal.commit(1))
    assert [numbers(file) for file in (*parts_of(path), path)] == [[1, 2], [3, 4, 5]]


def test_a_folder_that_cannot_be_written_is_a_false_and_is_made_up_for(
    tmp_path: Path, open_trail: OpenTrail, journal: Any
) -> None:
    folder = tmp_path / "later"
    trail = open_trail(folder / "events.jsonl", since=journal.since)
    assert not trail.append(journal.commit(2))
    assert "later" in trail.trouble
    folder.mkdir()
    assert trail.append(journal.commit(1))
    assert numbers(folder / "events.jsonl") == [1, 2, 3]
    assert trail.trouble == ""


def _no_space(descriptor: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


FILL = """
import resource, signal, sys
from pathlib import Path
from engine.events.audit import AuditTrail
from engine.events.event import Event

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def event(seq):
    return Event(f"evt_{seq}", "t", "warning", "info", "run", "run_1", metadata={"x": "y" * 300}, seq=seq)

def since(seq):
    return [event(each) for each in range(seq + 1, last + 1)]

path = Path(sys.argv[1])
trail = AuditTrail(path, since=since)
last = 2
assert trail.append([event(1), event(2)])
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 700, resource.RLIM_INFINITY))
last = 5
assert not trail.append([event(3), event(4), event(5)])
assert path.stat().st_size == size, "part of a batch was left behind"
assert "File too large" in trail.trouble, trail.trouble
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
last = 6
assert trail.append([event(6)])
"""


def test_a_disk_that_is_full_in_the_middle_of_a_batch_is_made_up_for(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FILL, str(path)], check=True, timeout=30)
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_a_reader_that_fails_does_not_raise_into_the_run(path: Path, open_trail: OpenTrail) -> None:
    def since(seq: int) -> list[Event]:
        raise sqlite3.OperationalError("database is locked")

    trail = open_trail(path, since=since)
    assert not trail.append()
    assert "database is locked" in trail.trouble


def test_a_link_in_the_files_place_is_refused(path: Path, open_trail: OpenTrail, tmp_path: Path, journal: Any) -> None:
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")
    assert not open_trail(path, since=journal.since).append(journal.commit(1))
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_lock_that_somebody_keeps_is_a_false_not_a_hang(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since, patience_seconds=0.05)
    with FileLock(path.with_name("events.jsonl.lock"), 0.0).held():
        assert not trail.append(journal.commit(1))
    assert "locked" in trail.trouble
    assert trail.append()
    assert numbers(path) == [1]


def test_a_closed_trail_opens_its_files_again(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since)
    before = len(list(Path("/proc/self/fd").iterdir()))
    trail.append(journal.commit(1))
    trail.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert trail.append(journal.commit(1))
    assert numbers(path) == [1, 2]


def test_rebuild_writes_what_the_journal_says_in_place_of_the_file(path: Path, journal: Any) -> None:
    path.write_bytes(b"nonsense")
    journal.commit(5)
    assert rebuild(path, journal.since(0)) == 5
    assert numbers(path) == [1, 2, 3, 4, 5]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_after_a_rebuild_writers_go_on_behind_its_last_event(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    trail = open_trail(path, since=journal.since)
    trail.append(journal.commit(2))
    rebuild(path, journal.since(0))
    trail.append(journal.commit(2))
    assert numbers(path) == [1, 2, 3, 4]


def test_a_rebuild_that_fails_leaves_the_file_and_no_litter(path: Path, open_trail: OpenTrail, journal: Any) -> None:
    open_trail(path, since=journal.since).append(journal.commit(2))

    def breaks() -> Any:
        yield journal.events[0]
        raise RuntimeError("the journal broke")

    with pytest.raises(RuntimeError):
        rebuild(path, breaks())
    assert numbers(path) == [1, 2]
    assert sorted(file.name for file in path.parent.iterdir()) == ["events.jsonl", "events.jsonl.lock"]


WRITER = """
import sqlite3, sys
from pathlib import Path
from engine.events.audit import AuditTrail
from engine.events.event import Event

folder, name, rounds, max_bytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
db = sqlite3.connect(folder / "journal.db", timeout=30, isolation_level=None)

def event(seq, by):
    return Event(f"evt_{seq}", "t", "warning", "info", "run", "run_1", operator=by, seq=seq)

def since(seq):
    rows = db.execute("SELECT seq, said_by FROM events WHERE seq > ? ORDER BY seq", (seq,))
    return [event(*row) for row in rows]

def commit(count):
    db.execute("BEGIN IMMEDIATE")
    insert = "INSERT INTO events (said_by) VALUES (?)"
    added = [event(db.execute(insert, (name,)).lastrowid, name) for _ in range(count)]
    db.execute("COMMIT")
    return added

trail = AuditTrail(folder / "events.jsonl", since=since, max_bytes=max_bytes, keep=1000, patience_seconds=20)
for number in range(rounds):
    added = commit(1 + number % 4)
    print(added[-1].seq, flush=True)
    if number % 7 != 3:  # now and then one dies between commit and append
        assert trail.append(added), trail.trouble
assert trail.append(), trail.trouble
"""


def _writers(folder: Path, count: int, *, rounds: int, max_bytes: int = 2**25) -> list[subprocess.Popen[bytes]]:
    with sqlite3.connect(folder / "journal.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, said_by TEXT)")
    db.close()
    return [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), f"writer {n}", str(rounds), str(max_bytes)],
            stdout=subprocess.PIPE,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("max_bytes", [2**25, 20_000], ids=["one file", "many parts"])
def test_processes_that_write_at_once_leave_every_event_once_and_in_order(path: Path, max_bytes: int) -> None:
    writers = _writers(path.parent, 3, rounds=120, max_bytes=max_bytes)
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0, 0, 0]
    written = [seq for file in (*parts_of(path), path) for seq in numbers(file)]
    assert written == list(range(1, 3 * 300 + 1))
    assert bool(parts_of(path)) == (max_bytes < 2**25)


def test_writers_that_are_killed_leave_nothing_that_the_next_cannot_mend(path: Path) -> None:
    writers = _writers(path.parent, 3, rounds=100_000)
    for writer in writers[:2]:
        assert writer.stdout is not None
        for _ in range(30):
            writer.stdout.readline()
        writer.kill()
    writers[2].kill()
    for writer in writers:
        writer.communicate(timeout=30)
    subprocess.run([sys.executable, "-c", WRITER, str(path.parent), "last", "1", "99999999"], check=True, timeout=30)
    with sqlite3.connect(path.parent / "journal.db") as db:
        (count,) = db.execute("SELECT count(*) FROM events").fetchone()
    db.close()
    assert numbers(path) == list(range(1, count + 1))
