"""`minipipe demo`: from nothing to a run that shows the ideas."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minipipe_tui.cli.demo import NEXT

Cli = Callable[..., Any]


@pytest.fixture
def hostile_home(tmp_path: Path) -> dict[str, str]:
    """A home whose git configuration would sign, refuse and ask."""
    home = tmp_path / "home"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\n hooksPath = {hooks}\n[init]\n templateDir = {hooks}\n[commit]\n gpgSign = true\n"
        "[gpg]\n program = /bin/false\n[user]\n useConfigOnly = true\n"
    )
    return {"HOME": str(home)}


def test_the_demo_shows_the_ways_of_a_change_and_what_to_do_next(
    there: Cli, tmp_path: Path, hostile_home: dict[str, str], here: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a demo"
    ended = there("demo", "--no-ui", "--dir", str(folder), cwd=tmp_path, env=hostile_home)
    assert ended.code == 0, ended.err
    assert "retrying fetch" in ended.err
    assert "review needed for publish" in ended.err
    assert f"cd '{folder}'" in ended.out
    monkeypatch.chdir(folder)
    _the_run_is_as_promised(here)
    before = git(folder, "log", "--format=%an %s")
    for words in (command.split()[1:] for command, _ in NEXT if command.startswith("minipipe ")):
        assert here(*words).code == 0, words
    assert here("show", "--json").document["promotion"]["state"] == "done"
    assert git(folder, "log", "--format=%an %s").splitlines()[-1:] == before.splitlines()
    assert "format" in git(folder, "log", "--format=%s")
    assert git(folder, "status", "--short") == ""


def _the_run_is_as_promised(here: Cli) -> None:
    document = here("show", "last", "--json").document
    assert (document["state"], document["exit_code"]) == ("paused", 3)
    tries = {task["step_id"]: [each["outcome"] for each in task["attempts"]] for task in document["tasks"]}
    assert tries["fetch"] == ["failed", "ok"]
    assert {patch["step_id"]: patch["state"] for patch in document["patches"]} == {
        "format": "committed",
        "discount": "committed",
        "shortcut": "quarantined",
        "publish": "awaiting_review",
    }


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("is_there", [True, False])
def test_where_the_program_is_not_on_the_path_the_demo_says_how_to_put_it_there(
    there: Cli, tmp_path: Path, is_there: bool
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "sleep", *(["minipipe"] if is_there else [])):
        (programs / name).symlink_to(shutil.which(name) or "/bin/true")
    ended = there("demo", "--dir", str(tmp_path / "demo"), cwd=tmp_path, env={"PATH": str(programs)})
    assert (f"export PATH={Path(sys.executable).parent}:$PATH" in ended.out) is not is_there


def test_a_folder_that_is_not_empty_is_refused(here: Cli, repo: Path) -> None:
    ended = here("demo", "--dir", str(repo))
    assert ended.code == 2
    assert "not empty" in ended.err


def test_a_file_is_no_folder(here: Cli, repo: Path) -> None:
    (repo / "file").touch()
    assert here("demo", "--dir", "file").code == 2


def test_without_git_the_demo_is_unfit(there: Cli, tmp_path: Path) -> None:
    ended = there("demo", "--dir", str(tmp_path / "demo"), env={"PATH": os.devnull})
    assert ended.code == 5
    assert "install git" in ended.err
