"""What a fresh interpreter loads: a command pays only for what it uses.

To have a new command watched, add a row to COMMAND_LINES, or to LOOKS if it only looks at what there is.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minipipe_tui.cli.commands import COMMANDS

HERE = Path(__file__).parent

HEAVY = {"textual", "rich", "pydantic"}

# What carries runs out. Whoever only looks needs none of it.
RUNTIME = {"engine.orchestrator", "engine.executor"}

# Command lines that must work, in any folder, without one of the heavy libraries.
COMMAND_LINES = [
    ["--version"],
    ["--help"],
    ["states"],
    ["states", "--json"],
    ["completion", "bash"],
    ["runs"],
    ["status", "--json"],
    ["doctor"],
    ["no-such-command"],
]

# Command lines that look at what a run has left: they load nothing heavy, and nothing that could run a plan.
LOOKS = [
    ["runs"],
    ["show"],
    ["status"],
    ["events"],
    ["logs", "last", "change"],
    ["review", "list"],
    ["review", "show", "last"],
    ["patch", "list"],
    ["patch", "list", "--ids"],
    ["patch", "show", "last", "--diff"],
    ["patch", "stats", "last"],
    ["patch", "stats", "--run", "last"],
    ["patch", "export", "last", "--format", "mail"],
    ["worktree", "list"],
    ["db", "check"],
    ["review", "-h"],
    ["patch", "rollback", "-h"],
    ["worktree", "prune", "-h"],
]

# Everything that `--version` may load of ours.
LIGHT = {"engine", "minipipe_tui", "minipipe_tui.cli", "minipipe_tui.cli.boundary", "minipipe_tui.cli.main"}


def modules_after(statement: str, *, folder: Path = HERE) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    script = f"import json, os, sys\n{statement}\nprint(json.dumps(list(sys.modules)), file=sys.__stderr__)"
    environ = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return set(json.loads(ended.stderr.splitlines()[-1]))


def heavy(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules} & HEAVY


@pytest.mark.parametrize("words", COMMAND_LINES, ids=" ".join)
def test_a_command_loads_nothing_heavy(words: list[str]) -> None:
    assert not heavy(modules_after(f"from minipipe_tui.cli.main import main\nmain({words!r})"))


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which a plan was run, whose change waits for review."""
    folder = tmp_path_factory.mktemp("used")
    plan = {"version": "1.0", "plan_id": "p", "steps": [{"id": "change", "shell": "echo > a", "review": "always"}]}
    (folder / "p.json").write_text(json.dumps(plan))
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false")
    for words in (["init", "-q", "--template="], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    environ = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, "-m", "minipipe_tui", "run", "p.json", "--json"]
    assert subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False).returncode == 3
    return folder


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_whoever_only_looks_loads_nothing_that_could_run_a_plan(words: list[str], used: Path) -> None:
    modules = modules_after(f"from minipipe_tui.cli.main import main\nassert main({words!r}) == 0", folder=used)
    assert not heavy(modules)
    assert not modules & RUNTIME


@pytest.mark.parametrize("name", COMMANDS)
def test_building_a_parser_loads_nothing_heavy(name: str) -> None:
    assert not heavy(
        modules_after(
            "from minipipe_tui.cli import parser\nfrom minipipe_tui.cli.commands import COMMANDS\n"
            f"row = COMMANDS[{name!r}]\nparser.build(row, parser.load(row))"
        )
    )


def test_the_version_is_a_constant() -> None:
    modules = modules_after("from minipipe_tui.cli.main import main\nmain(['--version'])")
    assert {module for module in modules if module.startswith(("engine", "minipipe_tui"))} == LIGHT
    assert not modules & {"argparse", "dataclasses", "typing", "re", "pathlib"} - modules_after("pass")


def test_help_imports_no_command() -> None:
    modules = modules_after("from minipipe_tui.cli.main import main\nmain(['--help'])")
    assert not modules & {row.module for row in COMMANDS.values()}


def test_one_command_imports_no_other() -> None:
    modules = modules_after("from minipipe_tui.cli.main import main\nmain(['states'])")
    assert modules & {row.module for row in COMMANDS.values()} == {COMMANDS["states"].module}


def test_progress_loads_rich_only_for_a_live_picture() -> None:
    assert not heavy(modules_after("from minipipe_tui.cli.progress import progress\nprogress([])"))
    live = "from minipipe_tui.cli.progress import LiveProgress\nLiveProgress([])"
    assert heavy(modules_after(live)) == {"rich"}


def test_a_table_in_a_pipe_reads_no_theme() -> None:
    modules = modules_after("from minipipe_tui.cli.table import state_cell\nstate_cell('failed')")
    assert not modules & {"tomllib", "minipipe_tui.cli.theme"}


def test_the_watch_itself_notices() -> None:
    assert heavy(modules_after("import rich.text")) == {"rich"}
    assert modules_after("import engine.api") >= RUNTIME
