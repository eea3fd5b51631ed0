import resource
import subprocess
import threading
import time

from engine.clock import monotonic
from engine.process.marks import limit_mark, marked, read_environment_mark, read_limit_mark


def test_a_mark_goes_down_to_every_descendant_and_not_to_what_is_started_later():
    mark = limit_mark("att_1")
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    with marked(mark):
        inside = subprocess.Popen(["env", "-i", "setsid", "-w", "cat"], stdin=subprocess.PIPE)
    outside = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert resource.getrlimit(resource.RLIMIT_RTTIME) == before
    assert read_limit_mark(inside.pid) == mark
    assert read_limit_mark(outside.pid) is None
    for process in (inside, outside):
        process.communicate()


def test_starts_of_several_threads_leave_no_mark_behind():
    before = resource.getrlimit(resource.RLIMIT_RTTIME)

    def start(number: int) -> None:
        for _ in range(50):
            with marked(limit_mark(f"att_{number}")):
                time.sleep(0.0001)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert resource.getrlimit(resource.RLIMIT_RTTIME) == before


def test_marks_of_attempts_differ_and_fit_into_a_limit():
    marks = {limit_mark(f"att_{number}") for number in range(1000)}
    assert len(marks) == 1000
    assert all(mark < 1 << 62 for mark in marks)


def test_the_environment_names_the_attempt():
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={"MINIPIPE_ATTEMPT_ID": "att_1", "A": "b"})
    until = monotonic() + 5
    while read_environment_mark(process.pid) != "att_1":  # The kernel shows it a moment after the start.
        assert monotonic() < until
    process.communicate()
    assert read_environment_mark(process.pid) is None
