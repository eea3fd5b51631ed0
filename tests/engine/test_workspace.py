import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit, ExitCode
from engine.workspace import Workspace, find_workspace

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """git, without anybody's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }

    def call(folder: Path, *words: str) -> str:
        command = ["git", "-c", "protocol.file.allow=always", *words]
        return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

    return call


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """A repository with one commit."""
    top = tmp_path / "repository"
    top.mkdir()
    git(top, "init", "-q")
    (top / "file").write_text("text\n")
    (top / "src").mkdir()
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "first")
    return top


def test_the_top_of_a_repository_is_the_workspace(repository: Path) -> None:
    assert find_workspace(repository) == Workspace(repository, repository / ".minipipe", repository / ".git")


def test_a_sub_folder_belongs_to_its_repository(repository: Path) -> None:
    assert find_workspace(repository / "src") == find_workspace(repository)


def test_the_inside_of_the_git_folder_belongs_to_its_repository(repository: Path) -> None:
    assert find_workspace(repository / ".git") == find_workspace(repository)
    assert find_workspace(repository / ".git" / "hooks") == find_workspace(repository)


def test_a_linked_worktree_works_in_itself_and_remembers_in_the_main_tree(repository: Path, git: Git) -> None:
    linked = repository.parent / "linked"
    git(repository, "worktree", "add", "-q", str(linked))
    assert find_workspace(linked) == Workspace(linked, repository / ".minipipe", repository / ".git")


def test_a_bare_repository_remembers_in_its_git_folder(repository: Path, git: Git) -> None:
    bare = repository.parent / "bare.git"
    git(repository, "clone", "-q", "--bare", ".", str(bare))
    assert find_workspace(bare) == Workspace(bare, bare / ".minipipe", bare)


def test_a_worktree_of_a_bare_repository_remembers_in_its_git_folder(repository: Path, git: Git) -> None:
    bare, linked = repository.parent / "bare.git", repository.parent / "linked"
    git(repository, "clone", "-q", "--bare", ".", str(bare))
    git(bare, "worktree", "add", "-q", str(linked))
    assert find_workspace(linked) == Workspace(linked, bare / ".minipipe", bare)


def test_a_submodule_is_a_workspace_of_its_own(repository: Path, git: Git) -> None:
    outer = repository.parent / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    inner = outer / "inner"
    assert find_workspace(inner) == Workspace(inner, inner / ".minipipe", outer / ".git" / "modules" / "inner")


def test_a_folder_without_a_repository_is_its_own_workspace(tmp_path: Path) -> None:
    assert find_workspace(tmp_path) == Workspace(tmp_path, tmp_path / ".minipipe")


def test_without_a_repository_the_nearest_folder_in_use_is_the_workspace(tmp_path: Path) -> None:
    (tmp_path / ".minipipe").mkdir()
    (tmp_path / ".minipipe" / "state.db").touch()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert find_workspace(tmp_path / "deep" / "er") == find_workspace(tmp_path)


def test_the_state_folder_is_for_its_owner_and_invisible_to_git(repository: Path, git: Git) -> None:
    workspace = find_workspace(repository)
    workspace.prepare()
    workspace.prepare()
    assert workspace.state_folder.stat().st_mode & 0o777 == 0o700
    assert (workspace.state_folder / ".gitignore").read_text() == "*\n"
    assert git(repository, "status", "--porcelain", "--ignored=no") == ""


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_in_place_of_the_state_folder_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".minipipe").symlink_to(tmp_path / target)
    with pytest.raises(EnvironmentUnfit) as caught:
        find_workspace(tmp_path).prepare()
    assert caught.value.exit_code == ExitCode.UNFIT
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_place_of_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".minipipe").write_text("")
    with pytest.raises(EnvironmentUnfit):
        find_workspace(tmp_path).prepare()


def commit_state(repository: Path, git: Git) -> None:
    (repository / ".minipipe").mkdir()
    (repository / ".minipipe" / "state.db").write_text("not yours")
    git(repository, "add", "-f", ".minipipe/state.db")
    git(repository, "commit", "-q", "-m", "hostile")


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_state_folder_that_came_with_the_repository_is_refused(repository: Path, git: Git, version: str) -> None:
    commit_state(repository, git)
    clone = repository.parent / "clone"
    git(repository.parent, "-c", f"index.version={version}", "clone", "-q", str(repository), str(clone))
    with pytest.raises(EnvironmentUnfit) as caught:
        find_workspace(clone).prepare()
    assert str(clone / ".minipipe") in caught.value.message
    assert "git rm" in caught.value.hint
    assert not (clone / ".minipipe" / ".gitignore").exists()


def test_a_state_folder_that_is_pulled_in_later_is_refused(repository: Path, git: Git) -> None:
    clone = repository.parent / "clone"
    git(repository.parent, "clone", "-q", str(repository), str(clone))
    find_workspace(clone).prepare()
    commit_state(repository, git)
    git(clone, "pull", "-q")
    with pytest.raises(EnvironmentUnfit):
        find_workspace(clone).prepare()


def test_a_state_folder_in_a_split_index_is_refused(repository: Path, git: Git) -> None:
    commit_state(repository, git)
    git(repository, "update-index", "--split-index")
    with pytest.raises(EnvironmentUnfit):
        find_workspace(repository).prepare()


def test_a_tracked_folder_of_that_name_elsewhere_is_no_concern_of_ours(repository: Path, git: Git) -> None:
    (repository / "docs" / ".minipipe").mkdir(parents=True)
    (repository / "docs" / ".minipipe" / "sample").write_text("")
    git(repository, "add", "-A")
    find_workspace(repository).prepare()


def test_preparing_an_ordinary_repository_starts_no_process(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    find_workspace(repository).prepare()
