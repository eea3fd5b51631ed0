import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backends.contract import EndedBy
from engine.backends.local import LocalBackend
from engine.clock import monotonic
from engine.process.procfs import read_stat

HIDE = "env -i setsid"
FORK_STORM = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for generation in range(4000):
    if os.fork():
        os._exit(0)
    os.setsid()
open("died of age", "x")
"""


def wait_until(is_true: Callable[[], bool], seconds: float = 5.0) -> None:
    until = monotonic() + seconds
    while not is_true():
        assert monotonic() < until, "the condition did not come true"
        os.sched_yield()


def written_pid(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    found = read_stat(pid)
    return found is not None and found.state != "Z"


def run(backend, order, wait_all):
    backend.start(order)
    (end,) = wait_all(backend, 1)
    return end


def test_the_output_of_both_kinds_is_in_the_log_for_the_owner_alone(local, make_order, wait_all):
    order = make_order("echo out; echo err >&2")
    run(local, order, wait_all)
    assert order.log_path.read_text() == "out\nerr\n"
    assert stat.S_IMODE(order.log_path.stat().st_mode) == 0o600


def test_a_step_leads_a_session_without_input_in_its_folder(local, make_order, wait_all, tmp_path):
    order = make_order("pwd; cat; ps -o sid= -p $$; echo $$")
    run(local, order, wait_all)
    folder, session, pid = order.log_path.read_text().split()
    assert (folder, session) == (str(tmp_path), pid)


def test_a_step_gets_its_environment_and_nothing_else(local, make_order, wait_all):
    order = make_order(("/usr/bin/env",), env={"A": "1", "MINIPIPE_ATTEMPT_ID": "x"})
    run(local, order, wait_all)
    assert sorted(order.log_path.read_text().split()) == ["A=1", "MINIPIPE_ATTEMPT_ID=x"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"argv": ("no-such-program",)}, "no-such-program"),
        ({"argv": ("/etc/passwd",)}, "not executable"),
        ({"argv": ("true",), "cwd": Path("/no/such/folder")}, "working directory /no/such/folder"),
        ({"argv": ("true", "x" * 300_000)}, "too long"),
        ({"argv": ("true", "a\0b")}, "null"),
        ({"argv": ()}, "empty"),
        ({"log_path": Path("/proc/no/log")}, "cannot open the log"),
    ],
)
def test_what_cannot_be_started_ends_at_the_next_wait_and_says_why(local, make_order, change, words):
    local.start(make_order(**change))
    assert local.free_slots() == 2
    began = monotonic()
    (end,) = local.wait(5.0)
    assert monotonic() - began < 1
    assert (end.ended_by, end.exit_code) == (EndedBy.SPAWN, None)
    assert words in end.message
    assert "\n" not in end.message


def test_the_death_of_a_step_by_a_signal_is_its_exit_code(local, make_order, wait_all):
    assert run(local, make_order("kill -SEGV $$"), wait_all).exit_code == -signal.SIGSEGV


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60 & echo $! > pid",
        "setsid sh -c 'echo $$ > pid; exec sleep 60' &",
        f"({HIDE} sh -c 'echo $$ > pid; exec sleep 60' &) ; true",
        f"({HIDE} sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 1; done' &) ; true",
        "sh -c 'echo $$ > pid; kill -STOP $$; sleep 60' &",
    ],
    ids=["background", "own session", "hidden", "hidden and deaf", "stopped"],
)
def test_nothing_that_a_step_leaves_behind_outlives_its_end(local, make_order, wait_all, tmp_path, command):
    end = run(local, make_order(f"{command}\nwhile ! [ -s pid ]; do sleep 0.01; done; exit 4"), wait_all)
    assert not is_alive(written_pid(tmp_path / "pid"))
    assert (end.ended_by, end.exit_code) == (EndedBy.EXIT, 4)
    assert "left behind" in end.message
    assert end.duration_seconds < 3


def test_a_process_that_forks_away_for_ever_is_caught(local, make_order, wait_all, tmp_path):
    (tmp_path / "storm.py").write_text(FORK_STORM)
    order = make_order((sys.executable, "-IS", "storm.py"))
    assert run(local, order, wait_all).duration_seconds < 5
    assert survivors_of(order.attempt_id) == []
    assert not (tmp_path / "died of age").exists()


def survivors_of(attempt_id: str) -> list[int]:
    marker = f"MINIPIPE_ATTEMPT_ID={attempt_id}".encode()
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if is_alive(pid) and marker in _environment(pid)]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_the_end_of_one_attempt_leaves_the_daemon_of_another_alone(local, make_order, wait_all, tmp_path):
    other = make_order(f"({HIDE} sh -c 'echo $$ > pid; exec sleep 60' &) ; exec sleep 60")
    local.start(other)
    daemon = written_pid(tmp_path / "pid")
    local.start(make_order("true"))
    (end,) = wait_all(local, 1)
    assert end.exit_code == 0
    assert is_alive(daemon)
    local.abort(other.attempt_id)
    (end,) = wait_all(local, 1)
    assert end.attempt_id == other.attempt_id
    assert not is_alive(daemon)


@pytest.mark.parametrize("has_own_session", [False, True])
def test_children_of_other_code_are_neither_killed_nor_reaped(local, make_order, wait_all, tmp_path, has_own_session):
    living = subprocess.Popen(["sleep", "60"], start_new_session=has_own_session)
    ended = subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=has_own_session)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    run(local, make_order(f"{HIDE} sleep 60 &"), wait_all)
    local.close()
    assert living.poll() is None
    assert ended.wait() == 7
    living.kill()
    living.wait()


def test_an_aborted_step_may_end_by_itself_within_its_grace(local, make_order, wait_all, tmp_path):
    script = "trap 'echo bye; exit 5' TERM; echo x > ready; while :; do sleep 0.01; done"
    order = make_order(script, grace_seconds=5.0)
    local.start(order)
    wait_until((tmp_path / "ready").exists)
    local.abort(order.attempt_id)
    (end,) = wait_all(local, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.CANCEL, 5)
    assert order.log_path.read_text().endswith("bye\n")


def test_a_step_that_ignores_the_request_is_killed_after_its_grace(local, make_order, wait_all):
    order = make_order("trap '' TERM; while :; do sleep 0.05; done", timeout_seconds=0.2, grace_seconds=0.2)
    end = run(local, order, wait_all)
    assert (end.ended_by, end.exit_code) == (EndedBy.TIMEOUT, -signal.SIGKILL)
    assert 0.4 <= end.duration_seconds < 3
    assert end.message == "no end within 0.2 s"


def test_a_stopped_step_is_woken_so_that_it_can_obey(local, make_order, wait_all):
    order = make_order("trap 'exit 5' TERM; kill -STOP $$; while :; do sleep 0.01; done", grace_seconds=5.0)
    local.start(order)
    facts = local.process_facts(order.attempt_id)
    wait_until(lambda: (found := read_stat(facts.pid)) is not None and found.state == "T")
    local.abort(order.attempt_id)
    (end,) = wait_all(local, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.CANCEL, 5)


def test_an_abort_after_the_end_does_not_change_it(local, make_order, wait_all):
    order = make_order("exit 6")
    local.start(order)
    facts = local.process_facts(order.attempt_id)
    os.waitid(os.P_PID, facts.pid, os.WEXITED | os.WNOWAIT)
    local.abort(order.attempt_id, now=True)
    (end,) = wait_all(local, 1)
    assert (end.ended_by, end.exit_code) == (EndedBy.EXIT, 6)


def test_closing_ends_everything(make_order, tmp_path):
    backend = LocalBackend(slots=1)
    backend.start(make_order(f"({HIDE} sh -c 'echo $$ > pid; exec sleep 60' &) ; exec sleep 60"))
    daemon = written_pid(tmp_path / "pid")
    backend.close()
    assert not is_alive(daemon)


def test_two_hundred_quick_steps_pass_through_two_slots_and_leave_nothing_open(local, make_order):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    left, ends = 200, []
    while left or local.free_slots() < 2:
        while left and local.free_slots():
            local.start(make_order(("/bin/true",)))
            left -= 1
        ends += local.wait(5.0)
    assert [end for end in ends if end.exit_code != 0] == []
    assert len(ends) == 200
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_our_own_limits_are_as_before_after_a_start(local, make_order, wait_all):
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    run(local, make_order(), wait_all)
    assert resource.getrlimit(resource.RLIMIT_RTTIME) == before


def test_a_flood_of_output_keeps_its_head_and_tail_and_little_disk(local, make_order, wait_all):
    cap = 100_000
    script = "echo first; head -c 30000000 /dev/zero; echo mark > flooded; read x < go; echo last"
    order = make_order(f"mkfifo go; {script}", log_cap_bytes=cap)
    local.start(order)
    flooded = order.cwd / "flooded"
    wait_until(lambda: local.wait(0.02) == [] and flooded.exists())
    wait_until(lambda: local.wait(0.02) == [] and order.log_path.stat().st_blocks * 512 <= cap + 16_384)
    (order.cwd / "go").write_text("x\n")
    wait_all(local, 1)
    log = order.log_path.read_bytes()
    assert len(log) <= cap + 100
    assert log.startswith(b"first\n")
    assert log.endswith(b"last\n")
    assert "\n… 29.9 MB cut …\n".encode() in log
    assert stat.S_IMODE(order.log_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("first", ["s3cr", "s3cret-v", "s"])
def test_a_secret_that_is_written_in_two_parts_never_reaches_the_log(local, make_order, wait_all, first):
    rest = "s3cret-value".removeprefix(first)
    order = make_order(f"printf 'a {first}'; sleep 0.05; printf '{rest} b'", secrets=("s3cret-value",))
    run(local, order, wait_all)
    assert order.log_path.read_text() == "a *** b"


def test_a_masked_log_is_capped_too(local, make_order, wait_all):
    order = make_order("echo pass; head -c 3000000 /dev/zero; echo pass", secrets=("pass",), log_cap_bytes=2000)
    run(local, order, wait_all)
    log = order.log_path.read_bytes()
    assert log.startswith(b"***\n")
    assert log.endswith(b"***\n")
    assert len(log) < 2100


def test_a_step_that_closes_its_output_early_costs_no_time(local, make_order):
    local.start(make_order("exec >&- 2>&-; exec sleep 0.4", secrets=("pass",)))
    began, cpu = monotonic(), sum(os.times()[:2])
    assert local.wait(5.0)
    assert monotonic() - began >= 0.3
    assert sum(os.times()[:2]) - cpu < 0.15


def test_a_step_is_over_although_somebody_outside_holds_its_pipe(local, make_order, wait_all, tmp_path):
    os.mkfifo(tmp_path / "hold")
    order = make_order("echo seen; exec sleep 60", secrets=("pass",), timeout_seconds=0.3)
    local.start(order)
    facts = local.process_facts(order.attempt_id)
    held = os.open(f"/proc/{facts.pid}/fd/1", os.O_WRONLY)
    (end,) = wait_all(local, 1)
    os.close(held)
    assert end.duration_seconds < 2
    assert order.log_path.read_text() == "seen\n"


def test_a_watched_descriptor_ends_a_wait_while_a_step_runs(local, make_order):
    reader, writer = os.pipe()
    local.watch(reader)
    local.start(make_order("exec sleep 60"))
    os.write(writer, b"x")
    began = monotonic()
    assert local.wait(5.0) == []
    assert monotonic() - began < 1
    os.close(writer)
    os.close(reader)


def test_the_facts_of_an_attempt_name_its_living_process(local, make_order, wait_all):
    order = make_order("exec sleep 60")
    local.start(order)
    facts = local.process_facts(order.attempt_id)
    found = read_stat(facts.pid)
    assert found is not None
    assert (found.started, found.parent) == (facts.started, os.getpid())
    local.abort(order.attempt_id, now=True)
    wait_all(local, 1)
    assert local.process_facts(order.attempt_id) is None
