"""Every error ends as one line and an exit code, or as one JSON document."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import MinipipeError, NotFound, PlanError, Problem, Refused, StoreDamaged
from minipipe_tui.cli.boundary import guard

PROBLEMS = (
    Problem("$.steps[0].id", "must be a name", "use letters and digits", 3, 5),
    Problem("$.gates", "must be a list"),
)


def failing(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work


def run_minipipe(*words: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "minipipe_tui", *words]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("run", "run_x"), 2),
        (Refused("no"), 1),
        (StoreDamaged("state.db", "is not a database"), 5),
        (ValueError("odd"), 1),
        (KeyboardInterrupt(), 130),
        (SystemExit(0), 0),
    ],
)
def test_the_exit_code_says_what_kind_of_error_it_was(error: BaseException, code: int) -> None:
    assert guard(failing(error), []) == code


def test_an_error_is_one_line_and_a_hint_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(MinipipeError("it broke", hint="mend it")), [])
    out, err = capsys.readouterr()
    assert (out, err) == ("", "minipipe: it broke\n  → mend it\n")


def test_an_error_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(MinipipeError("it\nbroke \x1b[31m")), [])
    assert capsys.readouterr().err == "minipipe: it broke ^[[31m\n"


def test_with_json_an_error_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard(failing(NotFound("run", "run_x")), ["show", "run_x", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {
            "code": "NotFound",
            "message": "there is no run 'run_x'",
            "hint": "minipipe runs lists them",
        }
    }
    assert err == ""


def test_json_after_a_separator_is_not_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(MinipipeError("it broke")), ["run", "--", "--json"])
    assert capsys.readouterr().out == ""


def test_a_plan_error_shows_every_problem_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard(failing(PlanError(PROBLEMS, source="a.json")), []) == 2
    assert capsys.readouterr().err.splitlines() == [
        "a.json:3:5: $.steps[0].id: must be a name",
        "  → use letters and digits",
        "a.json: $.gates: must be a list",
        "minipipe: a.json: 2 problems",
    ]


def test_a_plan_error_in_json_lists_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(PlanError(PROBLEMS, source="a.json")), ["--json"])
    shown = json.loads(capsys.readouterr().out)
    assert shown["error"]["code"] == "PlanError"
    assert shown["valid"] is False
    assert shown["errors"] == [
        {
            "path": "$.steps[0].id",
            "line": 3,
            "column": 5,
            "message": "must be a name",
            "hint": "use letters and digits",
        },
        {"path": "$.gates", "line": None, "column": None, "message": "must be a list", "hint": ""},
    ]


def test_an_unexpected_error_is_one_line_and_names_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert guard(failing(ZeroDivisionError("by nothing")), []) == 1
    assert capsys.readouterr().err == ("minipipe: unexpected ZeroDivisionError: by nothing\n  → --debug shows where\n")


@pytest.mark.parametrize("error", [ValueError("odd"), MinipipeError("it broke")])
def test_debug_shows_the_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(error), ["states", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_debug_keeps_json_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    guard(failing(ValueError("odd")), ["--debug", "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "Unexpected"


def test_a_reader_that_goes_away_is_met_with_silence() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended = run_minipipe("states", "--json", stdout=write_end)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [["--version"], ["states"], ["states", "--json"]])
def test_a_full_disk_is_one_line(command: list[str]) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    ended = run_minipipe(*command, stdout=descriptor)
    os.close(descriptor)
    assert ended.returncode == 1
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_fine(closed: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'"$0" -m minipipe_tui states {closed}', sys.executable],
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_with_stderr_closed_an_error_does_not_stray_to_stdout() -> None:
    command = '"$0" -m minipipe_tui nonsense 2>&-'
    ended = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"")


def test_a_closed_stream_does_not_lend_its_number_to_a_file() -> None:
    script = (
        "import sys\nfrom minipipe_tui.cli.boundary import guard\n"
        "sys.exit(guard(lambda: open('/dev/zero').fileno() < 3, []))"
    )
    command = f'"$0" -c "{script}" <&- >&-'
    assert subprocess.run(["sh", "-c", command, sys.executable], check=False).returncode == 0


def test_a_locale_without_unicode_gets_ascii() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [sys.executable, "-m", "minipipe_tui", "states", "run"],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0
    assert b"-> running" in ended.stdout
