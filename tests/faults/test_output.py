"""What a step prints or leaves behind is hostile, too much, or not what was promised."""

import json
import sys
from pathlib import Path

import pytest

from tests.chaos.workshop import CONFIG, Workshop

MB = 1024 * 1024


@pytest.fixture
def small_logs(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, config=f"{CONFIG}log_cap_mb = 1\n")


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def bytes_on_disk(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0  # a log that is cut at its end is written anew beside itself for a moment


def test_a_flood_is_kept_within_its_bounds_while_it_goes_on(small_logs: Workshop) -> None:
    shop = small_logs
    text = "import os, time\nfor _ in range(200): os.write(1, b'flood ' * 174762 + b'end\\n'); time.sleep(0.005)"
    running = shop.start("run", str(shop.plan({"id": "flood", "command": program(text)})))
    most = 0
    while not running.has_ended():
        most = max(most, sum(map(bytes_on_disk, shop.state.glob("runs/*/logs/*"))))
    assert running.finish() == 0
    (log,) = shop.state.glob("runs/*/logs/*")
    assert log.stat().st_size < 1.1 * MB
    assert b" cut " in log.read_bytes()
    assert most < 100 * MB, "what is written in a quarter of a second may stand there, but not all of it"


def test_one_endless_line_and_hostile_hostilereach_no_terminal(small_logs: Workshop) -> None:
    shop = small_logs
    hostile = r"\x1b]0;owned\x07\x1b[2J\x00\xff\x9b31m"
    text = f"import os\nos.write(1, b'{hostile}')\nfor _ in range(64): os.write(1, b'x' * 2**20)"
    assert shop.minipipe("run", str(shop.plan({"id": "line", "command": program(text)}))).code == 0
    shown = shop.minipipe("logs", "last", "line")
    assert shown.code == 0
    assert not {"\x1b", "\x07", "\x00", "\x9b"} & set(shown.output)
    assert len(shown.output) < 2 * MB


@pytest.mark.parametrize("output", ["x" * 300, "a/" * 3000])
def test_a_promise_that_cannot_be_checked_fails_its_step_alone(shop: Workshop, output: str) -> None:
    plan = shop.plan(
        shop.step("give", "giving"),
        shop.step("promise", depends_on=["give"], outputs=[output]),
        shop.step("other", depends_on=["give"]),
    )
    ended = shop.minipipe("run", str(plan))
    assert ended.code == 1, ended.errors
    states = {task["step_id"]: task["state"] for task in shop.document()["tasks"]}
    assert states == {"give": "completed", "promise": "failed", "other": "completed"}
    assert "too long" in json.dumps(shop.document())


@pytest.mark.parametrize(
    "text",
    [
        'mkfifo "$MINIPIPE_OUTPUT"',
        'mkdir "$MINIPIPE_OUTPUT"',
        'ln -s /dev/zero "$MINIPIPE_OUTPUT"',
        "printf '\\377\\376=x\\n' > \"$MINIPIPE_OUTPUT\"",
    ],
)
def test_values_that_are_no_file_fail_their_step(shop: Workshop, text: str) -> None:
    ended = shop.start("run", str(shop.plan({"id": "odd", "shell": text})))
    assert ended.finish(10) == 1
    (task,) = shop.document()["tasks"]
    assert (task["state"], task["attempts"][0]["outcome"]) == ("failed", "check_failed")
