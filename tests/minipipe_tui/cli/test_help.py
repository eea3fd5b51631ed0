"""What `-h` shows, of every command and of every action of a group."""

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from minipipe_tui.cli import parser as parsers
from minipipe_tui.cli.commands import COMMANDS
from minipipe_tui.cli.parser import CommandParser


def every_parser() -> Iterator[CommandParser]:
    for command in COMMANDS.values():
        parser = parsers.build(command, parsers.load(command))
        yield parser
        for action in parser.arguments():
            if isinstance(action, argparse._SubParsersAction):
                yield from action.choices.values()


PARSERS = {parser.prog: parser for parser in every_parser()}


def examples(parser: CommandParser) -> list[str]:
    """The command lines of ours in the examples, without what the shell does with their output."""
    return [found[0].strip() for found in re.finditer(r"minipipe [^|>#)\n]+", parser.epilog or "")]


@pytest.mark.parametrize("name", PARSERS)
def test_help_says_what_it_does_shows_it_and_fits_a_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = PARSERS[name]
    assert (parser.description or "").endswith(".")
    assert examples(parser)
    assert max(map(len, parser.format_help().splitlines())) <= 80


@pytest.mark.parametrize("name", PARSERS)
def test_examples_can_be_pasted(name: str) -> None:
    for example in examples(PARSERS[name]):
        _, command, *words = shlex.split(example)
        row = COMMANDS[command]
        assert callable(parsers.build(row, parsers.load(row)).parse_args(words).run), example
        assert not re.search("_[0-9]", example), "an id that nobody has"
