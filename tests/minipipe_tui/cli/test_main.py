"""The door: which command, what help, what version."""

import json
import subprocess
import sys

import pytest

from engine import __version__
from minipipe_tui.cli import parser as parsers
from minipipe_tui.cli.commands import COMMANDS, GROUPS, Command
from minipipe_tui.cli.grammar import grammar
from minipipe_tui.cli.main import main


@pytest.mark.parametrize("words", [["--version"], ["--debug", "--version"]])
def test_version_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"minipipe {__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command_within_eighty_columns(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["{} -h", "{} --help", "help {}"])
def test_every_command_explains_itself_with_an_example(
    name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(form.format(name).split()) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: minipipe {name}")
    assert f"minipipe {name}" in out.partition("examples:")[2]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("row", COMMANDS.values(), ids=lambda row: row.name)
def test_every_row_of_the_table_names_a_group_and_a_working_module(row: Command) -> None:
    assert row.group in GROUPS
    assert parsers.build(row, parsers.load(row)).prog == f"minipipe {row.name}"
    assert len(row.help) <= 64


def test_an_unknown_command_is_wrong_usage_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sates"]) == 2
    assert "did you mean 'states'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("validate", "plan validate"),
        ("valdate", "plan validate"),
        ("backup", "db backup"),
        ("x/y.json", "run x/y.json"),
    ],
)
def test_an_action_or_a_plan_alone_is_answered_with_the_whole_command(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([given]) == 2
    assert f"did you mean {meant!r}?" in capsys.readouterr().err


def test_the_table_names_the_actions_that_there_are() -> None:
    places = {place.path: place for place in grammar()}
    for row in COMMANDS.values():
        assert row.actions == tuple(name for name, _ in places[(row.name,)].children)


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["states", "--nonsense"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--nonsense" in err
    assert "minipipe states -h" in err


def test_wrong_usage_with_json_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "states", "--nonsense"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "UsageError"


@pytest.mark.parametrize("words", [["--nonsense"], ["--json"]])
def test_options_without_a_command_are_wrong_usage(words: list[str]) -> None:
    assert main(words) == 2


def test_options_are_never_abbreviated() -> None:
    assert main(["states", "--js"]) == 2


@pytest.mark.parametrize("words", [["--json", "states", "run"], ["states", "--debug", "run", "--json"]])
def test_json_and_debug_may_stand_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "run" in json.loads(capsys.readouterr().out)


def test_the_package_can_be_run() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "minipipe_tui", "--version"], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"minipipe {__version__}\n"
