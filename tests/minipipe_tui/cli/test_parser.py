"""A parser with our manners, also for groups of actions."""

import argparse
from collections.abc import Iterator

import pytest

from engine.errors import UsageError
from minipipe_tui.cli import parser as parsers
from minipipe_tui.cli.commands import COMMANDS
from minipipe_tui.cli.parser import CommandParser, Later


@pytest.fixture
def group() -> CommandParser:
    parser = CommandParser("minipipe plan")
    parser.describe("Work on plans.", examples=["minipipe plan validate FILE"])
    validate = parser.add_actions().add_parser("validate", help="say what is wrong")
    validate.add_argument("plan", metavar="PLAN")
    validate.add_json_option()
    validate.set_defaults(run=lambda arguments: 0)
    return parser


def test_an_action_is_chosen_with_its_own_arguments(group: CommandParser) -> None:
    arguments = group.parse_args(["validate", "a.json", "--json"])
    assert (arguments.plan, arguments.json, arguments.run(arguments)) == ("a.json", True, 0)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "plan: the following arguments are required: ACTION", "minipipe plan -h"),
        (["validat"], "plan: argument ACTION: invalid choice: 'validat'", "minipipe plan -h"),
        (
            ["validate"],
            "plan validate: the following arguments are required: PLAN",
            "minipipe plan validate -h",
        ),
        (["validate", "a", "--jso"], "plan: unrecognized arguments: --jso", "minipipe plan -h"),
    ],
)
def test_wrong_usage_names_the_action_and_its_help(
    group: CommandParser, words: list[str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        group.parse_args(words)
    assert caught.value.message.startswith(message)
    assert caught.value.hint == hint


def test_help_is_no_wider_than_a_page_and_shows_examples(group: CommandParser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    group.describe("word " * 60, examples=["minipipe plan validate FILE"])
    text = group.format_help()
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith("examples:\n  minipipe plan validate FILE\n")
    assert "  validate  " in text


def test_a_narrow_terminal_gets_narrow_help(group: CommandParser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    parser = CommandParser("minipipe x")
    parser.add_argument("--option", help="a text that is quite a bit longer than forty columns")
    assert max(map(len, parser.format_help().splitlines())) <= 40


def test_every_argument_can_be_listed(group: CommandParser) -> None:
    assert any(isinstance(action, argparse._HelpAction) for action in group.arguments())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["A", "text"], ("A", "text", None)),
        (["A", "--line", "3", "text"], ("A", "text", 3)),
        (["--line", "3", "A", "text"], ("A", "text", 3)),
        (["text", "--line", "3"], (None, "text", 3)),
        (["A", "- a text with a dash", "--line", "3"], ("A", "- a text with a dash", 3)),
        (["A", "--", "text"], ("A", "text", None)),
        (["A", "--", "-1"], ("A", "-1", None)),
        (["--", "A", "--line"], ("A", "--line", None)),
        (["--line", "3", "--", "--line"], (None, "--line", 3)),
        (["A", "--line", "3", "--", "--line"], ("A", "--line", 3)),
    ],
)
def test_options_may_stand_between_arguments_of_which_some_are_left_out(
    words: list[str], found: tuple[str | None, str, int | None]
) -> None:
    group = CommandParser("minipipe review")
    comment = group.add_actions().add_parser("comment")
    comment.takes_options_between = True
    comment.add_argument("patch", nargs="?")
    comment.add_argument("text")
    comment.add_argument("--line", type=int)
    for _ in range(2):
        arguments = group.parse_args(["comment", *words])
        assert (arguments.patch, arguments.text, arguments.line) == found
    with pytest.raises(UsageError, match="review comment"):
        group.parse_args(["comment", "--line", "3"])
    with pytest.raises(UsageError):
        group.parse_args(["comment", "a", "b", "c"])


def actions_of(parser: CommandParser) -> Iterator[CommandParser]:
    for action in parser.arguments():
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def test_what_stands_after_two_dashes_is_no_option() -> None:
    group = CommandParser("minipipe plan")
    validate = group.add_actions().add_parser("validate")
    validate.add_argument("plan")
    validate.add_argument("--json", action="store_true")
    for words in (["--json", "--", "-odd.json"], ["--", "-odd.json"]):
        assert group.parse_args(["validate", *words]).plan == "-odd.json"


@pytest.mark.parametrize("name", [name for name, row in COMMANDS.items() if row.actions])
def test_every_action_of_a_group_has_a_function_that_exists(name: str) -> None:
    for parser in actions_of(parsers.build(COMMANDS[name], parsers.load(COMMANDS[name]))):
        run = parser.get_default("run")
        assert callable(run.find() if isinstance(run, Later) else run), parser.prog


def test_what_comes_later_is_only_looked_for_when_it_is_called() -> None:
    later = Later("minipipe_tui.cli.no_such_module", "run")
    with pytest.raises(ModuleNotFoundError):
        later(argparse.Namespace())
