"""Refs move only from where they were believed to be."""

import subprocess
from pathlib import Path

import pytest
from git import Repo as PythonRepo

from engine.errors import GitFailed
from engine.git import refs
from engine.git.merging import merge
from engine.git.objects import tree_of, write_commit
from engine.git.program import Git
from engine.git.refs import create_ref, delete_ref, list_refs, move_ref, put_ref, read_ref
from tests.engine.repository import Repo

NAME = "refs/minipipe/runs/x"


@pytest.fixture
def commits(repo: Repo, git: Git) -> list[str]:
    tree = tree_of(git, repo.base)
    return [write_commit(git, tree, [repo.base], f"{number}\n") for number in range(3)]


def test_a_ref_is_made_once(git: Git, commits: list[str], second: PythonRepo) -> None:
    create_ref(git, NAME, commits[0])
    create_ref(git, NAME, commits[0])
    with pytest.raises(GitFailed, match="is at"):
        create_ref(git, NAME, commits[1])
    assert second.rev_parse(NAME).hexsha == commits[0] == read_ref(git, NAME)


def test_a_ref_that_was_moved_by_others_is_left(git: Git, commits: list[str]) -> None:
    create_ref(git, NAME, commits[0])
    assert move_ref(git, NAME, commits[1], commits[0])
    assert not move_ref(git, NAME, commits[2], commits[0])
    assert list_refs(git, refs.OURS) == {NAME: commits[1]}
    assert not delete_ref(git, NAME, commits[0])
    assert delete_ref(git, NAME, commits[1])
    assert delete_ref(git, NAME, commits[1])
    assert read_ref(git, NAME) is None


def test_what_the_ledger_says_is_put_wherever_the_ref_was(git: Git, commits: list[str]) -> None:
    for commit in commits:
        put_ref(git, NAME, commit)
        put_ref(git, NAME, commit)
        assert read_ref(git, NAME) == commit


def test_a_lock_of_somebody_else_is_waited_for_and_never_removed(
    repo: Repo, git: Git, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refs, "_TRIES", 3)
    create_ref(git, NAME, commits[0])
    lock = repo.root / ".git" / f"{NAME}.lock"
    lock.touch()
    with pytest.raises(GitFailed) as caught:
        move_ref(git, NAME, commits[1], commits[0])
    assert caught.value.retryable
    assert lock.exists()
    assert read_ref(git, NAME) == commits[0]


def test_only_one_of_many_movers_wins(repo: Repo, git: Git, commits: list[str]) -> None:
    create_ref(git, NAME, commits[0])
    movers = [
        subprocess.Popen(["git", "update-ref", NAME, commit, commits[0]], cwd=repo.root, stderr=subprocess.DEVNULL)
        for commit in commits[1:] * 3
    ]
    is_ours = move_ref(git, NAME, commits[2], commits[0])
    winners = [mover.wait() for mover in movers].count(0) + is_ours
    assert winners == 1


def test_a_merge_is_clean_or_names_what_conflicts(repo: Repo, git: Git) -> None:
    repo.git("checkout", "-q", "-b", "other")
    repo.write({"a.txt": "one\ntwo\nTHREE\n", "b b.txt": "x"})
    other = repo.commit("other")
    repo.git("checkout", "-q", "main")
    repo.write({"a.txt": "ONE\ntwo\nthree\n"})
    mine = repo.commit("mine")
    both = merge(git, mine, other)
    assert both.is_clean
    assert repo.git("show", f"{both.tree}:a.txt") == "ONE\ntwo\nTHREE"
    repo.write({"a.txt": "one\ntwo\n3\n"})
    third = repo.commit("third")
    merged = merge(git, third, other)
    assert merged.conflicts == (b"a.txt",)
    with pytest.raises(GitFailed):
        merge(git, "0" * 40, other)


def test_merging_touches_nothing(repo: Repo, git: Git, tmp_path: Path) -> None:
    before = repo.belongings()
    merge(git, repo.base, repo.base)
    assert repo.belongings() == before


def test_others_are_put_and_deleted_with_the_ref_that_moves(git: Git, commits: list[str]) -> None:
    old, new, patch = commits
    create_ref(git, NAME, old)
    create_ref(git, "refs/minipipe/candidates/x", new)
    others = {"refs/minipipe/candidates/x": None, "refs/minipipe/patches/x": patch}
    assert move_ref(git, NAME, new, old, others=others)
    assert list_refs(git, "refs/minipipe") == {NAME: new, "refs/minipipe/patches/x": patch}


def test_no_other_moves_where_the_ref_is_elsewhere(git: Git, commits: list[str]) -> None:
    old, new, patch = commits
    create_ref(git, NAME, new)
    create_ref(git, "refs/minipipe/candidates/x", new)
    others = {"refs/minipipe/candidates/x": None, "refs/minipipe/patches/x": patch}
    assert not move_ref(git, NAME, new, old, others=others)
    assert list_refs(git, "refs/minipipe") == {NAME: new, "refs/minipipe/candidates/x": new}


def test_another_that_is_gone_already_is_no_obstacle(git: Git, commits: list[str]) -> None:
    create_ref(git, NAME, commits[0])
    assert move_ref(git, NAME, commits[1], commits[0], others={"refs/minipipe/candidates/x": None})
    assert list_refs(git, "refs/minipipe") == {NAME: commits[1]}
