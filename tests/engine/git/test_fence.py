"""Nothing that a repository or its settings say is ever started by our git."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit, GitFailed
from engine.git.attributes import filters_of
from engine.git.diffs import changes_between, patch_text
from engine.git.index import add_everything, private_index, write_tree
from engine.git.merging import merge
from engine.git.objects import tree_of, write_commit
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


# -- what is asked of the objects alone ------------------------------------------------------------------


def with_filter(repo: Repo, canary: Path) -> None:
    """Take in a changed file, with `filter=late` on it."""
    (repo.root / ".git" / "info").mkdir(exist_ok=True)
    (repo.root / ".git" / "info" / "attributes").write_text("* filter=late\n")
    repo.write({"a.txt": "changed\n"})
    git = Git(repo.root / ".git", repo.root)
    with private_index(git, like=repo.root / ".git" / "index") as own:
        add_everything(own)
        own.tell("status", "--porcelain")
    git.tell("status", "--porcelain")
    assert not canary.exists(), canary.read_text()


def test_a_filter_in_an_included_file_is_never_started(repo: Repo, canary: Path, tmp_path: Path) -> None:
    included = tmp_path / "included"
    included.touch()
    repo.git("config", "include.path", str(included))
    Git(repo.root / ".git", repo.root).tell("status")
    included.write_text(f'[filter "late"]\n\tclean = "touch {canary}; cat"\n')
    with_filter(repo, canary)


def test_a_filter_in_a_file_that_seems_unchanged_is_never_started(repo: Repo, canary: Path) -> None:
    config = repo.root / ".git" / "config"
    late = f'[filter "late"]\n\tclean = "touch {canary}; cat"\n'
    plain = config.read_text()
    config.write_text(plain + "#" * len(late) + "\n")
    Git(repo.root / ".git", repo.root).tell("status")
    times = config.stat()
    config.write_text(f"{plain}{late}\n")
    os.utime(config, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert config.stat().st_size == times.st_size
    with_filter(repo, canary)


def attributes_everywhere(repo: Repo, line: str) -> None:
    """Attributes where a repository has them, where a bare one is mistaken for a tree, and in the tree itself."""
    (repo.root / ".git" / "info").mkdir(exist_ok=True)
    for path in (".git/info/attributes", ".git/.gitattributes", ".gitattributes"):
        (repo.root / path).write_text(f"{line}\n")
    repo.commit("attributes")


@pytest.mark.parametrize("line", ["* -diff", "* binary", "* diff=odd", "* linguist-generated -text"])
def test_no_attribute_hides_the_lines_of_a_change(repo: Repo, line: str) -> None:
    old = repo.base
    repo.write({"a.txt": "one\n2\nthree\n"})
    new = repo.commit("change")
    expected = repo.git("diff", "--numstat", old, new)
    attributes_everywhere(repo, line)
    git = Git(repo.root / ".git")
    (change,) = changes_between(git, old, new)
    assert f"{change.lines_added}\t{change.lines_deleted}\ta.txt" == expected
    assert not change.is_binary
    assert b"+2\n" in patch_text(git, old, new)


def test_no_attribute_turns_a_conflict_into_a_merge(repo: Repo) -> None:
    attributes_everywhere(repo, "*.txt merge=union")
    base = repo.git("rev-parse", "HEAD")
    tips = []
    for text in ("mine\n", "yours\n"):
        repo.git("checkout", "-q", base)
        repo.write({"a.txt": text})
        tips.append(repo.commit(text))
    assert merge(Git(repo.root / ".git"), *tips).conflicts == (b"a.txt",)


def test_no_setting_makes_a_text_binary(repo: Repo) -> None:
    repo.git("config", "core.bigFileThreshold", "1")
    repo.git("config", "diff.default.binary", "true")
    old = repo.base
    repo.write({"a.txt": "one\n2\nthree\n"})
    (change,) = changes_between(Git(repo.root / ".git"), old, repo.commit("change"))
    assert (change.lines_added, change.is_binary) == (1, False)


def test_what_the_repository_ignores_is_ignored(repo: Repo, tmp_path: Path) -> None:
    (repo.root / ".git" / "info").mkdir(exist_ok=True)
    (repo.root / ".git" / "info" / "exclude").write_text("*.mine\n")
    (tmp_path / "theirs").write_text("*.theirs\n")
    repo.git("config", "core.excludesFile", str(tmp_path / "theirs"))
    repo.write({"x.mine": "1", "x.theirs": "1", "x.txt": "1"})
    with private_index(Git(repo.root / ".git", repo.root), like=repo.root / ".git" / "index") as own:
        add_everything(own)
        tree = write_tree(own)
    assert "x.txt" in repo.git("ls-tree", "--name-only", tree)
    assert not {"x.mine", "x.theirs"} & set(repo.git("ls-tree", "--name-only", tree).split())


def test_filters_that_the_tree_names_cannot_be_hidden(repo: Repo) -> None:
    repo.write({".gitattributes": "*.txt filter=x\n"})
    tree = repo.git("rev-parse", f"{repo.commit('filter')}^{{tree}}")
    (repo.root / ".git" / "info").mkdir(exist_ok=True)
    (repo.root / ".git" / "info" / "attributes").write_text("*.txt -filter\n*.dat filter=y\n")
    found = filters_of(Git(repo.root / ".git"), tree, [b".gitattributes"], [b"a.txt", b"bin.dat"])
    assert found == {b"a.txt": "x", b"bin.dat": "y"}


def test_repositories_of_either_format_borrowed_and_shallow_ones_are_read(repo: Repo, tmp_path: Path) -> None:
    repo.write({"a.txt": "1\n"})
    repo.commit("second")
    for name, source in (("shared", str(repo.root)), ("depth=1", f"file://{repo.root}")):
        place = tmp_path / name
        repo.git("clone", "-q", f"--{name}", source, str(place))
        git = Git(place / ".git")
        head = repo.git("rev-parse", "HEAD")
        new = write_commit(git, tree_of(git, head), [head], "x")
        assert merge(git, head, new).is_clean
    repo.git("init", "-q", "--object-format=sha256", str(tmp_path / "long"))
    long = Git(tmp_path / "long" / ".git")
    assert len(long.sealed().line("hash-object", "-w", "--stdin")) == 64


def test_the_folder_of_our_own_is_made_anew_where_somebody_cleared_it_away(repo: Repo) -> None:
    git = Git(repo.root / ".git").sealed()
    assert git.seal is not None
    shutil.rmtree(git.seal.folder)
    assert changes_between(Git(repo.root / ".git"), repo.base, repo.base) == []


def test_what_a_killed_process_has_left_is_removed_by_the_next(repo: Repo, tmp_path: Path) -> None:
    script = "from engine.git.program import Git; from pathlib import Path; import os, sys\n"
    script += "Git(Path(sys.argv[1])).sealed(); len(sys.argv) > 2 and os.kill(os.getpid(), 9)"
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    for kill, left in ((["kill"], 1), (["kill"], 1), ([], 0)):
        subprocess.run([sys.executable, "-c", script, str(repo.root / ".git"), *kill], env=env, check=False)
        assert len(list((tmp_path / "tmp").iterdir())) == left


def test_where_nothing_temporary_can_be_made_the_environment_is_unfit(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.git.seal._homes", {})
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
    with pytest.raises(EnvironmentUnfit, match=r"cannot write in .*/full: No such file"):
        Git(repo.root / ".git").sealed()
