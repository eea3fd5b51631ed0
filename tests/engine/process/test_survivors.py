import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import monotonic
from engine.ids import new_id
from engine.process.facts import ProcessFacts
from engine.process.procfs import process_facts, read_stat
from engine.process.survivors import end_processes, end_survivors, find_survivors

OWNER = """
import os, sys, signal
from pathlib import Path
from engine.backends.contract import WorkOrder
from engine.backends.local import LocalBackend
folder, attempt_id, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
env = {"PATH": os.environ["PATH"], "MINIPIPE_ATTEMPT_ID": attempt_id}
backend = LocalBackend(1)
backend.start(WorkOrder(attempt_id, "run", "step", 1, ("sh", "-c", command), folder, env, folder / "log"))
print(backend.process_facts(attempt_id).pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def attempt_id() -> str:
    return new_id("attempt")


@pytest.fixture
def orphan(tmp_path: Path, attempt_id: str) -> Iterator[int]:
    """A process whose owner was killed: hidden, deaf to requests, in a session of its own."""
    hidden = "env -i setsid sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done'"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), attempt_id, f"({hidden} &); exec sleep 60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    leader = int(owner.stdout.readline())
    pid = written_pid(tmp_path / "pid")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    owner.stdin.close()
    yield pid
    end_processes([pid, leader], 0.0)


def written_pid(path: Path) -> int:
    until = monotonic() + 5
    while not (path.exists() and path.read_text().endswith("\n")):
        assert monotonic() < until
    return int(path.read_text())


def is_alive(pid: int) -> bool:
    found = read_stat(pid)
    return found is not None and found.state != "Z"


def test_what_outlived_a_killed_owner_is_found_and_ended(orphan: int, attempt_id: str):
    found = find_survivors([attempt_id])
    assert orphan in found
    assert len(found) >= 2
    assert end_survivors([attempt_id], grace_seconds=0.2) == []
    assert not any(is_alive(pid) for pid in found)


def test_the_processes_of_other_attempts_are_not_found(orphan: int):
    assert find_survivors([new_id("attempt")]) == []
    assert find_survivors([]) == []


def test_a_known_process_is_found_without_marks_and_with_its_session():
    unmarked = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; exec sleep 60"], start_new_session=True, stdout=subprocess.PIPE
    )
    assert unmarked.stdout is not None
    member = int(unmarked.stdout.readline())
    facts = process_facts(unmarked.pid)
    assert facts is not None
    assert set(find_survivors([], [facts])) == {unmarked.pid, member}
    end_processes([unmarked.pid, member], 1.0)
    assert not is_alive(member)
    unmarked.wait()
    unmarked.stdout.close()


@pytest.mark.parametrize("change", [{"started": 1}, {"boot_id": "another"}])
def test_a_process_that_only_got_the_pid_is_not_found(change):
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    facts = process_facts(other.pid)
    assert facts is not None
    wrong = {"pid": facts.pid, "started": facts.started, "boot_id": facts.boot_id} | change
    assert find_survivors([], [ProcessFacts(**wrong)]) == []
    other.kill()
    other.wait()


def test_we_are_never_a_survivor_of_our_own(attempt_id: str):
    look = "print(find_survivors([sys.argv[1]]))"
    script = f"import sys; from engine.process.survivors import find_survivors; {look}"
    env = os.environ | {"MINIPIPE_ATTEMPT_ID": attempt_id}
    shell = f"{sys.executable} -c '{script}' {attempt_id}; true"
    done = subprocess.run(["sh", "-c", shell], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ending_what_is_gone_already_does_nothing():
    gone = subprocess.Popen(["true"])
    gone.wait()
    end_processes([gone.pid], 1.0)
