"""Nothing that a repository or its settings say is ever started by our git."""

import os
from pathlib import Path

import pytest

from engine.errors import GitFailed
from engine.git.diffs import changes_between, patch_text
from engine.git.index import add_everything, private_index, write_tree
from engine.git.merging import merge
from engine.git.program import FENCE, Git
from tests.engine.repository import Repo


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "sang"


@pytest.fixture
def hostile(repo: Repo, canary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Repo:
    """A repository whose settings, hooks and attributes start a program wherever git lets them."""
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {canary}\ncat\n')
    program.chmod(0o755)
    hooks = repo.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in (
        "pre-commit",
        "post-commit",
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "post-index-change",
    ):
        (hooks / name).write_text(program.read_text())
        (hooks / name).chmod(0o755)
    settings = {
        **dict.fromkeys(
            ("core.fsmonitor", "core.sshCommand", "core.editor", "core.pager", "diff.external"), str(program)
        ),
        **dict.fromkeys(("filter.x.clean", "filter.x.smudge", "filter.x.process"), str(program)),
        **dict.fromkeys(("diff.x.textconv", "diff.x.command", "merge.x.driver", "gpg.program"), str(program)),
        "filter.x.required": "true",
        "core.hooksPath": str(hooks),
        "commit.gpgSign": "true",
        "core.attributesFile": str(tmp_path / "attributes"),
    }
    for name, value in settings.items():
        repo.git("config", name, value)
    (tmp_path / "attributes").write_text("* filter=x diff=x merge=x\n")
    (repo.root / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    return repo


def test_no_program_is_started_by_captures_diffs_and_merges(hostile: Repo, canary: Path) -> None:
    git = Git(hostile.root / ".git")
    hostile_files = {"a.txt": "one\n2\nthree\n", "new.txt": "n\n"}
    hostile.write(hostile_files)
    with private_index(git.at(work_tree=hostile.root), like=hostile.root / ".git" / "index") as own:
        add_everything(own)
        tree = write_tree(own)
    commit = git.line("commit-tree", "-p", hostile.base, "-m", "x", tree)
    other = git.line("commit-tree", "-p", hostile.base, "-m", "y", f"{hostile.base}^{{tree}}")
    assert {change.path for change in changes_between(git, hostile.base, commit)} == {
        *(b".gitattributes", b"a.txt", b"new.txt")
    }
    assert b"+2" in patch_text(git, hostile.base, commit)
    assert merge(git, other, commit).is_clean
    git.tell("update-ref", "refs/minipipe/x", commit)
    assert not canary.exists(), canary.read_text()


def test_without_the_fence_the_canary_sings(hostile: Repo, canary: Path) -> None:
    """The test above would find something if there were something to find."""
    hostile.write({"a.txt": "other\n"})
    hostile.git("add", "a.txt", check=False)
    assert canary.exists()


def test_outer_variables_do_not_lead_git_elsewhere(hostile: Repo) -> None:
    assert os.environ["GIT_DIR"] == "/nonexistent"
    assert Git(hostile.root / ".git").line("rev-parse", "main") == hostile.base


def test_drivers_that_are_configured_later_are_fenced_too(repo: Repo, canary: Path) -> None:
    git = Git(repo.root / ".git")
    git.line("rev-parse", "HEAD")
    (repo.root / ".gitattributes").write_text("* filter=late\n")
    repo.git("config", "filter.late.clean", f"touch {canary}; cat")
    with private_index(git.at(work_tree=repo.root), like=repo.root / ".git" / "index") as own:
        add_everything(own)
    assert not canary.exists()


def test_a_killed_git_has_answered_nothing(git: Git) -> None:
    with pytest.raises(GitFailed, match="ended by signal 9"):
        Git(git.git_folder, settings={"alias.die": "!kill -9 $PPID"}).tell("die")


def test_the_fence_names_each_setting_once() -> None:
    assert len({name.lower() for name in FENCE}) == len(FENCE)
