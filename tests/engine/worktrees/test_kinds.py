"""Repositories of every kind give worktrees, and keep all that is theirs."""

import os
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit, UserError
from engine.worktrees.manager import WorktreeManager
from engine.worktrees.places import place_of
from engine.worktrees.pool import WorktreePool
from tests.engine.worktrees.conftest import (
    Repository,
    assert_exactly,
    content,
    expected,
    git,
    users_things,
)


def claims_work(git_folder: Path, trees: Path, commit: str, wanted: dict[str, tuple[str, str]]) -> None:
    pool = WorktreePool(git_folder, place_of(trees, git_folder))
    for _ in range(2):
        with pool.claim(commit, run_id="r", step_id="s") as worktree:
            assert_exactly(worktree, commit, wanted)
            (worktree.path / "litter").write_text("x")


def test_a_bare_repository(repository: Repository, tmp_path: Path) -> None:
    wanted = expected(repository, repository.second, tmp_path / "clone")
    bare = tmp_path / "shop.git"
    git(tmp_path, "clone", "--quiet", "--bare", repository.root, bare)
    claims_work(bare, tmp_path / "trees", repository.second, wanted)
    manager = WorktreeManager(bare, worktrees_dir=tmp_path / "trees")
    path = manager.create_worktree("r", "s", "topic")
    assert content(path) == wanted
    manager.cleanup_worktree(path)
    git(bare, "fsck")


def test_from_within_a_linked_worktree(repository: Repository, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(repository.root, "worktree", "add", "--quiet", "--detach", linked, repository.first)
    manager = WorktreeManager(linked, worktrees_dir=tmp_path / "trees")
    assert manager.home.common_git_folder == repository.git_folder
    path = manager.create_worktree("r", "s", "topic")
    # A branch begins at the HEAD of where one stands.
    assert git(path, "rev-parse", "HEAD").strip() == repository.first
    manager.cleanup_worktree(path)
    git(repository.root, "worktree", "remove", linked)
    git(repository.root, "branch", "-D", "topic")


def test_a_shallow_clone(repository: Repository, tmp_path: Path) -> None:
    wanted = expected(repository, repository.second, tmp_path / "clone")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository.root}", tmp_path / "shallow")
    claims_work(tmp_path / "shallow" / ".git", tmp_path / "trees", repository.second, wanted)


def test_a_detached_head_in_the_middle_of_a_merge(repository: Repository, tmp_path: Path) -> None:
    wanted = expected(repository, repository.second, tmp_path / "clone")
    root = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", repository.root, root)
    git(root, "checkout", "--quiet", "--detach", repository.first)
    (root / "same").write_text("mine\n")
    git(root, "commit", "--quiet", "-am", "mine")
    git(root, "merge", repository.second, exit_code=1)
    before = users_things(root, root / ".git")
    claims_work(root / ".git", tmp_path / "trees", repository.second, wanted)
    assert users_things(root, root / ".git") == before


def test_a_repository_of_sha256(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project", tmp_path / "trees", "--object-format=sha256")
    wanted = expected(repository, repository.first, tmp_path / "clone")
    assert len(repository.first) == 64
    claims_work(repository.git_folder, tmp_path / "trees", repository.first, wanted)


@pytest.mark.parametrize("name", [b"with space", b"new\nline", b"caf\xe9", "日本".encode(), b"-dash", b"a'b\"c"])
def test_odd_paths_of_repository_and_home(name: bytes, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(name)
    odd.mkdir()
    repository = Repository(odd / "project", odd / "trees")
    wanted = expected(repository, repository.second, tmp_path / "clone")
    claims_work(repository.git_folder, repository.trees, repository.second, wanted)
    manager = WorktreeManager(repository.root, worktrees_dir=repository.trees)
    path = manager.create_worktree("r", "s", "topic")
    assert {found["path"] for found in manager.list_worktrees()} >= {str(path)}
    assert manager.is_branch_checked_out("topic")
    manager.cleanup_worktree(path)
    git(repository.root, "fsck")


def test_an_unborn_head_and_no_repository_are_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnfit, match="not in a git repository"):
        WorktreeManager(tmp_path)
    git(tmp_path, "init", "--quiet")
    with pytest.raises(EnvironmentUnfit, match="has no commit yet") as caught:
        WorktreeManager(tmp_path, worktrees_dir=tmp_path.parent / "trees").create_worktree("r", "s", "b")
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UserError)


def test_a_sparse_worktree_holds_only_what_is_asked_for(repository: Repository) -> None:
    pool = repository.pool(sparse=("/deep/",))
    with repository.claim(pool=pool) as worktree:
        assert set(content(worktree.path)) == {"deep", "deep/er", "deep/er/file", "deep/other"}
        assert git(worktree.path, "status", "--porcelain") == ""
        (worktree.path / "same").write_text("put there though it is left out")
        (worktree.path / "deep" / "other").unlink()
    with repository.claim(pool=pool) as worktree:
        assert set(content(worktree.path)) == {"deep", "deep/er", "deep/er/file", "deep/other"}
        assert git(worktree.path, "status", "--porcelain") == ""
    with repository.claim(repository.first, pool=pool) as worktree:
        assert set(content(worktree.path)) == {"deep", "deep/er", "deep/er/file", "deep/other"}


def test_another_choice_of_files_makes_the_tree_anew(repository: Repository, tmp_path: Path) -> None:
    repository.claim(pool=repository.pool(sparse=("/deep/",))).release()
    with repository.claim() as worktree:
        assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))


def test_the_users_own_sparse_checkout_is_not_ours(repository: Repository, tmp_path: Path) -> None:
    wanted = expected(repository, repository.second, tmp_path / "clone")
    root = tmp_path / "sparse"
    git(tmp_path, "clone", "--quiet", repository.root, root)
    git(root, "sparse-checkout", "set", "--no-cone", "/deep/")
    before = users_things(root, root / ".git")
    claims_work(root / ".git", tmp_path / "trees", repository.second, wanted)
    assert users_things(root, root / ".git") == before


def test_filters_and_hooks_never_run_and_files_stand_as_their_blobs(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project", tmp_path / "trees")
    (repository.root / ".gitattributes").write_text("*.big filter=lfs\n")
    (repository.root / "file.big").write_text("version https://git-lfs.github.com/spec/v1\n")
    commit = repository.commit("pointer")
    for key in ("filter.lfs.smudge", "filter.lfs.clean", "filter.lfs.process", "core.fsmonitor"):
        git(repository.root, "config", key, f"touch {tmp_path}/ran; cat")
    git(repository.root, "config", "filter.lfs.required", "true")
    hook = repository.git_folder / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    for _ in range(2):
        with repository.claim(commit) as worktree:
            assert (worktree.path / "file.big").read_text().startswith("version")
            (worktree.path / "file.big").write_text("other")
    manager = WorktreeManager(repository.root, worktrees_dir=tmp_path / "trees")
    path = manager.create_worktree("r", "s", "topic")
    (path / "file.big").write_text("other")
    assert manager.cleanup_worktree(path)
    assert not (tmp_path / "ran").exists()


def test_submodules_are_empty_folders(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project", tmp_path / "trees")
    inner = tmp_path / "inner"
    git(tmp_path, "clone", "--quiet", repository.root, inner)
    git(repository.root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "module")
    commit = repository.commit("with a submodule")
    for _ in range(2):
        with repository.claim(commit) as worktree:
            assert list((worktree.path / "module").iterdir()) == []
            assert git(worktree.path, "status", "--porcelain") == ""
            git(worktree.path / "module", "init", "--quiet")
            (worktree.path / "module" / "file").write_text("x")
