"""What a step promised and git ignores is kept whole or not at all, and never written anywhere but where it belongs."""

import os
from pathlib import Path

import pytest

from engine.errors import GitFailed
from engine.executor.artifacts import Artifacts, copy_ignored
from engine.git.program import Git
from tests.engine.repository import Repo

SECRET = "super-secret-99"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path, {".gitignore": "build\n"})


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def artifacts(kept: Path) -> Artifacts:
    return Artifacts(kept, secrets=[SECRET])


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git(repo.root / ".git", repo.root)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_files_and_folders_are_kept_and_placed_with_their_modes(
    repo: Repo, git: Git, artifacts: Artifacts, tmp_path: Path
) -> None:
    repo.write({"build/x": "x", "build/deep/er/y": b"\0y", "a.txt": "of the patch"})
    (repo.root / "build" / "x").chmod(0o750)
    (repo.root / "build" / "link").symlink_to("/etc/passwd")
    artifacts.keep("s", git, ["build", "a.txt"])
    there = tmp_path / "there"
    there.mkdir()
    artifacts.place(["s", "none"], there)
    assert files_below(there) == ["build/deep/er/y", "build/link", "build/x"]
    assert (there / "build" / "link").readlink() == Path("/etc/passwd")
    assert (there / "build" / "x").stat().st_mode & 0o777 == 0o750
    assert (there / "build" / "deep" / "er" / "y").read_bytes() == b"\0y"


def test_what_is_too_much_is_counted_before_it_is_copied(
    repo: Repo, git: Git, artifacts: Artifacts, kept: Path
) -> None:
    repo.write({"build/small": "x", "build/huge": ""})
    os.truncate(repo.root / "build" / "huge", 2**30)
    with pytest.raises(ValueError, match="larger than 256 MiB"):
        artifacts.keep("s", git, ["build/small", "build/huge"])
    assert not kept.exists() or files_below(kept) == []


def test_a_file_that_holds_a_secret_is_not_kept(repo: Repo, git: Git, artifacts: Artifacts, kept: Path) -> None:
    for files in (
        {"build/x": f"-- {SECRET} --"},
        {f"build/{SECRET}": "x"},
        {"build/x": b"\0" * (2**20 - 5) + SECRET.encode()},
    ):
        repo.write(files)
        with pytest.raises(ValueError, match="secret"):
            artifacts.keep("s", git, ["build"])
        for name in files:
            (repo.root / name).unlink()
    assert not kept.exists() or files_below(kept) == []


def test_what_fails_half_way_leaves_nothing(repo: Repo, git: Git, artifacts: Artifacts, kept: Path) -> None:
    repo.write({"build/x": "x"})
    os.mkfifo(repo.root / "build" / "z")
    with pytest.raises(ValueError, match="neither a plain file"):
        artifacts.keep("s", git, ["build"])
    assert not kept.exists() or files_below(kept) == []


def test_an_output_behind_a_link_is_not_kept(repo: Repo, git: Git, artifacts: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("theirs")
    (repo.root / "build").symlink_to(tmp_path / "outside")
    with pytest.raises(GitFailed, match="symbolic link"):
        artifacts.keep("s", git, ["build/x"])


def test_nothing_is_made_behind_a_link(repo: Repo, git: Git, artifacts: Artifacts, tmp_path: Path) -> None:
    repo.write({"build/deep/x": "x"})
    artifacts.keep("s", git, ["build"])
    for name in ("outside", "there-outside"):
        (tmp_path / name).mkdir()
        there = tmp_path / "there"
        there.mkdir()
        (there / "build").symlink_to(tmp_path / name)
        with pytest.raises(ValueError, match="behind a link"):
            artifacts.place(["s"], there)
        assert list((tmp_path / name).iterdir()) == []
        (there / "build").unlink()
        there.rmdir()


def test_a_link_in_the_place_of_a_file_is_replaced(repo: Repo, git: Git, artifacts: Artifacts, tmp_path: Path) -> None:
    repo.write({"build/x": "x"})
    artifacts.keep("s", git, ["build"])
    there, victim = tmp_path / "there", tmp_path / "victim"
    (there / "build").mkdir(parents=True)
    victim.write_text("mine")
    (there / "build" / "x").symlink_to(victim)
    artifacts.place(["s"], there)
    assert ((there / "build" / "x").read_text(), victim.read_text()) == ("x", "mine")


def test_files_folders_and_links_that_a_plan_names_are_copied(repo: Repo, tmp_path: Path) -> None:
    (repo.root / ".env").symlink_to("/somewhere")
    repo.write({"conf/a": "a", "conf/b/c": "c"})
    there = tmp_path / "there"
    there.mkdir()
    assert copy_ignored([".env", "conf", "conf/b/c", "none"], repo.root, there) == ["none"]
    assert files_below(there) == [".env", "conf/a", "conf/b/c"]
    assert (there / ".env").readlink() == Path("/somewhere")
