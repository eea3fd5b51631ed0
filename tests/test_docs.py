"""The docs keep up with the program: everything is documented, made pages are up to date, examples are valid."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.config.keys import describe_config
from engine.errors import ExitCode
from engine.events.catalogue import CATALOGUE
from engine.plan import document
from engine.plan.load import parse_plan
from minipipe_tui.cli import parser as parsers
from minipipe_tui.cli.commands import COMMANDS
from minipipe_tui.cli.grammar import grammar

DOCS = Path(__file__).parent.parent / "docs"

_NAMES = {"is_finally": "finally", "finals": "finally"}
FORMS = [
    *(document.PlanForm, document.GlobalsForm, document.StepForm, document.VariableForm),
    *(document.BackoffForm, document.ResourcesForm),
]


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "configuration.md", "events.md"])
def test_a_made_page_is_up_to_date(name: str) -> None:
    assert text(name) == generator().PAGES[name](), "run: python docs/generate.py"


def test_every_command_and_action_is_documented() -> None:
    page = text("commands.md")
    for place in grammar():
        words = " ".join(("minipipe", *place.path))
        assert not place.path or f"# `{words}`" in page, words


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_every_option_is_documented(command: Any) -> None:
    section = text("commands.md").partition(f"### `minipipe {command.name}`")[2].partition("\n### ")[0]
    for action in parsers.build(command, parsers.load(command)).arguments():
        assert all(option in section for option in action.option_strings if option not in ("-h", "--help"))


def test_every_exit_code_is_documented() -> None:
    page = text("commands.md")
    assert all(f"| {code:d} |" in page for code in ExitCode)


@pytest.mark.parametrize("key", [row[0] for row in describe_config()])
def test_every_setting_is_documented(key: str) -> None:
    assert f"| `{key}` |" in text("configuration.md")


def test_every_event_type_is_documented() -> None:
    page = text("events.md")
    assert not [name for name in CATALOGUE if f"| `{name}` |" not in page]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_key_of_a_plan_is_documented(form: Any) -> None:
    page = text("plans.md")
    assert not [key for key in form.__annotations__ if f"`{_NAMES.get(key, key)}`" not in page]


def blocks(name: str, language: str) -> Iterator[str]:
    return (match[1] for match in re.finditer(rf"```{language}\n(.*?)```", text(name), re.DOTALL))


@pytest.mark.parametrize("example", list(blocks("plans.md", "json")))
def test_every_example_of_a_plan_is_valid(example: str) -> None:
    assert parse_plan(example).plan_id == json.loads(example)["plan_id"]


def test_every_command_line_in_the_docs_names_a_command() -> None:
    for page in DOCS.glob("*.md"):
        for line in re.findall(r"`(minipipe [a-z][^`]*)`", page.read_text(encoding="utf-8")):
            assert shlex.split(line)[1] in COMMANDS, f"{page.name}: {line}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"
