"""Repositories of every kind: a plan works in each, or is refused with one line before anything has begun."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.lab import Ended, Repo

Make = Callable[..., Repo]
EDIT = "echo more >> a.txt"


def beside(repo: Repo, path: Path) -> Repo:
    return Repo(path, repo.beside, repo.environ)


def cloned(repo: Repo, *words: str) -> Repo:
    path = repo.beside / "clone"
    repo.git("clone", "--quiet", *words, f"file://{repo.path}", path)
    return beside(repo, path)


def assert_works(repo: Repo, branch: str = "main") -> None:
    """An edit comes to the branch, and where that is checked out, to its files; git finds everything sound."""
    before = repo.head(f"refs/heads/{branch}")
    ended = repo.run(EDIT)
    assert ended.code == 0, (ended.out, ended.err)
    promotion = ended.document["promotion"]
    assert (promotion["state"], promotion["target"]) == ("done", branch)
    assert repo.head(f"refs/heads/{branch}~1") == before
    assert repo.content("a.txt", f"refs/heads/{branch}").endswith(b"more\n")
    assert repo.is_sound()
    if repo.line("rev-parse", "--is-bare-repository") == "false":
        assert repo.git("status", "--porcelain") == b""


def assert_refused(ended: Ended, code: int, *words: str) -> None:
    """One line says why, what to do stands below, and no run was begun."""
    assert ended.code == code, (ended.out, ended.err)
    (line,) = ended.complaint
    assert all(word in line for word in words), line
    assert "\n  → " in ended.err
    assert "run_" not in ended.err


# -- works -----------------------------------------------------------------------------------------------


def bare(make: Make) -> Repo:
    return cloned(make(), "--bare")


def shallow(make: Make) -> Repo:
    repo = make()
    repo.commit("second")
    return cloned(repo, "--depth=1")


def with_alternates(make: Make) -> Repo:
    return cloned(make(), "--shared")


def packed(make: Make) -> Repo:
    repo = make()
    repo.git("pack-refs", "--all", "--prune")
    repo.git("gc", "--quiet")
    return repo


def of_sha256(make: Make) -> Repo:
    return make("repo", "--object-format=sha256")


def with_settings_of_single_worktrees(make: Make) -> Repo:
    repo = make()
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", "--worktree", "core.sparseCheckout", "false")
    return repo


def behind_a_link(make: Make) -> Repo:
    repo = make()
    link = repo.beside / "link"
    link.symlink_to(repo.path)
    return beside(repo, link)


def with_a_branch_called_minipipe(make: Make) -> Repo:
    repo = make()
    repo.git("branch", "minipipe")
    return repo


def with_a_tag_called_like_the_branch(make: Make) -> Repo:
    repo = make()
    repo.git("tag", "main")
    repo.commit("second")
    return repo


def that_ends_lines_its_own_way(make: Make) -> Repo:
    repo = make()
    repo.git("config", "core.autocrlf", "true")
    repo.commit("attributes", **{".gitattributes": "* text=auto eol=crlf\n"})
    shutil.rmtree(repo.path / "lib")
    repo.git("reset", "--quiet", "--hard")
    return repo


def for_systems_without_links_and_modes(make: Make) -> Repo:
    repo = make()
    for name in ("core.symlinks", "core.filemode"):
        repo.git("config", name, "false")
    return repo


KINDS = [
    bare,
    shallow,
    with_alternates,
    packed,
    of_sha256,
    with_settings_of_single_worktrees,
    behind_a_link,
    with_a_branch_called_minipipe,
    with_a_tag_called_like_the_branch,
    that_ends_lines_its_own_way,
    for_systems_without_links_and_modes,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_repository_that_is_not_like_others_is_worked_in(kind: Callable[[Make], Repo], make: Make) -> None:
    assert_works(kind(make))


@pytest.mark.parametrize(
    "name", ["sp ace", "q'u\"o", "new\nline", "-dash", "glob*[a]?", "back\\slash", "$HOME`x`", "日"]
)
def test_the_name_of_the_folder_does_not_matter(name: str, make: Make) -> None:
    assert_works(make(name))


@pytest.mark.parametrize(
    "branch", ["feat/x", "a#b", "q\"'x", "a%b", "HEAD2", "refs/heads/x", "@x", "$(x)", "heads/main", "日"]
)
def test_the_name_of_the_branch_does_not_matter(branch: str, repo: Repo) -> None:
    repo.git("update-ref", f"refs/heads/{branch}", "HEAD")
    repo.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    assert_works(repo, branch)
    assert repo.run(EDIT, words=("--target", "main")).document["promotion"]["target"] == "main"


def test_from_a_subfolder_the_whole_repository_is_meant(repo: Repo) -> None:
    ended = repo.run(EDIT, cwd=repo.path / "lib")
    assert ended.code == 0
    assert repo.content("a.txt").endswith(b"more\n")


def test_in_a_linked_worktree_its_own_branch_is_the_target(repo: Repo) -> None:
    repo.git("worktree", "add", "-q", "-b", "feature", repo.beside / "linked tree")
    assert_works(beside(repo, repo.beside / "linked tree"), "feature")
    assert repo.content("a.txt", "main") == b"one\ntwo\nthree\n"
    assert repo.git("status", "--porcelain") == b""


def test_without_a_branch_the_changes_stay_on_one_of_their_own(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--detach")
    ended = repo.run(EDIT)
    assert ended.code == 0
    assert "HEAD is detached" in ended.err
    assert repo.content("a.txt", ended.document["promotion"]["branch"]).endswith(b"more\n")
    assert repo.content("a.txt") == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("words", [("--cone", "lib"), ("--no-cone", "/lib/"), ("--cone", "--sparse-index", "lib")])
def test_a_sparse_checkout_of_the_users_stays_one(words: tuple[str, ...], repo: Repo) -> None:
    repo.commit("second", **{"big/x": "x\n"})
    repo.git("sparse-checkout", "set", *words)
    files = {path.name for path in repo.path.iterdir()}
    ended = repo.run("echo q >> big/x; echo new > big/new; echo z >> lib/b.txt")
    assert ended.code == 0, ended.out
    assert repo.content("big/x") == b"x\nq\n"
    assert (repo.path / "lib" / "b.txt").read_text() == "beta\nz\n"
    assert {path.name for path in repo.path.iterdir()} == files | {".minipipe"}
    assert repo.git("status", "--porcelain") == b""


# -- submodules ------------------------------------------------------------------------------------------


def with_submodule(make: Make) -> Repo:
    inner, repo = make("inner"), make("outer")
    repo.git("submodule", "--quiet", "add", inner.path, "sm")
    repo.commit("a submodule")
    return repo


def test_files_beside_a_submodule_are_changed_and_it_is_left(make: Make) -> None:
    repo = with_submodule(make)
    assert_works(repo)
    assert "submodules: their folders are empty in the steps' worktrees" in repo.warnings()
    assert (repo.path / "sm" / "a.txt").is_file()


def test_a_submodule_that_was_never_fetched_does_not_matter(make: Make) -> None:
    assert_works(cloned(with_submodule(make)))


def test_inside_a_submodule_that_alone_is_meant(make: Make) -> None:
    repo = with_submodule(make)
    inner = beside(repo, repo.path / "sm")
    inner.git("checkout", "--quiet", "main")
    assert_works(inner)
    assert repo.git("status", "--porcelain") == b" M sm\n"


@pytest.mark.parametrize(
    "deed",
    [
        "git init -q sm; cd sm; git commit -q --allow-empty -m x",
        "rmdir sm; echo file > sm",
        "git config -f .gitmodules submodule.sm.url http://elsewhere.invalid",
    ],
)
def test_a_changed_submodule_is_quarantined(deed: str, make: Make) -> None:
    repo = with_submodule(make)
    before = repo.head()
    assert repo.run(deed).code == 4
    (patch,) = repo.patches()
    assert patch["state"] == "quarantined"
    assert "submodule.changed" in patch["reason"]
    assert repo.head() == before


# -- programs that a repository brings along -------------------------------------------------------------


def programs_of(repo: Repo) -> Path:
    """Configure everything by which git starts programs; answers where they leave their traces."""
    traces = repo.beside / "traces"
    traces.mkdir()
    for kind in ("clean", "smudge", "process"):
        repo.git("config", f"filter.big.{kind}", f"touch {traces}/filter-{kind}; cat")
    repo.git("config", "filter.big.required", "true")
    included = repo.beside / "included"
    included.write_text(f'[merge "e"]\n\tdriver = touch {traces}/merge-included\n')
    hooks = repo.beside / "hooks"
    for folder in (repo.path / ".git" / "hooks", hooks):
        folder.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-index-change"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {traces}/{folder.parent.name}-{name}\n")
            (folder / name).chmod(0o755)
    attributes = "*.bin filter=big\n*.txt diff=d merge=d\nlib/* merge=e\n"
    repo.git("-c", "core.hooksPath=/dev/null", "config", "diff.d.command", f"touch {traces}/diff")
    repo.write({".gitattributes": attributes})
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "attributes")
    settings = {
        "diff.d.textconv": f"touch {traces}/textconv; cat",
        "diff.external": f"touch {traces}/external",
        "merge.d.driver": f"touch {traces}/merge; false",
        "core.fsmonitor": f"touch {traces}/fsmonitor; false",
        "core.hooksPath": str(hooks),
        "include.path": str(included),
        "core.pager": f"touch {traces}/pager",
        "core.editor": f"touch {traces}/editor",
    }
    for name, value in settings.items():
        repo.git("config", name, value)
    for trace in traces.iterdir():
        trace.unlink()
    return traces


def test_no_program_of_the_repository_is_ever_started(repo: Repo) -> None:
    traces = programs_of(repo)
    ended = repo.run("echo x >> a.txt", "sed -i '1s/^/zero\\n/' a.txt; echo y >> lib/b.txt", "echo n > new")
    assert ended.code == 0, ended.out
    assert repo.minipipe("rollback", "last").code == 0
    assert list(traces.iterdir()) == []


def test_a_file_that_a_filter_would_change_is_quarantined_and_others_are_not(repo: Repo) -> None:
    traces = programs_of(repo)
    assert repo.run("echo x > y.dat").code == 0
    assert repo.run("echo x > y.bin").code == 4
    assert "filter.active" in repo.patches()[0]["reason"]
    assert list(traces.iterdir()) == []


# -- the user's own work ---------------------------------------------------------------------------------


def everything_of(repo: Repo) -> dict[str, object]:
    """The user's files, with their times, and the index."""
    found: dict[str, object] = {"index": (repo.path / ".git" / "index").read_bytes()}
    for path in sorted(repo.path.rglob("*")):
        if path.relative_to(repo.path).parts[0] not in (".git", ".minipipe") and path.is_file():
            found[str(path)] = (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
    return found


def assert_left_alone(repo: Repo, *words: str, shell: str = "echo other > other") -> None:
    """A run works on what is committed, does not move the branch, says why in one line, and touches nothing."""
    before, head = everything_of(repo), repo.head()
    ended = repo.minipipe("run", repo.plan(shell), "--no-ui")
    assert ended.code == 1, (ended.out, ended.err)
    (line,) = [line for line in ended.out.splitlines() if "is left as it is" in line]
    assert all(word in line for word in words), line
    assert everything_of(repo) == before
    assert repo.head() == head


def test_what_is_not_committed_stays_as_it_is(repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "*.log\n"})
    repo.write({"a.txt": "unstaged\n", "lib/b.txt": "staged\n", "new.txt": "untracked", "x.log": "ignored"})
    repo.git("add", "lib/b.txt")
    repo.git("status")
    assert_left_alone(repo, "changes that are not committed", "a.txt", "lib/b.txt")


