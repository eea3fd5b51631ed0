"""Keeping what is in a working tree before it goes: as a commit under `refs/minipipe/archive/`.

Files are read through a private index; files and the tree's own index stay as they are. Everything that is not ignored
is kept, the files of repositories inside the tree too, though not their history.
"""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import ActionRefused, GitFailed
from engine.git.program import Git
from engine.git.refs import ARCHIVE
from engine.worktrees import admin
from engine.worktrees.places import Home
from engine.worktrees.removal import remove
from engine.worktrees.traps import clear_traps
from engine.worktrees.worktree import SETTINGS, Worktree

_IDENTITY = {"user.name": "minipipe", "user.email": "minipipe@localhost", "user.useConfigOnly": "false"}
# Entries outside a sparse checkout count as soon as there is a file.
_CAPTURING = {**SETTINGS, **_IDENTITY, "core.sparseCheckout": "true", "sparse.expectFilesOutsideOfPatterns": "false"}


class Capture(NamedTuple):
    """What a working tree holds, as git objects."""

    tree: str
    repositories: tuple[str, ...]
    """Folders in it that are repositories of their own."""


def archive(worktree: Worktree, *, attempt: int = 1) -> str:
    """Keep the contents of a failed step's worktree; answer the ref. It need not be sound, only be there."""
    name = f"{_ref_part(worktree.run_id)}/{_ref_part(worktree.step_id)}.{attempt}"
    captured = _contents(worktree)
    return _keep_contents(worktree, captured, f"{ARCHIVE}{name}")


def archive_changes(worktree: Worktree, ref: str) -> str | None:
    """The same under a ref that is named, and only if something was changed since the worktree was reset."""
    captured = _contents(worktree)
    git = Git(worktree.common_git_folder)
    is_changed = captured.tree != git.line("rev-parse", f"{worktree.commit}^{{tree}}")
    if not is_changed and _head_of(worktree) in (None, worktree.commit):
        return None
    return _keep_contents(worktree, captured, ref)


def _contents(worktree: Worktree) -> Capture:
    if worktree.path.is_symlink() or not worktree.path.is_dir():
        raise ActionRefused("archive", str(worktree.path), "its folder is gone or is a link")
    private = worktree.index_path.with_name(worktree.index_path.name + ".archive")
    git = Git(worktree.common_git_folder, worktree.path, private, settings=_CAPTURING).durable()
    try:
        worktree.copy_index(private)
        return capture(git)
    finally:
        _remove_index(private)


def _keep_contents(worktree: Worktree, captured: Capture, ref: str) -> str:
    git = Git(worktree.common_git_folder, settings=_CAPTURING).durable()
    head = _head_of(worktree)
    parents = [worktree.commit, *([head] if head and head != worktree.commit else [])]
    return keep(git, ref, captured.tree, parents, f"Archive of {ref.removeprefix(ARCHIVE)}")


def archive_named(home: Home, name: str, admin_folder: Path, *, is_wanted: bool = True) -> str | None:
    """Keep what is in a named worktree and nowhere else; None if there is no such thing.

    If it is not wanted, only commits that no ref holds are kept.
    """
    tree, private = home.path / name, home.path / f"{name}.index"
    git = Git(admin_folder, tree, private, settings=_CAPTURING).durable()
    head = git.line("rev-parse", "--verify", "HEAD^{commit}")
    committed = git.line("rev-parse", f"{head}^{{tree}}")
    try:
        git.tell("read-tree", head)
        captured = capture(git)
        _remove_index(private)
        staged = _staged_tree(git, admin_folder / "index", private)
    finally:
        _remove_index(private)
    if captured.repositories:
        raise ActionRefused("remove", str(tree), f"it holds a repository of its own at {captured.repositories[0]}")
    found = captured.tree if is_wanted else committed
    parents = [head]
    if is_wanted and staged not in (None, committed, captured.tree):
        parents.append(git.line("commit-tree", str(staged), "-p", head, "-m", f"What was staged in {name}"))
    if found == committed and len(parents) == 1 and _is_kept(git, head):
        return None
    return keep(
        git.at(git_folder=home.common_git_folder), f"{ARCHIVE}{_ref_part(name)}", found, parents, f"Archive of {name}"
    )


def capture(git: Git) -> Capture:
    """Bring a private index up to what is in the tree, and write that down."""
    git = git.sealed()
    assert git.work_tree is not None
    clear_traps(git.work_tree)
    listed = git.tell("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
    paths = sorted({path for path in listed.split(b"\0") if path})
    plain = [path for path in paths if not path.endswith(b"/")]
    repositories = [path for path in paths if path.endswith(b"/")]
    for repository in repositories:
        plain.extend(_files_below(git.work_tree, repository.rstrip(b"/")))
    if plain:
        git.tell("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=b"\0".join(plain) + b"\0")
    return Capture(git.line("write-tree"), tuple(map(os.fsdecode, repositories)))


def keep(git: Git, wanted: str, tree: str, parents: Sequence[str], message: str) -> str:
    """Make a commit and a ref of its own for it; one that is there already is never moved."""
    words = [word for parent in parents for word in ("-p", parent)]
    commit = git.line("commit-tree", tree, *words, "-m", message)
    folder, _, leaf = wanted.rpartition("/")
    # Somebody else may take a name at the same moment; and what should be a folder may be a ref.
    for name in (wanted, wanted, wanted, f"{folder}-more/{leaf}"):
        ref = _free_ref(git, name)
        if git.ask("update-ref", ref, commit, "0" * len(commit)).exit_code == 0:
            return ref
    raise GitFailed("update-ref", f"there is no free name beside {wanted}")


def _free_ref(git: Git, wanted: str) -> str:
    """The first name, numbered from the second on, that no ref has and no ref is below."""
    patterns = (wanted, f"{wanted}-*", f"{wanted}-*/**")
    told = os.fsdecode(git.tell("for-each-ref", "--format=%(refname)", *patterns)).split()
    depth = wanted.count("/") + 1
    taken = {"/".join(ref.split("/")[:depth]) for ref in told}
    numbered = (wanted if number == 1 else f"{wanted}-{number}" for number in itertools.count(1))
    return next(name for name in numbered if name not in taken)


def _staged_tree(git: Git, index: Path, private: Path) -> str | None:
    """The tree of a worktree's own index; None where it has conflicts, or there is none."""
    if not index.is_file():
        return None
    admin.copy_index(index, private)
    done = git.ask("write-tree")
    return os.fsdecode(done.output).strip() if done.exit_code == 0 else None


def _is_kept(git: Git, commit: str) -> bool:
    """Whether a commit is in any ref."""
    return git.tell("for-each-ref", "--count=1", f"--contains={commit}") != b""


def _head_of(worktree: Worktree) -> str | None:
    """The commit that the step left as HEAD, if that can still be told."""
    if not (worktree.git_folder / "HEAD").is_file():
        return None
    git = Git(worktree.git_folder, worktree.path, settings=SETTINGS)
    try:
        return git.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except GitFailed:
        return None


def _files_below(top: Path, folder: bytes) -> Iterator[bytes]:
    """Every file and link in a folder of the tree, except what git never takes."""
    below = [top / os.fsdecode(folder)]
    while below:
        with os.scandir(below.pop()) as entries:
            for entry in entries:
                if entry.name.lower() == ".git":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif entry.is_symlink() or entry.is_file():
                    yield os.fsencode(Path(entry.path).relative_to(top))


def _remove_index(private: Path) -> None:
    for path in (private, private.with_name(private.name + ".lock")):
        remove(path)


def _ref_part(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", text) or "-"
