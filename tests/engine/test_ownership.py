import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit, ExitCode, RunOwned
from engine.ownership import LOCK_NAME, claim, owner_of

OTHER = """
import sys
from pathlib import Path
from engine.ownership import claim
lock = claim("run_1", Path(sys.argv[1]))
print("owned", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that owns the run of this folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"owned\n"
        yield process
        process.kill()


def test_a_run_that_nobody_claimed_has_no_owner(tmp_path: Path) -> None:
    assert owner_of(tmp_path / "never made") is None
    assert not (tmp_path / "never made").exists()


def test_the_owner_is_known_while_it_owns(tmp_path: Path) -> None:
    with claim("run_1", tmp_path) as lock:
        assert owner_of(tmp_path) == lock.owner
        assert lock.owner.pid == os.getpid()
    assert owner_of(tmp_path) is None


def test_asking_for_the_owner_does_not_take_the_run_from_it(tmp_path: Path) -> None:
    with claim("run_1", tmp_path):
        for _ in range(10):
            owner_of(tmp_path)
        with pytest.raises(RunOwned):
            claim("run_1", tmp_path)


def test_a_second_taker_is_told_who_the_first_is(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(RunOwned) as caught:
        claim("run_1", tmp_path)
    assert f"process {other.pid} on " in caught.value.message
    assert caught.value.exit_code == ExitCode.FAILED
    owner = owner_of(tmp_path)
    assert owner is not None
    assert owner.pid == other.pid


def test_a_dead_owner_owns_nothing_whatever_its_file_says(tmp_path: Path, other: "subprocess.Popen[bytes]") -> None:
    other.kill()
    other.wait()
    assert json.loads((tmp_path / LOCK_NAME).read_text())["pid"] == other.pid
    assert owner_of(tmp_path) is None
    with claim("run_1", tmp_path) as lock:
        assert owner_of(tmp_path) == lock.owner


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "\0" * 100])
def test_an_owner_whose_file_cannot_be_read_is_still_an_owner(tmp_path: Path, text: str) -> None:
    with claim("run_1", tmp_path):
        (tmp_path / LOCK_NAME).write_text(text)
        assert owner_of(tmp_path) is not None
        with pytest.raises(RunOwned):
            claim("run_1", tmp_path)


def test_the_lock_is_for_its_owner_alone_and_is_never_removed(tmp_path: Path) -> None:
    claim("run_1", tmp_path).release()
    path = tmp_path / LOCK_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    inode = path.stat().st_ino
    claim("run_1", tmp_path).release()
    assert path.stat().st_ino == inode


def test_letting_go_twice_is_harmless(tmp_path: Path) -> None:
    lock = claim("run_1", tmp_path)
    lock.release()
    lock.release()


def test_a_link_in_the_locks_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("text")
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "precious")
    with pytest.raises(EnvironmentUnfit):
        claim("run_1", tmp_path)
    assert (tmp_path / "precious").read_text() == "text"