@pytest.mark.parametrize("deed", ["echo q > new.txt", "echo q > x.log; sed -i d .gitignore"])
def test_a_file_in_the_way_stays_as_it_is(deed: str, repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "*.log\n"})
    repo.write({"new.txt": "untracked", "x.log": "ignored"})
    repo.git("status")
    assert_left_alone(repo, "would be overwritten", shell=deed)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("merge", "other"), "merge is under way"),
        (("cherry-pick", "other"), "cherry-pick is under way"),
        (("bisect", "start"), "being bisected"),
    ],
)
def test_what_the_user_is_in_the_middle_of_goes_on(words: tuple[str, ...], told: str, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "other")
    repo.commit("theirs", **{"a.txt": "theirs\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit("ours", **{"a.txt": "ours\n"})
    repo.try_git(*words)
    assert_left_alone(repo, told)


def test_a_branch_that_is_being_rebased_is_not_moved(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "other")
    repo.commit("theirs", **{"a.txt": "theirs\n"})
    repo.git("checkout", "--quiet", "main")
    before = repo.commit("ours", **{"a.txt": "ours\n"})
    repo.try_git("rebase", "other")
    ended = repo.run("echo other > other", words=("--target", "main"))
    assert ended.code == 1
    assert "being rebased" in ended.document["promotion"]["reason"]
    assert repo.head("refs/heads/main") == before
    repo.git("rebase", "--abort")


# -- refused ---------------------------------------------------------------------------------------------


def unborn(make: Make) -> Repo:
    return make(is_empty=True)


def on_an_unborn_branch(make: Make) -> Repo:
    repo = make()
    repo.git("checkout", "--quiet", "--orphan", "fresh")
    return repo


def with_files_elsewhere(make: Make) -> Repo:
    repo = make()
    repo.git("config", "core.worktree", str(repo.beside))
    return repo


def with_broken_settings(make: Make) -> Repo:
    repo = make()
    (repo.path / ".git" / "config").write_text("[broken\n")
    return repo


def of_a_strange_version(make: Make) -> Repo:
    repo = make()
    repo.git("config", "core.repositoryFormatVersion", "9")
    return repo


def with_its_commit_lost(make: Make) -> Repo:
    repo = make()
    head = repo.head()
    (repo.path / ".git" / "objects" / head[:2] / head[2:]).unlink()
    return repo


def that_tracks_our_state(make: Make) -> Repo:
    repo = make()
    repo.commit("strange", **{".minipipe/state.db": "x"})
    return repo


def in_a_folder_whose_name_is_no_text(make: Make) -> Repo:
    return make(b"na\xffme")


def on_a_branch_whose_name_is_no_text(make: Make) -> Repo:
    repo = make()
    repo.git("checkout", "--quiet", "-b", b"na\xffme")
    return repo


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (unborn, "has no commit yet"),
        (on_an_unborn_branch, "has no commit yet"),
        (with_files_elsewhere, "core.worktree"),
        (with_broken_settings, "bad config line 1"),
        (of_a_strange_version, "Expected git repo version"),
        (with_its_commit_lost, "is missing"),
        (that_tracks_our_state, "is tracked"),
        (in_a_folder_whose_name_is_no_text, "na\\xffme is not UTF-8 text"),
        (on_a_branch_whose_name_is_no_text, "is not UTF-8 text"),
    ],
)
def test_a_repository_that_cannot_be_worked_in_is_refused(kind: Callable[[Make], Repo], told: str, make: Make) -> None:
    repo = kind(make)
    assert_refused(repo.minipipe("run", repo.plan(EDIT), "--no-ui"), 5, told)


def test_a_folder_without_a_repository_is_refused(repo: Repo) -> None:
    assert_refused(repo.minipipe("run", repo.plan(EDIT), cwd=repo.beside), 5, "is not in a git repository")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_somebody_else_is_refused_as_git_does_it(repo: Repo) -> None:
    for path in (repo.path, *repo.path.rglob("*")):
        os.chown(path, 65534, 65534)
    assert_refused(repo.minipipe("run", repo.plan(EDIT), "--no-ui"), 5, "dubious ownership")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_git_folder_that_cannot_be_written_is_refused(repo: Repo) -> None:
    objects = repo.path / ".git" / "objects"
    objects.chmod(0o555)
    try:
        assert_refused(repo.minipipe("run", repo.plan(EDIT), "--no-ui"), 5, "cannot write")
    finally:
        objects.chmod(0o755)
