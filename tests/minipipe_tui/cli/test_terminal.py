"""A real terminal of 80 columns and 24 lines: what a person sees while a plan runs, and what Ctrl-C does."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

MINIPIPE = f"{shlex.quote(sys.executable)} -m minipipe_tui"

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


class Terminal:
    """A tmux server of our own with one window."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._tmux = ["tmux", "-f", "/dev/null", "-S", str(socket)]
        self._folder = folder

    def begin(self, environ: dict[str, str]) -> None:
        size = ("-x", "80", "-y", "24")
        shell = "env PS1='$ ' /bin/sh"
        subprocess.run(
            [*self._tmux, "new-session", "-d", *size, "-c", str(self._folder), shell],
            env={**environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"},
            check=True,
        )

    def type(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def screen(self, *, with_styles: bool = False) -> str:
        words = [*self._tmux, "capture-pane", "-p", *(["-e"] if with_styles else [])]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.rstrip()

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path, repo: Path, environ: dict[str, str]) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "tmux", repo)
    made.begin(environ)
    yield made
    made.end()


def test_progress_is_live_fits_and_ctrl_c_cancels(terminal: Terminal, plan: Cli, here: Cli, eventually: Cli) -> None:
    many = [{"id": f"step-with-a-rather-long-name-{number}", "command": ["true"]} for number in range(38)]
    forever = {"id": "forever", "shell": "sleep 600", "depends_on": [step["id"] for step in many]}
    name = plan(*many, forever, {"id": "tidy", "finally": True, "shell": "echo tidy"})
    terminal.type(f"clear; {MINIPIPE} run {name}; echo code=$?", "Enter")
    shown = eventually(
        lambda: (text := terminal.screen()) and "38 of 40 done, 1 running" in text and text, "live progress"
    )
    lines = shown.splitlines()
    assert len(lines) <= 24
    assert any("forever" in line and "running" in line for line in lines)
    assert "Ctrl-C cancels" in lines[-1]
    terminal.type("C-c")
    shown = eventually(lambda: (text := terminal.screen()) and "code=130" in text and text, "the end")
    assert "Traceback" not in shown
    document = here("show", "last", "--json").document
    states = {task["step_id"]: task["state"] for task in document["tasks"]}
    assert document["state"] == "canceled"
    assert (states["forever"], states["tidy"]) == ("canceled", "completed")


@pytest.mark.parametrize(("prefix", "is_coloured"), [("", True), ("NO_COLOR=1 ", False), ("TERM=dumb ", False)])
def test_colour_is_shown_unless_it_is_unwanted(
    terminal: Terminal, plan: Cli, eventually: Cli, prefix: str, is_coloured: bool
) -> None:
    name = plan({"id": "ok", "command": ["true"]})
    terminal.type(f"clear; {prefix}{MINIPIPE} run {name}; echo code=$?", "Enter")
    eventually(lambda: "code=0" in terminal.screen(), "the end")
    green = "\x1b[32m"
    assert (green in terminal.screen(with_styles=True)) is is_coloured
    assert terminal.screen().count("completed") == (2 if "dumb" in prefix else 1)


def test_a_review_on_a_terminal_is_coloured_fits_and_obeys_nothing(
    terminal: Terminal, reviewed: Cli, eventually: Cli
) -> None:
    evil = r"""printf 'a\033[2J\033]0;owned\007b\n' > "$(printf 'odd\033[31mname')"; echo > 'a long name'"""
    patch_id = reviewed(**{"a-step-with-a-rather-long-name": evil})["a-step-with-a-rather-long-name"]
    terminal.type(f"clear; {MINIPIPE} review list; echo code=$?", "Enter")
    shown = eventually(lambda: (text := terminal.screen()) and "code=0" in text and text, "the queue")
    lines = shown.splitlines()
    assert lines[2:] == ["  the plan asks for review", "code=0", "$"], shown
    assert patch_id[:18] in lines[1]
    assert "[+2 files, +2 -0 lines]" in lines[1]
    terminal.type(f"clear; {MINIPIPE} review show last; echo shown=$?", "Enter")
    shown = eventually(lambda: (text := terminal.screen()) and "shown=0" in text and text, "the patch")
    assert "+a^[[2J^[]0;owned^Gb" in shown
    assert "\x1b[32m+a^[[2J" in terminal.screen(with_styles=True)
