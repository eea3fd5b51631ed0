"""Refs that move together: all of them, or none."""

import subprocess
from pathlib import Path

import pytest

from engine.git.program import Git
from engine.git.refs import list_refs, move_ref, put_ref

ZEROS = "0" * 40


def told(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> list[str]:
    told(tmp_path, "init", "--quiet")
    for text in ("one", "two"):
        told(tmp_path, "commit", "--quiet", "--allow-empty", "-m", text)
    return told(tmp_path, "rev-list", "HEAD").split()


@pytest.fixture
def git(commits: list[str], tmp_path: Path) -> Git:
    return Git(tmp_path / ".git")


def ours(git: Git) -> dict[str, str]:
    return list_refs(git, "refs/minipipe")


def test_others_are_put_and_deleted_with_the_ref_that_moves(git: Git, commits: list[str]) -> None:
    new, old = commits
    put_ref(git, "refs/minipipe/head", old)
    put_ref(git, "refs/minipipe/candidate", new)
    others = {"refs/minipipe/candidate": None, "refs/minipipe/patch": old}
    assert move_ref(git, "refs/minipipe/head", new, old, others=others)
    assert ours(git) == {"refs/minipipe/head": new, "refs/minipipe/patch": old}


def test_no_other_moves_where_the_ref_is_elsewhere(git: Git, commits: list[str]) -> None:
    new, old = commits
    put_ref(git, "refs/minipipe/head", new)
    put_ref(git, "refs/minipipe/candidate", new)
    others = {"refs/minipipe/candidate": None, "refs/minipipe/patch": old}
    assert not move_ref(git, "refs/minipipe/head", new, old, others=others)
    assert ours(git) == {"refs/minipipe/head": new, "refs/minipipe/candidate": new}


def test_another_that_is_gone_already_is_no_obstacle(git: Git, commits: list[str]) -> None:
    assert move_ref(git, "refs/minipipe/head", commits[0], ZEROS, others={"refs/minipipe/candidate": None})
    assert ours(git) == {"refs/minipipe/head": commits[0]}


def test_a_ref_is_put_wherever_it_was(git: Git, commits: list[str]) -> None:
    for commit in (commits[0], commits[1], commits[1]):
        put_ref(git, "refs/minipipe/patch", commit)
        assert ours(git) == {"refs/minipipe/patch": commit}
