"""A follower wakes when something changed, and otherwise sleeps."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.events.follow import ChangeSignal
from engine.events.poke import EVENTS, Poker

POKE = """
import sys
from pathlib import Path
from engine.events.poke import Poker
sys.exit(0 if Poker(Path(sys.argv[1])).poke("events") == 1 else 1)
"""


def test_a_poke_from_another_process_ends_the_wait(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    subprocess.run([sys.executable, "-c", POKE, str(tmp_path / "wake")], check=True, timeout=30)
    assert signal.wait(1.0)
    assert not signal.wait(0.0)
    signal.close()


def test_many_pokes_before_a_wait_are_one_wake_up(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    poker = Poker(tmp_path / "wake")
    for _ in range(5):
        poker.poke(EVENTS)
    assert [signal.wait(0.0), signal.wait(0.0)] == [True, False]
    signal.close()


def test_a_wait_without_a_change_ends_at_its_time(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    begun = time.monotonic()
    assert not signal.wait(0.05)
    assert 0.05 <= time.monotonic() - begun < 5
    signal.close()


def test_the_safety_poll_comes_without_any_change_and_counts_from_the_last_look(tmp_path: Path) -> None:
    begun = time.monotonic()
    signal = ChangeSignal(tmp_path, poll_interval_seconds=0.4)
    assert not signal.wait(0.0)
    assert signal.wait()
    assert time.monotonic() - begun >= 0.4
    assert not signal.wait(0.0)
    signal.close()


def test_an_idle_wait_costs_no_processor_time(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    before = time.process_time()
    signal.wait(0.5)
    assert time.process_time() - before < 0.05
    signal.close()


def test_another_thread_can_end_a_wait(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    outcome: list[bool] = []
    waiter = threading.Thread(target=lambda: outcome.append(signal.wait()))
    waiter.start()
    signal.wake()
    waiter.join(timeout=10)
    assert outcome == [True]
    signal.close()
    signal.wake()


def test_where_no_socket_can_be_made_a_changed_file_ends_the_wait(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    (tmp_path / "wake").write_text("a file where the folder should be")
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)

    def write_and_wait() -> bool:
        with (tmp_path / "state.db-wal").open("ab") as file:
            file.write(b"change")
        return signal.wait(0.2)

    wait_until(write_and_wait)
    signal.close()


def test_the_watch_ends_with_its_signal(tmp_path: Path) -> None:
    (tmp_path / "wake").write_text("")
    signal = ChangeSignal(tmp_path, poll_interval_seconds=60)
    signal.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "minipipe-watch"]


def test_a_folder_that_is_not_there_leaves_the_safety_poll(tmp_path: Path) -> None:
    signal = ChangeSignal(tmp_path / "missing", poll_interval_seconds=0.1)
    assert signal.wait()
    signal.close()


def test_watchfiles_is_loaded_only_where_it_is_needed(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from engine.events.follow import ChangeSignal
ChangeSignal(Path(sys.argv[1]), poll_interval_seconds=60).wait(0)
sys.exit("watchfiles" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=30)
