"""The place where minipipe keeps its memory is full, read-only, locked, or gone."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.inspection import executions, survivors, violations
from tests.chaos.workshop import CONFIG, Running, Workshop, wait_until

UNFIT = 5


def is_one_line_and_a_hint(running: Running) -> bool:
    """Whether the complaint, after the progress lines, is one line, with at most one more that says what to do."""
    lines = running.errors.splitlines()
    at = next((n for n, line in enumerate(lines) if line.startswith("minipipe: ")), None)
    return (
        at is not None and len(lines) - at <= 2 and "unexpected" not in lines[at] and "Traceback" not in running.errors
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop whose state folder is a disk of 2 MB."""
    shop = Workshop(tmp_path)
    shop.state.mkdir(mode=0o700)
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(shop.state)], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        pytest.skip("a disk can only be mounted by root")
    yield shop
    shop.close()
    subprocess.run(["umount", "--lazy", str(shop.state)], check=True)


def fill(shop: Workshop) -> Path:
    filler = shop.state / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def test_a_disk_that_fills_up_ends_the_run_with_nothing_recorded_that_was_not_done(small_disk: Workshop) -> None:
    shop = small_disk
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    filler = fill(shop)
    shop.open_gate()
    code = running.finish(20)
    assert (code, is_one_line_and_a_hint(running)) == (UNFIT, True), running.errors
    assert shop.rows("SELECT count(*) FROM tasks WHERE state = 'completed'") == [(0,)]
    filler.unlink()
    assert shop.minipipe("resume", "last").code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed", "second": "completed"}) == []


@pytest.mark.parametrize("words", [["run"], ["resume", "last"], ["cancel", "last"]])
def test_a_full_disk_is_said_in_one_line(small_disk: Workshop, words: list[str]) -> None:
    shop = small_disk
    plan = shop.plan(shop.step("first", "gated"))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    running.kill()
    fill(shop)
    refused = shop.minipipe(*words)
    assert (refused.code, is_one_line_and_a_hint(refused)) == (UNFIT, True), refused.errors


def test_a_disk_that_was_full_from_the_beginning_leaves_no_trap(small_disk: Workshop) -> None:
    shop = small_disk
    plan = shop.plan(shop.step("first"))
    filler = fill(shop)
    refused = shop.minipipe("run", str(plan))
    assert (refused.code, is_one_line_and_a_hint(refused)) == (UNFIT, True), refused.errors
    filler.unlink()
    assert shop.minipipe("run", str(plan)).code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed"}) == []


def test_a_read_only_state_folder_is_refused_and_can_still_be_looked_at(small_disk: Workshop) -> None:
    shop = small_disk
    plan = shop.plan(shop.step("first"))
    assert shop.minipipe("run", str(plan)).code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(shop.state)], check=True)
    refused = shop.minipipe("run", str(plan))
    assert (refused.code, is_one_line_and_a_hint(refused)) == (UNFIT, True), refused.errors
    for words in (["show", "last"], ["status"], ["runs"], ["events"]):
        looked = shop.minipipe(*words)
        assert looked.code == 0, (words, looked.errors)


def test_a_database_that_is_deleted_ends_the_run_instead_of_pretending(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    for path in shop.state.glob("state.db*"):
        path.unlink()
    shop.open_gate()
    code = running.finish(20)
    assert (code, is_one_line_and_a_hint(running)) == (UNFIT, True), running.errors
    assert shop.minipipe("run", str(plan)).code == 0


def locked(shop: Workshop) -> sqlite3.Connection:
    connection = sqlite3.connect(shop.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_lock_of_another_program_is_waited_for(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    connection = locked(shop)
    shop.open_gate()
    wait_until(lambda: shop.records("end"))
    assert not running.has_ended()
    connection.close()
    assert running.finish() == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed", "second": "completed"}) == []


def test_a_lock_that_is_kept_too_long_ends_the_run_and_its_steps(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, config=f"{CONFIG}[db]\nbusy_timeout_seconds = 0.5\n")
    plan = shop.plan(
        shop.step("first", "gated"), shop.step("long", seconds=60), shop.step("second", depends_on=["first"])
    )
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    shop.wait_for_start("long")
    connection = locked(shop)
    shop.open_gate()
    code = running.finish()
    assert (code, is_one_line_and_a_hint(running)) == (UNFIT, True), running.errors
    connection.close()
    assert shop.marked_processes() == []
    assert shop.rows("SELECT count(*) FROM tasks WHERE state = 'completed'") == [(0,)]


def test_the_files_of_a_run_may_vanish_while_it_runs(shop: Workshop) -> None:
    """Its rows, not its lock, then keep a second owner from doing harm: whoever comes too late is stopped by them."""
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    shutil.rmtree(shop.state / "runs" / (shop.run_id() or "none"))
    shop.open_gate()
    assert running.finish() == 0, running.errors
    assert violations(shop, shop.run_id() or "", "succeeded", {"first": "completed", "second": "completed"}) == []


def test_a_second_owner_that_a_removed_lock_lets_in_does_nothing_twice(shop: Workshop) -> None:
    plan = shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))
    running = shop.start("run", str(plan))
    shop.wait_for_start("first")
    run_id = shop.run_id() or ""
    (shop.state / "runs" / run_id / "owner.lock").unlink()
    second = shop.start("resume", "last")
    shop.open_gate()
    codes = {running.finish(), second.finish()}
    assert codes <= {0, 1}, (running.errors, second.errors)
    assert [*executions(shop, run_id), *survivors(shop)] == []
