"""One run has one owner, however many processes want to be it."""

import fcntl
import signal
from pathlib import Path

import pytest

from tests.chaos.inspection import violations
from tests.chaos.workshop import Workshop, wait_until


def killed_run(shop: Workshop) -> str:
    """A run whose engine was killed while its first step ran."""
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.kill()
    run_id = shop.run_id()
    assert run_id is not None
    return run_id


def test_of_four_that_resume_at_once_one_does_it_and_the_others_name_it(shop: Workshop) -> None:
    run_id = killed_run(shop)
    rivals = [shop.start("resume", run_id) for _ in range(4)]
    wait_until(lambda: sum(rival.has_ended() for rival in rivals) == 3)
    shop.open_gate()
    assert sorted(rival.finish() for rival in rivals) == [0, 1, 1, 1]
    owner = next(rival for rival in rivals if rival.code == 0)
    for rival in rivals:
        assert rival is owner or f"is being run by process {owner.pid} " in rival.errors
    assert violations(shop, run_id, "succeeded", {"first": "completed", "second": "completed"}) == []
    assert len(shop.records("start")) == 3


def test_four_first_runs_at_once_in_a_fresh_folder_make_one_database(shop: Workshop) -> None:
    plans = [shop.plan(shop.step(f"only{n}"), name=f"p{n}") for n in range(4)]
    runs = [shop.start("run", str(plan)) for plan in plans]
    assert [(run.finish(), run.errors) for run in runs if run.finish() != 0] == []
    assert shop.rows("SELECT count(*), count(DISTINCT run_id) FROM runs WHERE state = 'succeeded'") == [(4, 4)]
    assert len(shop.records("end")) == 4


@pytest.mark.parametrize("verb", ["resume", "run"])
def test_a_stopped_owner_keeps_its_run(shop: Workshop, verb: str) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    owner = shop.start("run", str(plan))
    shop.wait_for_start("first")
    owner.signal(signal.SIGSTOP)
    try:
        shop.open_gate()
        wait_until(lambda: shop.records("end"))
        rival = shop.minipipe(verb, *(["last"] if verb == "resume" else []))
    finally:
        owner.signal(signal.SIGCONT)
    assert rival.code == (1 if verb == "resume" else 2)
    assert verb == "run" or f"is being run by process {owner.pid} " in rival.errors
    assert owner.finish() == 0
    assert [step for _, step, _ in shop.records("start")] == ["first", "second"]


def test_an_owner_that_was_stopped_obeys_when_it_goes_on(shop: Workshop) -> None:
    owner = shop.start("run", str(shop.plan(shop.step("only", "gated"))))
    shop.wait_for_start("only")
    owner.signal(signal.SIGSTOP)
    try:
        asker = shop.start("pause", "last")
        wait_until(lambda: shop.rows("SELECT 1 FROM commands"))
    finally:
        owner.signal(signal.SIGCONT)
    assert asker.finish() == 0
    assert shop.rows("SELECT state FROM commands") == [("done",)]
    shop.open_gate()
    assert owner.finish() == 0


def test_who_resumes_waits_for_a_git_that_has_outlived_its_owner(shop: Workshop) -> None:
    run_id = killed_run(shop)
    lock = (shop.state / "runs" / run_id / "owner.lock").open("r+")
    fcntl.flock(lock, fcntl.LOCK_EX)
    resumed = shop.start("resume", run_id)
    try:
        # It has to take its time: nothing tells from outside that it waits.
        wait_until(lambda: f"/{run_id}/owner.lock" in open_files_of(resumed.pid))
        assert not resumed.has_ended()
    finally:
        lock.close()
    shop.open_gate()
    assert resumed.finish() == 0, resumed.errors


def open_files_of(pid: int) -> str:
    try:
        return "\n".join(str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return ""
