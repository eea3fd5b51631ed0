"""What is noticed of refs that a step changed although they are not its own, however soon and however it did it."""

import subprocess
from pathlib import Path

import pytest

from engine.errors import GitFailed
from engine.executor.strays import Strays
from engine.git.program import Git
from engine.worktrees.places import PREFIX


def told(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    told(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for text in ("one", "two"):
        told(tmp_path, "commit", "--quiet", "--allow-empty", "-m", text)
    told(tmp_path, "checkout", "--quiet", "--detach")
    told(tmp_path, "branch", "side/way")
    return tmp_path


@pytest.fixture
def strays(root: Path) -> Strays:
    return Strays(Git(root / ".git"))


def test_where_nothing_happens_nothing_is_told(strays: Strays) -> None:
    assert [strays.since_last() for _ in range(3)] == [[], [], []]


def test_changes_that_follow_each_other_closely_are_all_told(strays: Strays, root: Path) -> None:
    older = told(root, "rev-parse", "HEAD~1")
    for number in range(10):
        told(root, "update-ref", f"refs/heads/new{number}", older)
        assert strays.since_last() == [f"refs/heads/new{number} was made"]
        told(root, "update-ref", f"refs/heads/new{number}", "HEAD")
        assert strays.since_last() == [f"refs/heads/new{number} was moved"]


def test_a_ref_that_is_written_without_git_is_told(strays: Strays, root: Path) -> None:
    older = told(root, "rev-parse", "HEAD~1")
    for commit in (older, told(root, "rev-parse", "HEAD"), older):
        with (root / ".git" / "refs" / "heads" / "side" / "way").open("r+") as file:
            file.write(commit)
        assert strays.since_last() == ["refs/heads/side/way was moved"]


def test_what_is_deleted_out_of_the_packed_refs_is_told(strays: Strays, root: Path) -> None:
    told(root, "pack-refs", "--all")
    assert strays.since_last() == []
    told(root, "branch", "-D", "side/way")
    assert strays.since_last() == ["refs/heads/side/way was deleted"]


def test_refs_of_ours_are_nothing_to_tell(strays: Strays, root: Path) -> None:
    told(root, "update-ref", "refs/minipipe/patches/x", "HEAD")
    assert strays.since_last() == []


@pytest.mark.parametrize("name", ["info/attributes", "info/exclude", "info/grafts", "config"])
def test_settings_beside_the_refs_are_told(strays: Strays, root: Path, name: str) -> None:
    path = root / ".git" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write("# changed\n")
    assert strays.since_last() == ["the repository's settings (.git/config, .git/info) were changed"]


def test_a_head_that_is_written_without_git_is_told(strays: Strays, root: Path) -> None:
    told(root, "worktree", "add", "-q", "-b", "linked", str(root / "linked"))
    assert strays.since_last() == []
    (root / ".git" / "HEAD").write_text("ref: refs/heads/zzz\n")
    (root / ".git" / "worktrees" / "linked" / "HEAD").write_text("ref: refs/heads/zzz\n")
    assert strays.since_last() == [f"HEAD of {root} was changed", f"HEAD of {root / 'linked'} was changed"]


def test_a_head_that_the_user_moved_is_nothing_to_tell(strays: Strays, root: Path) -> None:
    told(root, "checkout", "-q", "main")
    told(root, "commit", "-q", "--allow-empty", "-m", "three")
    told(root, "checkout", "-q", "-b", "new")
    assert strays.since_last() == []


def test_every_ref_that_is_not_ours_is_told(strays: Strays, root: Path) -> None:
    for name in ("refs/heads/a", "refs/tags/b", "refs/remotes/o/c"):
        told(root, "update-ref", name, "HEAD~1")
    assert strays.since_last() == [f"{name} was made" for name in ("refs/heads/a", "refs/remotes/o/c", "refs/tags/b")]
    for words in (("-d", "refs/heads/a"), ("refs/tags/b", "HEAD"), ("-d", "refs/remotes/o/c")):
        told(root, "update-ref", *words)
    assert strays.since_last() == ["refs/heads/a was deleted", "refs/remotes/o/c was deleted", "refs/tags/b was moved"]


def test_what_the_user_fetches_is_nothing_to_tell_and_what_a_step_fetches_is(strays: Strays, root: Path) -> None:
    told(root, "worktree", "add", "-q", "--detach", str(root / "step"))
    (root / ".git" / "worktrees" / "step").rename(root / ".git" / "worktrees" / f"{PREFIX}1")
    (root / "step" / ".git").write_text(f"gitdir: {root}/.git/worktrees/{PREFIX}1\n")
    told(root, "fetch", "-q", str(root), "main:refs/remotes/o/main")
    assert strays.since_last() == []
    told(root / "step", "fetch", "-q", str(root), "main:refs/remotes/o/other")
    assert strays.since_last() == ["refs/remotes/o/other was made"]


def test_what_a_step_says_in_a_log_explains_nothing(strays: Strays, root: Path) -> None:
    told(root, "update-ref", "-m", "minipipe: promote run", "--create-reflog", "refs/heads/side/way", "HEAD~1")
    assert strays.since_last() == ["refs/heads/side/way was moved"]


def test_what_our_runs_have_on_record_is_explained(root: Path) -> None:
    older = told(root, "rev-parse", "HEAD~1")
    moves = {("refs/heads/side/way", older)}
    strays = Strays(Git(root / ".git"), is_ours=lambda name, commit: (name, commit) in moves)
    told(root, "update-ref", "refs/heads/side/way", older)
    assert strays.since_last() == []
    told(root, "update-ref", "refs/heads/main", older)
    assert strays.since_last() == ["refs/heads/main was moved"]


def test_a_kill_hides_nothing(root: Path, tmp_path: Path) -> None:
    kept = tmp_path / "strays.json"
    assert not Strays(Git(root / ".git"), kept=kept).is_continued
    told(root, "branch", "-D", "side/way")
    strays = Strays(Git(root / ".git"), kept=kept)
    assert strays.is_continued
    assert strays.since_last() == ["refs/heads/side/way was deleted"]
    assert Strays(Git(root / ".git"), kept=kept).since_last() == []
    strays.forget()
    assert not Strays(Git(root / ".git"), kept=kept).is_continued


def test_a_record_that_cannot_be_read_is_none(root: Path, tmp_path: Path) -> None:
    kept = tmp_path / "strays.json"
    for text in ("", "[]", '{"refs": 1}', "nonsense"):
        kept.write_text(text)
        assert not Strays(Git(root / ".git"), kept=kept).is_continued


@pytest.mark.parametrize(("name", "text"), [("config", "["), ("HEAD", "nonsense"), ("packed-refs", "nonsense\n")])
def test_a_repository_that_cannot_be_read_any_more_is_an_error_until_it_can(
    strays: Strays, root: Path, name: str, text: str
) -> None:
    path = root / ".git" / name
    before = path.read_bytes() if path.exists() else b""
    path.write_text(text)
    with pytest.raises(GitFailed):
        strays.since_last()
    path.write_bytes(before)
    assert strays.since_last() == []
