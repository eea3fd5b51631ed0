"""A poke reaches every listener of its role, in any process and any folder, and the dead are swept away."""

import os
import select
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.events.poke import EVENTS, PokeListener, Poker, commands_role

LISTEN = """
import select, sys
from pathlib import Path
from engine.events.poke import PokeListener
listener = PokeListener(Path(sys.argv[1]), sys.argv[2])
assert listener.is_open
print("listening", flush=True)
ready, _, _ = select.select([listener], [], [], 20)
print("poked" if ready else "nothing", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "wake"


@pytest.fixture
def poker(folder: Path) -> Iterator[Poker]:
    made = Poker(folder)
    yield made
    made.close()


def _listen_elsewhere(folder: Path, role: str = EVENTS) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", LISTEN, str(folder), role], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"listening\n"
    return child


def test_a_poke_arrives_in_another_process_within_a_second(folder: Path, poker: Poker) -> None:
    child = _listen_elsewhere(folder)
    begun = time.monotonic()
    assert poker.poke(EVENTS) == 1
    assert child.stdout is not None
    assert child.stdout.readline() == b"poked\n"
    assert time.monotonic() - begun < 1.0
    child.communicate(timeout=10)


def test_every_listener_of_a_role_is_woken_and_no_other(folder: Path, poker: Poker) -> None:
    with (
        PokeListener(folder, EVENTS) as one,
        PokeListener(folder, EVENTS) as two,
        PokeListener(folder, commands_role("run_01J")) as other,
    ):
        assert poker.poke(EVENTS) == 2
        assert select.select([one, two, other], [], [], 0)[0] == [one, two]
        assert poker.poke(commands_role("run_01J")) == 1
        assert poker.poke(commands_role("run_01")) == 0
        assert [one.drain(), two.drain(), other.drain(), one.drain()] == [1, 1, 1, 0]


def test_a_listener_in_a_folder_with_a_very_long_path_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 30) / "wake"
    folder.parent.mkdir(parents=True)
    assert len(str(folder)) > 300
    with PokeListener(folder, commands_role("run_" + "0" * 26)) as listener:
        assert listener.is_open
        assert Poker(folder).poke(commands_role("run_" + "0" * 26)) == 1
        assert listener.drain() == 1


def test_folder_and_sockets_are_for_the_owner_alone(folder: Path) -> None:
    with PokeListener(folder, EVENTS):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (name,) = (file.name for file in folder.iterdir())
    assert name.startswith(f"events.{os.getpid()}-")
    assert name.endswith(".sock")


def test_a_closed_listener_leaves_nothing(folder: Path, poker: Poker) -> None:
    listener = PokeListener(folder, EVENTS)
    listener.close()
    listener.close()
    assert list(folder.iterdir()) == []
    assert (listener.is_open, listener.fileno(), listener.drain()) == (False, -1, 0)
    assert poker.poke(EVENTS) == 0


def test_the_socket_of_a_killed_process_is_swept_away(folder: Path, poker: Poker) -> None:
    child = _listen_elsewhere(folder)
    child.kill()
    child.communicate(timeout=10)
    assert len(list(folder.iterdir())) == 1
    assert poker.poke(EVENTS) == 0
    assert list(folder.iterdir()) == []


def test_a_full_buffer_counts_as_poked_and_does_not_block(folder: Path, poker: Poker) -> None:
    with PokeListener(folder, EVENTS) as listener:
        assert [poker.poke(EVENTS) for _ in range(2_000)] == [1] * 2_000
        assert 0 < listener.drain() < 2_000


def test_poking_where_there_is_no_folder_wakes_nobody(poker: Poker) -> None:
    assert poker.poke(EVENTS) == 0


def test_listeners_that_come_and_go_at_any_moment_are_always_known(folder: Path, poker: Poker) -> None:
    poker.poke(EVENTS)
    for _ in range(300):
        listener = PokeListener(folder, EVENTS)
        assert poker.poke(EVENTS) == 1
        listener.close()
        assert poker.poke(EVENTS) == 0


def test_a_listener_is_known_although_the_folders_time_stood_still(folder: Path, poker: Poker) -> None:
    with PokeListener(folder, EVENTS):
        poker.poke(EVENTS)
        moment = folder.stat().st_mtime_ns
        with PokeListener(folder, EVENTS):
            os.utime(folder, ns=(moment, moment))
            assert poker.poke(EVENTS) == 2


def test_a_folder_that_was_quiet_for_long_is_not_read_again(
    folder: Path, poker: Poker, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    os.utime(folder, (time.time() - 60, time.time() - 60))
    poker.poke(EVENTS)
    monkeypatch.setattr(os, "scandir", lambda *_: pytest.fail("the folder was read again"))
    assert poker.poke(EVENTS) == 0


def test_a_folder_made_anew_is_found(folder: Path, poker: Poker) -> None:
    PokeListener(folder, EVENTS).close()
    poker.poke(EVENTS)
    folder.rmdir()
    assert poker.poke(EVENTS) == 0
    with PokeListener(folder, EVENTS) as listener:
        assert poker.poke(EVENTS) == 1
        assert listener.drain() == 1


def test_other_files_in_the_folder_are_left_alone(folder: Path, poker: Poker) -> None:
    folder.mkdir()
    (folder / "events.notes").write_text("mine")
    (folder / "events.1-1.sock").write_text("not a socket")
    assert poker.poke(EVENTS) == 0
    assert (folder / "events.notes").exists()


def test_a_name_left_over_from_an_earlier_process_with_our_number_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr("engine.events.poke._numbers", iter([1, 2]))
    left.bind(str(folder / f"events.{os.getpid()}-1.sock"))
    left.close()
    with PokeListener(folder, EVENTS) as listener:
        assert listener.is_open


@pytest.mark.parametrize("role", ["", "../events", "a.b", "a/b"])
def test_a_role_that_could_become_a_path_is_refused(folder: Path, role: str) -> None:
    with pytest.raises(ValueError, match="role"):
        PokeListener(folder, role)


def test_where_no_socket_can_be_made_the_listener_is_not_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    listener = PokeListener(tmp_path / "file", EVENTS)
    assert not listener.is_open
    assert not PokeListener(tmp_path / "missing" / "wake", EVENTS).is_open


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "wake").symlink_to(tmp_path / "elsewhere")
    assert not PokeListener(tmp_path / "wake", EVENTS).is_open
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        poker = Poker(folder)
        with PokeListener(folder, EVENTS):
            poker.poke(EVENTS)
        poker.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_sweep_removes_the_sockets_of_the_dead_and_no_others(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    folder = tmp_path / "wake"
    with PokeListener(folder, "events") as listener:
        left = folder / f"commands-run.{int(dead.stdout)}-1.sock"
        left.touch()
        Poker(folder).sweep()
        assert not left.exists()
        assert listener.is_open
        assert len(list(folder.iterdir())) == 1
