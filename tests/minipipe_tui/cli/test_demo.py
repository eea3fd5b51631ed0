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


def test_the_demo_shows_changes_on_their_way_and_what_to_do_next(
    there: Cli, tmp_path: Path, hostile_home: dict[str, str], here: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a demo"
    ended = there("demo", "--no-ui", "--dir", str(folder), cwd=tmp_path, env=hostile_home)
    assert ended.code == 0, ended.err
    assert "retrying fetch" in ended.err
    assert f"cd '{folder}'" in ended.out
    advice = ended.out.partition("What happened")[2].replace(str(folder), "").splitlines()
    assert max(len(line) for line in advice if "export PATH" not in line) <= 80
    monkeypatch.chdir(folder)
    document = here("show", "last", "--json").document
    assert (document["state"], document["pause_reason"]) == ("paused", "review")
    patches = {patch["step_id"]: patch["state"] for patch in document["patches"]}
    assert patches == {
        "format": "committed",
        "discount": "committed",
        "shortcut": "quarantined",
        "publish": "awaiting_review",
    }
    assert _log(folder) == ["minipipe demo A small shop, and a plan for it"]
    _follow_the_advice(folder, here)


def _follow_the_advice(folder: Path, here: Cli) -> None:
    for words in (command.split() for command, _ in NEXT):
        if words[0] == "minipipe":
            assert here(*words[1:]).code == 0, words
    assert _log(folder)[::-1] == [
        "minipipe demo A small shop, and a plan for it",
        "minipipe demo A shop, tidied up: Strip blanks at the ends of lines",
        "minipipe demo A shop, tidied up: Add a discount",
        "minipipe demo A shop, tidied up: Publish by CI",
    ]
    status = subprocess.run(["git", "status", "--short"], cwd=folder, capture_output=True, text=True, check=True)
    assert status.stdout == ""
    assert "discount()" in (folder / "lib" / "price.sh").read_text()


def _log(folder: Path) -> list[str]:
    log = subprocess.run(["git", "log", "--format=%an %s"], cwd=folder, capture_output=True, text=True, check=True)
    return log.stdout.splitlines()


@pytest.mark.parametrize("is_there", [True, False])
def test_where_the_program_is_not_on_the_path_the_demo_says_how_to_put_it_there(
    there: Cli, tmp_path: Path, is_there: bool
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "sleep", "sed", "mv", "mkdir", *(["minipipe"] if is_there else [])):
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
