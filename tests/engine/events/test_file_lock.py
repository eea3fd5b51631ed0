"""One holder at a time, and none after death."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import StoreBusy
from engine.events.file_lock import FileLock

HOLD = """
import sys
from pathlib import Path
from engine.events.file_lock import FileLock
with FileLock(Path(sys.argv[1]), 1.0).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    lock = FileLock(path, 0.0)
    with pytest.raises(StoreBusy), lock.held():
        pass
    holder.kill()
    holder.communicate(timeout=10)
    with lock.held():
        pass
    lock.close()


def test_a_lock_is_free_after_an_error_inside(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", 0.0)
    with pytest.raises(ZeroDivisionError), lock.held():
        _ = 1 / 0
    with FileLock(tmp_path / "lock", 0.0).held():
        pass
    lock.close()
