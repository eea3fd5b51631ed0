"""Objects, indexes and listings: written by us, read by GitPython, and the other way round."""

import subprocess

import pytest
from git import Repo as PythonRepo

from engine.errors import GitFailed
from engine.git.attributes import filters_of
from engine.git.diffs import changes_between
from engine.git.index import ABSENT, apply_text, change_tree
from engine.git.listing import modes_after, modes_of
from engine.git.objects import (
    NOBODY,
    Entry,
    Identity,
    entries_of,
    identity_of,
    is_ancestor,
    merge_base,
    parents_of,
    read_blob,
    read_blobs,
    resolve_commit,
    tree_of,
    write_blob,
    write_commit,
)
from engine.git.program import Git
from tests.engine.repository import Repo

ODD = b'odd\n\t"\\\xff name'


def test_a_tree_with_odd_names_is_what_a_second_reader_sees(repo: Repo, git: Git, second: PythonRepo) -> None:
    entries = {
        ODD: Entry("100755", write_blob(git, b"x")),
        b"src/b.txt": ABSENT,
        b"src": Entry("120000", write_blob(git, b"a.txt")),
    }
    commit = write_commit(git, change_tree(git, tree_of(git, repo.base), entries), [repo.base], "odd\n")
    seen = {blob.path: (oct(blob.mode), blob.hexsha) for blob in second.commit(commit).tree.traverse()}
    assert seen[ODD.decode("utf-8", "surrogateescape")] == ("0o100755", entries[ODD].object_id)
    assert seen["src"][0] == "0o120000"
    assert "src/b.txt" not in seen
    assert entries_of(git, commit, [ODD]) == {ODD: entries[ODD]}


def test_a_commit_says_who_what_and_after_whom(repo: Repo, git: Git, second: PythonRepo) -> None:
    tree = tree_of(git, repo.base)
    commit = write_commit(git, tree, [repo.base], "subject\n\nMinipipe-Run: x\n", identity=Identity("Ädа", "a@b"))
    seen = second.commit(commit)
    assert (seen.author.name, seen.author.email, seen.committer.name) == ("Ädа", "a@b", "Ädа")
    assert seen.trailers_dict == {"Minipipe-Run": ["x"]}
    assert [parent.hexsha for parent in seen.parents] == [repo.base] == parents_of(git, commit)
    assert is_ancestor(git, repo.base, commit)
    assert not is_ancestor(git, commit, repo.base)
    assert merge_base(git, commit, repo.base) == repo.base


def test_blobs_are_read_as_they_are(repo: Repo, git: Git) -> None:
    ids = {entry.object_id for entry in entries_of(git, repo.base).values()}
    blobs = read_blobs(git, ids)
    assert set(blobs) == ids
    assert all(read_blob(git, name) == content for name, content in blobs.items())
    assert read_blobs(git, ["0" * 40]) == {}


def test_the_users_identity_is_theirs_or_nobodys(git: Git, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert identity_of(git) == ("Ada", "ada@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    repo.git("config", "--unset", "user.name")
    assert identity_of(git) == NOBODY


def test_names_resolve_to_commits_and_options_do_not(repo: Repo, git: Git) -> None:
    assert resolve_commit(git, "main") == repo.base
    for name in ("nobody", "--help", "-1", "main:a.txt", ""):
        assert resolve_commit(git, name) is None


def test_changes_equal_what_git_says(repo: Repo, git: Git) -> None:
    repo.git("mv", "src/b.txt", "moved.txt")
    repo.write({"a.txt": "one\n2\n3\nthree\n", "bin.dat": b"\0\1", "new.txt": "n"})
    (repo.root / "run.sh").chmod(0o755)
    commit = repo.commit("changes")
    found = {change.path: change for change in changes_between(git, repo.base, commit)}
    assert (found[b"moved.txt"].status, found[b"moved.txt"].old_path) == ("R", b"src/b.txt")
    assert (found[b"a.txt"].lines_added, found[b"a.txt"].lines_deleted) == (2, 1)
    assert found[b"bin.dat"].is_binary
    assert (found[b"run.sh"].old_mode, found[b"run.sh"].new_mode) == ("100644", "100755")
    numbers = repo.git("diff", "--numstat", "-M", repo.base, commit).splitlines()
    assert len(numbers) == len(found)


def test_the_listing_that_changes_lead_to_is_the_trees_own(repo: Repo, git: Git) -> None:
    repo.git("mv", "src/b.txt", "src/c.txt")
    repo.write({"deep/er/x.txt": "x"})
    (repo.root / "a.txt").unlink()
    commit = repo.commit("changes")
    base, new = tree_of(git, repo.base), tree_of(git, commit)
    carried = modes_after(git, base, new, changes_between(git, repo.base, commit))
    asked = subprocess.run(
        ["git", "ls-tree", "-r", "--format=%(objectmode) %(path)", new], cwd=repo.root, capture_output=True, check=True
    ).stdout.decode()
    assert carried == {path.encode(): mode for mode, path in (line.split(" ", 1) for line in asked.splitlines())}
    assert modes_of(git, new) == carried


def test_filters_are_read_from_the_tree_and_not_from_the_disk(repo: Repo, git: Git) -> None:
    repo.write({".gitattributes": "*.big filter=lfs\n", "src/.gitattributes": "*.txt filter=mine\nb.txt -filter\n"})
    commit = repo.commit("attributes")
    (repo.root / ".gitattributes").write_text("* filter=other\n")
    files = [b".gitattributes", b"src/.gitattributes"]
    paths = [b"x.big", b"src/n.txt", b"src/b.txt", b"a.txt"]
    assert filters_of(git, tree_of(git, commit), files, paths) == {b"x.big": "lfs", b"src/n.txt": "mine"}


def test_a_patch_that_does_not_fit_changes_nothing(repo: Repo, git: Git) -> None:
    text = b"--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-other\n+2\n three\n"
    with pytest.raises(GitFailed, match=r"patch does not apply"):
        apply_text(git, tree_of(git, repo.base), text)
