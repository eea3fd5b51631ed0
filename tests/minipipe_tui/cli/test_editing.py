"""Approving a part: by file, by hunk, and edited in an editor that is a script."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

TWO = "echo one > 1.txt; echo two > 2.txt"


@pytest.fixture
def patch_id(reviewed: Cli) -> str:
    return str(reviewed(one=TWO)["one"])


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes $EDITOR a Python line with `path`; it has arguments and blanks in its name."""
    monkeypatch.delenv("VISUAL", raising=False)
    program = tmp_path / "my editor"

    def write(line: str) -> None:
        program.write_text(f"#!{sys.executable}\nimport sys, pathlib\npath = pathlib.Path(sys.argv[2])\n{line}\n")
        program.chmod(0o755)

    monkeypatch.setenv("EDITOR", f"'{program}' --wait")
    return write


def committed_files(here: Cli, repo: Path) -> dict[str, str]:
    """What the run's branch holds."""
    head = here("show", "--json").document["head_commit"]
    names = subprocess.run(
        ["git", "ls-tree", "--name-only", head], cwd=repo, capture_output=True, text=True, check=True
    ).stdout.split()
    show = ("git", "cat-file", "blob")
    return {
        name: subprocess.run([*show, f"{head}:{name}"], cwd=repo, capture_output=True, text=True, check=True).stdout
        for name in names
    }


def kept(repo: Path) -> list[Path]:
    return sorted((repo / ".minipipe" / "runs").glob("*/patches/*.edited.diff"))


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (("--file", "2.txt"), {"2.txt": "two\n"}),
        (("--hunks", "1"), {"1.txt": "one\n"}),
        (("--hunks", "1", "--file", "2.txt"), {"2.txt": "two\n"}),
        (("--hunks", "1-2"), {"1.txt": "one\n", "2.txt": "two\n"}),
    ],
)
def test_only_what_is_chosen_goes_on(
    patch_id: str, here: Cli, repo: Path, words: tuple[str, ...], files: dict[str, str]
) -> None:
    assert here("review", "approve", patch_id, *words).code == 0
    assert here("resume", "last", "--json").code == 0
    assert committed_files(here, repo) == files
    part = here("patch", "show", "last", "--json").document
    assert (part["state"], part["parent_patch_id"]) == ("committed", patch_id)
    assert here("patch", "show", patch_id, "--json").document["superseded_by"] == part["patch_id"]


def test_what_is_left_out_can_be_sent_back(reviewed: Cli, here: Cli, repo: Path) -> None:
    shell = f'if [ -n "$MINIPIPE_FEEDBACK" ]; then echo better > 2.txt; else {TWO}; fi'
    patch_id = reviewed(one=shell)["one"]
    assert here("review", "approve", patch_id, "--file", "1.txt", "--send-back", "--comment", "2 is bad").code == 0
    assert here("resume", "last").code == 3
    assert here("review", "approve", "last").code == 0
    assert here("resume", "last").code == 0
    assert committed_files(here, repo) == {"1.txt": "one\n", "2.txt": "better\n"}


def test_an_edited_diff_goes_on_instead(patch_id: str, here: Cli, repo: Path, editor: Cli) -> None:
    editor("path.write_bytes(path.read_bytes().replace(b'+two', b'+zwei'))")
    ended = here("review", "approve", patch_id, "--edit")
    assert ended.code == 0, ended.err
    (path,) = kept(repo)
    assert path.name == f"{patch_id}.1.edited.diff"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"+zwei" in path.read_bytes()
    assert not list(path.parent.glob("edit-*"))
    # What was approved is what was seen then, whatever becomes of the text.
    path.write_bytes(path.read_bytes().replace(b"+zwei", b"+three"))
    assert (repo / ".git" / "refs" / "minipipe" / "edits" / patch_id).is_file()
    assert here("resume", "last").code == 0
    assert committed_files(here, repo) == {"1.txt": "one\n", "2.txt": "zwei\n"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "nothing was changed"),
        ("path.write_bytes(b'  \\n')", "empty"),
        ("sys.exit(3)", "exit code 3"),
        ("path.unlink()", "gone"),
    ],
)
def test_an_edit_that_says_nothing_decides_nothing(
    patch_id: str, here: Cli, repo: Path, editor: Cli, line: str, says: str
) -> None:
    editor(line)
    refused = here("review", "approve", patch_id, "--edit")
    assert refused.code == 1
    assert says in refused.err
    assert kept(repo) == []
    assert here("review", "list", "--json").document["patches"][0]["review"]["review_status"] == "pending"


def test_an_edit_that_does_not_apply_is_refused_and_kept(patch_id: str, here: Cli, repo: Path, editor: Cli) -> None:
    for _ in range(2):
        editor("path.write_bytes(path.read_bytes().replace(b'@@ -0,0 +1 @@', b'@@ -5,2 +1 @@'))")
        refused = here("review", "approve", patch_id, "--edit", "--json")
        assert refused.code == 1, refused
        hint = refused.document["error"]["hint"]
        assert hint == f"your text is kept: {kept(repo)[-1]}"
    assert [path.name for path in kept(repo)] == [f"{patch_id}.{number}.edited.diff" for number in (1, 2)]
    assert here("review", "list", "--json").document["patches"][0]["review"]["review_status"] == "pending"


def test_an_edit_that_leads_out_of_the_repository_is_refused(patch_id: str, here: Cli, editor: Cli) -> None:
    editor("path.write_bytes(path.read_bytes().replace(b'2.txt', b'../2.txt'))")
    assert here("review", "approve", patch_id, "--edit").code == 1
    assert here("review", "list", "--json").document["patches"][0]["review"]["review_status"] == "pending"


def test_without_terminal_and_editor_there_is_no_edit(
    patch_id: str, there: Cli, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = there("review", "approve", patch_id, "--edit", env={"EDITOR": "", "VISUAL": "vi"})
    assert ended.code == 2
    assert "EDITOR" in ended.err


def test_what_an_editor_prints_never_mixes_with_the_document(patch_id: str, there: Cli, editor: Cli) -> None:
    editor("print('editor here'); path.write_bytes(path.read_bytes().replace(b'+two', b'+zwei'))")
    ended = there("review", "approve", patch_id, "--edit", "--json", env={"EDITOR": os.environ["EDITOR"]})
    assert ended.code == 0
    assert ended.document["patch_id"] == patch_id
    assert "editor here" in ended.err


def test_an_editor_that_is_not_there_is_told(patch_id: str, here: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "no-such-editor")
    refused = here("review", "approve", patch_id, "--edit")
    assert refused.code == 1
    assert "no-such-editor" in refused.err
    monkeypatch.setenv("EDITOR", "'broken")
    assert here("review", "approve", patch_id, "--edit").code == 2
