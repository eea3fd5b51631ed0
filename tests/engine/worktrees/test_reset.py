"""A pooled worktree holds exactly its commit when it is claimed, whatever the step before did to it."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.worktrees.worktree import Worktree
from tests.engine.worktrees.conftest import (
    Repository,
    assert_exactly,
    assert_sound,
    content,
    expected,
    git,
)

Deed = Callable[[Worktree, Path], object]


def hide_by_skip_worktree(tree: Worktree, _: Path) -> None:
    git(tree.path, "update-index", "--skip-worktree", "same")
    (tree.path / "same").write_text("hidden")


def hide_by_assume_unchanged(tree: Worktree, _: Path) -> None:
    git(tree.path, "update-index", "--assume-unchanged", "same")
    (tree.path / "same").write_text("hidden")


def keep_size_and_time(tree: Worktree, _: Path) -> None:
    path = tree.path / "same"
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap_the_file(tree: Worktree, _: Path) -> None:
    other, path = tree.path / "other.tmp", tree.path / "same"
    other.write_bytes(b"y" * path.stat().st_size)
    shutil.copystat(path, other)
    other.replace(path)


def nest_a_repository(tree: Worktree, _: Path) -> None:
    for place in ("inner", "build/inner", "deep/inner.ignored"):
        (tree.path / place).mkdir(parents=True)
        git(tree.path / place, "init", "--quiet")
        (tree.path / place / "file").write_text("x")
        git(tree.path / place, "add", ".")
        git(tree.path / place, "commit", "--quiet", "-m", "x")


def make_a_tracked_folder_a_repository(tree: Worktree, _: Path) -> None:
    git(tree.path / "deep", "init", "--quiet")


def leave_ignored_files(tree: Worktree, _: Path) -> None:
    (tree.path / "a.ignored").write_text("x")
    (tree.path / "build").mkdir()
    (tree.path / "build" / "out").write_text("x")


def ignore_everything(tree: Worktree, _: Path) -> None:
    (tree.path / "deep" / ".gitignore").write_text("*\n")
    (tree.path / "deep" / "litter").write_text("x")


def take_rights_away(tree: Worktree, _: Path) -> None:
    (tree.path / "closed").mkdir()
    (tree.path / "closed" / "file").write_text("x")
    for path in ("closed", "deep/er", "deep", "."):
        (tree.path / path).chmod(0o500 if path == "." else 0)


def redirect_the_git_file(tree: Worktree, elsewhere: Path) -> None:
    git(elsewhere, "init", "--quiet")
    (tree.path / ".git").write_text(f"gitdir: {elsewhere / '.git'}\n")


def remove_the_git_file(tree: Worktree, _: Path) -> None:
    (tree.path / ".git").unlink()


def make_the_git_file_a_link(tree: Worktree, elsewhere: Path) -> None:
    (tree.path / ".git").rename(elsewhere / "moved")
    (tree.path / ".git").symlink_to(elsewhere / "moved")


def go_on_a_branch(tree: Worktree, _: Path) -> None:
    git(tree.path, "checkout", "--quiet", "--orphan", "lonely")


def commit_there(tree: Worktree, _: Path) -> None:
    (tree.path / "same").write_text("committed\n")
    git(tree.path, "add", "--all")
    git(tree.path, "commit", "--quiet", "-m", "mine")


def link_a_folder_outside(tree: Worktree, elsewhere: Path) -> None:
    shutil.rmtree(tree.path / "deep")
    (tree.path / "deep").symlink_to(elsewhere)


def link_a_folder_to_where_it_went(tree: Worktree, _: Path) -> None:
    (tree.path / "deep").rename(tree.path / "moved")
    (tree.path / "deep").symlink_to("moved")


def replace_the_tree_by_a_link(tree: Worktree, elsewhere: Path) -> None:
    shutil.rmtree(tree.path)
    tree.path.symlink_to(elsewhere)


def replace_the_tree_by_a_copy(tree: Worktree, elsewhere: Path) -> None:
    shutil.copytree(tree.path, elsewhere / "copy", symlinks=True)
    shutil.rmtree(tree.path)
    shutil.move(elsewhere / "copy", tree.path)


def remove_the_tree(tree: Worktree, _: Path) -> None:
    shutil.rmtree(tree.path)


def let_git_remove_it(tree: Worktree, _: Path) -> None:
    git(tree.path, "worktree", "remove", "-f", "-f", tree.path)


def break_gits_folder(tree: Worktree, _: Path) -> None:
    (tree.git_folder / "HEAD").write_text("")


def redirect_gits_folder(tree: Worktree, elsewhere: Path) -> None:
    (tree.git_folder / "commondir").write_text(f"{elsewhere}\n")


def stop_in_a_merge(tree: Worktree, _: Path) -> None:
    (tree.git_folder / "MERGE_HEAD").write_text(tree.commit + "\n")
    (tree.git_folder / "index.lock").write_text("")


def stop_in_a_bisect(tree: Worktree, _: Path) -> None:
    (tree.git_folder / "BISECT_START").write_text("main\n")
    git(tree.path, "update-ref", "refs/worktree/mine", "HEAD")


def break_the_index(tree: Worktree, _: Path) -> None:
    (tree.git_folder / "index").write_bytes(b"nonsense")


def make_the_index_a_link(tree: Worktree, elsewhere: Path) -> None:
    (tree.git_folder / "index").unlink()
    (tree.git_folder / "index").symlink_to(elsewhere / "kept")


def leave_odd_things(tree: Worktree, _: Path) -> None:
    os.mkfifo(tree.path / "deep" / "fifo")
    (tree.path / "same").unlink()
    os.mkfifo(tree.path / "same")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(tree.path)
        bound.bind("socket")
    os.mkfifo(tree.path / "deep" / ".gitattributes")
    (tree.path / "tool").unlink()
    (tree.path / "tool" / "folder").mkdir(parents=True)


def go_deep(tree: Worktree, _: Path) -> None:
    descriptor = os.open(tree.path, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)


def change_modes(tree: Worktree, _: Path) -> None:
    (tree.path / "tool").chmod(0o644)
    (tree.path / "same").chmod(0o777)


def unlock_it(tree: Worktree, _: Path) -> None:
    git(tree.path, "worktree", "unlock", tree.path)


DEEDS = [
    value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__
]


@pytest.mark.parametrize("keep_ignored", [False, True], ids=["clean", "keep_ignored"])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_nothing_of_a_step_is_left(
    deed: Deed, keep_ignored: bool, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("precious")
    with repository.claim(repository.first) as worktree:
        deed(worktree, elsewhere)
    with repository.claim(keep_ignored=keep_ignored) as worktree:
        shutil.rmtree(worktree.path / "build", ignore_errors=True) if keep_ignored else None
        for path in worktree.path.rglob("*.ignored" if keep_ignored else "no such file"):
            path.unlink()
        if deed is ignore_everything and keep_ignored:
            git(worktree.path, "clean", "-ffdx")
        assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))
    assert (elsewhere / "kept").read_text() == "precious"
    git(repository.root, "branch", "-D", "lonely", exit_code=None)
    assert_sound(repository)


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_retry_in_the_same_worktree_starts_clean(
    deed: Deed, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    wanted = expected(repository, repository.second, tmp_path / "clone")
    with repository.claim() as worktree:
        deed(worktree, elsewhere)
        worktree.reset(repository.second)
        assert_exactly(worktree, repository.second, wanted)


def test_ignored_files_stay_if_asked_but_not_the_repositories_among_them(
    repository: Repository, tmp_path: Path
) -> None:
    with repository.claim() as worktree:
        leave_ignored_files(worktree, tmp_path)
        nest_a_repository(worktree, tmp_path)
        (worktree.path / "untracked").write_text("x")
    with repository.claim(keep_ignored=True) as worktree:
        git(worktree.path, "diff", "--exit-code")
        ignored = git(worktree.path, "status", "--porcelain", "--ignored", "-uall").splitlines()
        assert sorted(ignored) == ["!! a.ignored", "!! build/out"]
        assert ".git" not in "".join(content(worktree.path).keys()).replace(".gitignore", "")


def test_what_can_no_longer_be_trusted_is_told(repository: Repository, tmp_path: Path) -> None:
    reasons = {
        remove_the_git_file: "its .git file was removed or altered",
        redirect_the_git_file: "its .git file was removed or altered",
        make_the_git_file_a_link: "its .git file was removed or altered",
        remove_the_tree: "its folder is gone",
        replace_the_tree_by_a_copy: "another folder stands in its place",
        replace_the_tree_by_a_link: "another folder stands in its place",
        break_gits_folder: "its HEAD is damaged",
        redirect_gits_folder: "git's commondir file of it was removed or altered",
        go_on_a_branch: "",
        commit_there: "",
        nest_a_repository: "",
    }
    for number, (deed, reason) in enumerate(reasons.items()):
        elsewhere = tmp_path / str(number)
        elsewhere.mkdir()
        with repository.claim() as worktree:
            assert worktree.check() == ""
            deed(worktree, elsewhere)
            assert worktree.check() == reason, deed.__name__
    git(repository.root, "branch", "-D", "lonely", exit_code=None)


def test_settings_of_a_step_for_its_worktree_do_not_last(repository: Repository, tmp_path: Path) -> None:
    with repository.claim() as worktree:
        (worktree.git_folder / "config.worktree").write_text("[core]\n\tfsmonitor = touch ran\n")
        (worktree.git_folder / "info").mkdir()
        (worktree.git_folder / "info" / "sparse-checkout").write_text("/deep\n")
    with repository.claim() as worktree:
        assert not (worktree.git_folder / "config.worktree").exists()
        assert_exactly(worktree, repository.second, expected(repository, repository.second, tmp_path / "clone"))
