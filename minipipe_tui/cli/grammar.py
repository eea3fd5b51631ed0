"""What may stand where on a command line, read from the commands' real parsers.

What a value completes to follows from its choices, or else from its metavar: PLAN, FILE, DIR and PATH are
files, RUN is a run's id, PATCH a patch's; anything else is the person's own word.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from minipipe_tui.cli import parser as parsers
from minipipe_tui.cli.commands import COMMANDS
from minipipe_tui.cli.parser import CommandParser

FILES = "@files"
RUNS = "@runs"
PATCHES = "@patches"

_METAVARS = {"PLAN": FILES, "FILE": FILES, "DIR": FILES, "PATH": FILES, "RUN": RUNS, "PATCH": PATCHES}


class Option(NamedTuple):
    """An option and, if it takes a value, what that completes to: FILES, RUNS, PATCHES, words, or nothing known."""

    names: tuple[str, ...]
    help: str
    takes_value: bool = False
    value: str = ""


class Place(NamedTuple):
    """A command or an action of a group: what may follow it. `path` is empty for the program itself."""

    path: tuple[str, ...]
    children: tuple[tuple[str, str], ...]
    """The commands or actions below, with a line about each."""
    options: tuple[Option, ...]
    value: str
    """What the arguments complete to; where they differ, all of it."""


def grammar() -> list[Place]:
    """Every place of the command line, the program itself first."""
    options = (Option(("-h", "--help"), "help"), Option(("--version",), "the version"))
    places = [Place((), tuple((row.name, row.help) for row in COMMANDS.values()), options, "")]
    for row in COMMANDS.values():
        places.extend(_places((row.name,), parsers.build(row, parsers.load(row))))
    return places


def _places(path: tuple[str, ...], parser: CommandParser) -> Iterator[Place]:
    """A parser and those of its actions."""
    shown = [action for action in parser.arguments() if action.help != argparse.SUPPRESS]
    groups = [action for action in shown if isinstance(action, argparse._SubParsersAction)]
    values = (_value(action) for action in shown if not action.option_strings and action not in groups)
    yield Place(
        path,
        tuple((choice.dest, choice.help or "") for group in groups for choice in group._choices_actions),
        tuple(_option(action) for action in shown if action.option_strings),
        " ".join(value for value in values if value),
    )
    for group in groups:
        for name, below in group.choices.items():
            yield from _places((*path, name), below)


def _option(action: argparse.Action) -> Option:
    takes_value = action.nargs != 0
    return Option(tuple(action.option_strings), action.help or "", takes_value, _value(action) if takes_value else "")


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return " ".join(map(str, action.choices))
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return _METAVARS.get(metavar, "")
