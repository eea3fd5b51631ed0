import os
import subprocess

import pytest

from engine.clock import monotonic
from engine.process import leader as leader_module
from engine.process.leader import Leader


@pytest.fixture(params=[True, False], ids=["pidfd", "polled"])
def has_pidfd(request, monkeypatch) -> bool:
    if not request.param:  # A system without pidfds: this one has them.
        monkeypatch.setattr(leader_module, "_exit_descriptor", lambda pid: None)
    return request.param


def start(command: str) -> Leader:
    process = subprocess.Popen(["sh", "-c", command])
    process.returncode = 0
    return Leader(process.pid)


def wait_for(leader: Leader) -> None:
    until = monotonic() + 5
    while not leader.has_ended():
        assert monotonic() < until


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -KILL $$", -9)])
def test_the_exit_code_is_known_after_the_end(has_pidfd, command, code):
    leader = start(command)
    wait_for(leader)
    assert leader.reap() == code


def test_a_process_that_runs_has_not_ended(has_pidfd):
    leader = start("exec sleep 60")
    assert not leader.has_ended()
    os.kill(leader.pid, 9)
    wait_for(leader)
    assert leader.reap() == -9


def test_an_exit_code_that_other_code_took_is_unknown():
    leader = start("exit 3")
    os.waitpid(leader.pid, 0)
    assert leader.has_ended()
    assert leader.reap() is None
