import os
import signal
import subprocess
import time

from engine.clock import monotonic
from engine.process.family import Family, adopt_orphans, send
from engine.process.marks import limit_mark, marked
from engine.process.procfs import ProcessStat, read_stat


def test_this_system_gives_us_the_orphans():
    assert adopt_orphans()


def test_a_look_that_finds_nothing_costs_next_to_nothing():
    family = Family("att_x", os.getpid(), set())
    began = time.process_time()
    for _ in range(1000):
        family.strays()
    assert (time.process_time() - began) / 1000 < 60e-6


def test_a_signal_never_reaches_a_process_that_only_got_the_pid():
    other = subprocess.Popen(["sleep", "60"])
    found = read_stat(other.pid)
    assert found is not None
    stale = ProcessStat(found.pid, found.state, found.parent, found.group, found.session, found.started - 1)
    send(stale, signal.SIGKILL)
    assert other.poll() is None
    send(found, signal.SIGKILL)
    assert other.wait() == -9


def test_a_program_name_with_brackets_does_not_confuse_the_facts(tmp_path):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    until = monotonic() + 5
    while (found := read_stat(process.pid)) is None or found.state != "S":
        assert monotonic() < until
    assert found.parent == os.getpid()
    process.kill()
    process.wait()


def test_a_child_of_our_own_session_is_no_stray_although_it_was_started_in_a_marked_moment():
    with marked(limit_mark("att_x")):
        other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert Family("att_x", 1, set()).strays() == []
    other.communicate()
