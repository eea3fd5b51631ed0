"""The engine is killed in a particular situation; what is resumed afterwards goes on as it should."""

import signal
import sys
from pathlib import Path

from tests.chaos.inspection import survivors
from tests.chaos.workshop import SOURCE, Running, Workshop


def kill(running: Running) -> None:
    running.signal(signal.SIGKILL)
    running.finish()


def test_the_next_owner_removes_the_socket_of_a_killed_one(shop: Workshop) -> None:
    running = shop.start("run", str(shop.plan(shop.step("long", seconds=60))))
    shop.wait_for_start("long")
    kill(running)
    assert list((shop.state / "wake").iterdir())
    next_one = shop.start("resume", "last")
    shop.wait_for_start("long", times=2)
    assert len(list((shop.state / "wake").glob("commands-*"))) == 1
    kill(next_one)


def test_the_audit_trail_is_made_whole_by_whoever_looks_after_an_ended_run(shop: Workshop) -> None:
    shop.minipipe("run", str(shop.plan(shop.step("short"))))
    trail = shop.state / "events.jsonl"
    whole = trail.read_bytes()
    trail.write_bytes(whole[: whole.rindex(b"\n", 0, len(whole) // 2) + 1])
    shop.minipipe("resume", "last")
    assert trail.read_bytes() == whole


def test_a_step_that_is_lost_with_the_engine_too_often_is_given_up(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, config="[run]\ncrash_loop_limit = 1\n")
    running = shop.start("run", str(shop.plan(shop.step("long", seconds=60))))
    shop.wait_for_start("long")
    kill(running)
    again = shop.start("resume", "last")
    shop.wait_for_start("long", times=2)
    kill(again)
    assert shop.minipipe("resume", "last").code == 1
    assert shop.rows("SELECT state, reason FROM tasks") == [("failed", "crash_loop")]
    assert len(shop.records("start")) == 2


def nested_plan(shop: Workshop) -> Path:
    """A plan whose step runs another plan, whose step does not listen to TERM."""
    inner = shop.plan(shop.step("inner", "stubborn", 60), name="inner")
    command = [sys.executable, "-m", "minipipe_tui", "run", str(inner)]
    return shop.plan({"id": "outer", "command": command, "env": {"PYTHONPATH": str(SOURCE)}}, name="outer")


def test_the_steps_of_a_minipipe_inside_a_step_do_not_outlive_its_recovery(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, config="[run]\ngrace_seconds = 30\n")
    running = shop.start("run", str(nested_plan(shop)))
    shop.wait_for_start("inner")
    ((outer_id,),) = shop.rows("SELECT run_id FROM runs WHERE plan_id = 'outer'")
    kill(running)
    assert shop.minipipe("cancel", outer_id).code == 0
    found = list(survivors(shop))
    shop.close()
    assert found == []


def test_taking_over_one_run_leaves_the_steps_of_another_alone(shop: Workshop) -> None:
    other = shop.start("run", str(shop.plan(shop.step("other", "gated"), name="other")))
    shop.wait_for_start("other")
    running = shop.start("run", str(shop.plan(shop.step("long", "forking", 60))))
    shop.wait_for_start("long")
    kill(running)
    assert shop.minipipe("cancel", "last").code == 0
    shop.open_gate()
    assert other.finish() == 0
