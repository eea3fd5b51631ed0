"""The parser of a command: argparse with our manners.

Wrong usage is a `UsageError` like any other error, options are never abbreviated (so that adding one breaks
nobody), and help shows examples. What an argument completes to follows from its `metavar` (`completion.py`).
"""

import argparse
import os
import textwrap
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn, Protocol, cast

from engine.errors import UsageError
from minipipe_tui.cli.commands import Command


class CommandModule(Protocol):
    """What every module in the table of commands offers; of a group each action has its own `run`."""

    def add_arguments(self, parser: "CommandParser") -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


class Later(NamedTuple):
    """The function that carries an action out, imported only when it is called.

    So looking stays quick beside actions of the same command that need the whole engine.
    """

    module: str
    function: str

    def __call__(self, arguments: argparse.Namespace) -> int:
        return self.find()(arguments)

    def find(self) -> Callable[[argparse.Namespace], int]:
        return cast(Callable[[argparse.Namespace], int], getattr(import_module(self.module), self.function))


class _PlainWord(str):
    """A word that is no option, whatever it begins with."""

    __slots__ = ()


def _with_plain_words(words: Sequence[str]) -> list[str]:
    """What stands after `--` is told once: argparse forgets it where a parser is one of a group, or parses twice."""
    place = next((place for place, word in enumerate(words) if word == "--" and not isinstance(word, _PlainWord)), None)
    return list(words) if place is None else [*words[:place], *map(_PlainWord, words[place + 1 :])]


class _HelpLayout(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal but never wider than a page."""

    def __init__(self, prog: str) -> None:
        columns = os.environ.get("COLUMNS", "")
        super().__init__(prog, max_help_position=26, width=min(int(columns) if columns.isdecimal() else 80, 80))

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment  # The actions of a group stand further in.


class CommandParser(argparse.ArgumentParser):
    """A parser that raises what the boundary understands."""

    def __init__(self, prog: str | None = None, **options: object) -> None:
        settings = {"allow_abbrev": False, "formatter_class": _HelpLayout, **options}
        super().__init__(prog, **settings)  # type: ignore[arg-type]
        self._positionals.title = "arguments"
        self.takes_options_between = False
        """Whether options may stand between arguments of which some may be left out."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = _with_plain_words(args or ())
        if not self.takes_options_between:
            return super().parse_known_args(words, namespace)
        self.takes_options_between = False  # What follows comes back here, for the options and then for the rest.
        try:
            return self.parse_known_intermixed_args(words, namespace)
        finally:
            self.takes_options_between = True

    def _parse_optional(self, arg_string: str) -> Any:
        return None if isinstance(arg_string, _PlainWord) else super()._parse_optional(arg_string)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('minipipe ')}: {message}", hint=f"{self.prog} -h")

    def describe(self, text: str, *, examples: Sequence[str] = ()) -> None:
        """Say what the command does, in a sentence or two, and show how it is called."""
        self.description = textwrap.fill(text, 78)
        if examples:
            self.epilog = "examples:\n" + "\n".join(f"  {example}" for example in examples)

    def add_json_option(self) -> None:
        self.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")

    def add_actions(self) -> "argparse._SubParsersAction[CommandParser]":
        """Make this command a group; each action sets its own `run` with `set_defaults(run=…)`."""
        return self.add_subparsers(title="actions", metavar="ACTION", required=True)

    def arguments(self) -> Sequence[argparse.Action]:
        """Everything that the parser takes, options and others."""
        return self._actions


def load(command: Command) -> CommandModule:
    return cast(CommandModule, import_module(command.module))


def build(command: Command, module: CommandModule) -> CommandParser:
    """The whole parser of one command; what it reads has the function to call as `run`."""
    parser = CommandParser(f"minipipe {command.name}", description=command.help)
    if not command.actions:
        parser.set_defaults(run=module.run)
    module.add_arguments(parser)
    return parser
