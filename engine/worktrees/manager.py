"""Worktrees by name, on branches, for code that manages its own: the interface that users' programs call.

The engine's own steps use the pool instead. Removing one keeps the work in it first; a branch is never removed.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.config.loading import load_config
from engine.errors import ActionRefused, EnvironmentUnfit, NotFound, UsageError
from engine.git.program import Git
from engine.ids import is_safe_name
from engine.workspace import find_workspace
from engine.worktrees import admin, locks
from engine.worktrees.archive import archive_named
from engine.worktrees.mending import mend
from engine.worktrees.named import (
    Named,
    admin_folders,
    drop_half_made,
    forget,
    is_folder,
    read_named,
    write_named,
)
from engine.worktrees.places import REASON, Home, default_worktrees_dir, home_at, place_of
from engine.worktrees.record import read_record
from engine.worktrees.worktree import SETTINGS

_OURS = {**SETTINGS, "core.logAllRefUpdates": "true"}


class WorktreeManager:
    """The named worktrees of one repository: give any folder of it, or of one of its working trees."""

    def __init__(
        self, repo_root: str | os.PathLike[str], *, worktrees_dir: str | os.PathLike[str] | None = None
    ) -> None:
        workspace = find_workspace(Path(repo_root))
        if workspace.git_folder is None:
            raise EnvironmentUnfit(f"{repo_root} is not in a git repository", hint="git init, and make a first commit")
        place = _configured_dir(workspace.root) if worktrees_dir is None else Path(worktrees_dir).absolute()
        self.home: Home = home_at(place_of(place, workspace.git_folder), workspace.git_folder)
        if self.home.pool.is_dir():
            mend(self.home)
        self._git = Git(_git_folder_of(workspace.root, workspace.git_folder), settings=_OURS)

    def create_worktree(self, run_id: str, step_id: str, branch_name: str) -> Path:
        """Make a worktree on a branch; the branch is made at HEAD if there is none. ActionRefused if it is in use."""
        self._check_names(run_id, step_id, branch_name)
        named = Named(run_id, step_id, branch_name)
        path = self.home.path / named.name
        head = self._head()
        self.home.prepare()
        with locks.held(self.home.admin_lock) as admin_lock:
            drop_half_made(self.home)
            if read_named(self.home, named.name) or os.path.lexists(path):
                raise ActionRefused("make", str(path), "it is there already", hint="clean it up first")
            if self.is_branch_checked_out(branch_name):
                raise ActionRefused("use", f"branch {branch_name}", "it is checked out in another working tree")
            self._add(named, path, head, admin_lock)
        return path

    def cleanup_worktree(self, path: str | os.PathLike[str], archive_on_failure: bool = True) -> str | None:
        """Remove a worktree that was made here. What is in it and nowhere else is kept first; the ref is the answer.

        `archive_on_failure=False` gives up what is not committed; commits that are in no branch are kept even so.
        """
        named = self._named_at(Path(path))
        place = self.home.path / named.name
        with locks.held(self.home.admin_lock):
            ref = None
            if is_folder(place):
                admin_folder = self._admin_folder_of(named)
                ref = archive_named(self.home, named.name, admin_folder, is_wanted=archive_on_failure)
            forget(self.home, named.name)
        return ref

    def list_worktrees(self) -> list[dict[str, Any]]:
        """Every worktree of ours, named and pooled, that git knows of."""
        found = []
        for entry in self._listed():
            if told := self._identity(Path(entry["worktree"])):
                branch = entry.get("branch", "").removeprefix("refs/heads/")
                found.append({"path": entry["worktree"], "branch": branch or None, "head": entry.get("HEAD"), **told})
        return found

    def is_branch_checked_out(self, branch_name: str) -> bool:
        """Whether any working tree has the branch, or is rebasing or bisecting it."""
        ref = f"refs/heads/{branch_name}"
        if any(entry.get("branch") == ref for entry in self._listed()):
            return True
        return any(ref in _refs_at_work(folder) for folder in self._all_git_folders())

    # -- within ------------------------------------------------------------------------------------------

    def _add(self, named: Named, path: Path, head: str, admin_lock: int) -> None:
        git, ref = self._git.holding(admin_lock), f"refs/heads/{named.branch}"
        is_new = git.ask("show-ref", "--verify", "--quiet", ref).exit_code != 0
        write_named(self.home, named)
        try:
            if is_new:
                git.tell("update-ref", "-m", "branch: made by minipipe", ref, head, "0" * len(head))
            git.tell("worktree", "add", "--quiet", "--lock", "--reason", REASON, "--", path, named.branch)
        except BaseException:
            drop_half_made(self.home)
            if is_new:
                git.ask("update-ref", "-d", ref, head)
            raise
        write_named(self.home, Named(named.run_id, named.step_id, named.branch, is_made=True))

    def _head(self) -> str:
        done = self._git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if done.exit_code != 0:
            raise EnvironmentUnfit(f"{self.home.common_git_folder} has no commit yet", hint="make a first commit")
        return os.fsdecode(done.output).strip()

    def _check_names(self, run_id: str, step_id: str, branch_name: str) -> None:
        for what, name in (("run id", run_id), ("step id", step_id)):
            if not is_safe_name(name):
                raise UsageError(f"{name!r} cannot be a {what}: letters, digits, - and _ only, at most 64")
        if not self._is_branch_name(branch_name):
            raise UsageError(f"{branch_name!r} cannot be the name of a branch", hint="git help check-ref-format")

    def _is_branch_name(self, name: str) -> bool:
        if not name or name.startswith("-") or "\0" in name or name == "HEAD":
            return False
        done = self._git.ask("check-ref-format", "--branch", name)
        return done.exit_code == 0 and os.fsdecode(done.output).removesuffix("\n") == name

    def _named_at(self, path: Path) -> Named:
        place = path.absolute()
        named = read_named(self.home, place.name) if place.parent.resolve() == self.home.path else None
        if named is None and not os.path.lexists(place):
            raise NotFound("worktree", str(path), hint="list_worktrees() tells which there are")
        if named is None:
            raise ActionRefused("remove", str(path), "it was not made here")
        return named

    def _admin_folder_of(self, named: Named) -> Path:
        place, folders = str(self.home.path / named.name), admin_folders(self.home, named.name)
        if not folders:
            raise ActionRefused(
                "remove", place, "git knows it no more", hint="look what is in it, and remove it yourself"
            )
        if is_folder(folders[0] / "modules"):
            raise ActionRefused("remove", place, "it has submodules of its own, whose commits would be lost")
        return folders[0]

    def _identity(self, path: Path) -> dict[str, str | None] | None:
        """Whose a worktree is; None if it is not ours."""
        if path.parent == self.home.path and (named := read_named(self.home, path.name)):
            return {"run_id": named.run_id, "step_id": named.step_id, "kind": "named"}
        if path.parent == self.home.pool and path.name.startswith(self.home.prefix):
            record = read_record(path.with_name(path.name + ".json"))
            run_id, step_id = (record.run_id, record.step_id) if record else (None, None)
            return {"run_id": run_id, "step_id": step_id, "kind": "pooled"}
        return None

    def _listed(self) -> Iterator[dict[str, str]]:
        """What `git worktree list` tells of each working tree, by git's own words."""
        for block in self._git.tell("worktree", "list", "--porcelain", "-z").split(b"\0\0"):
            lines = [os.fsdecode(line).partition(" ") for line in block.split(b"\0") if line]
            if lines:
                yield {key: value for key, _, value in lines}

    def _all_git_folders(self) -> list[Path]:
        try:
            linked = sorted(self.home.admin_folders.iterdir())
        except OSError:
            linked = []
        return [self.home.common_git_folder, *linked]


def _configured_dir(root: Path) -> Path:
    told = load_config(root, environ=os.environ).worktrees.dir
    return Path(told).expanduser().absolute() if told else default_worktrees_dir()


def _git_folder_of(root: Path, common_git_folder: Path) -> Path:
    """The git folder of one working tree, whose HEAD counts."""
    text = (admin.read_small(root / ".git") or "").rstrip("\n")
    if not text.startswith("gitdir: "):
        return common_git_folder
    return (root / text.removeprefix("gitdir: ")).resolve()


def _refs_at_work(git_folder: Path) -> set[str]:
    """The branches that a rebase or bisect in a working tree will move, though HEAD does not name them."""
    refs = {
        (admin.read_small(git_folder / state / "head-name") or "").strip() for state in ("rebase-merge", "rebase-apply")
    }
    # Of each three lines the first is a ref; the others are the commits before and after.
    refs.update((admin.read_small(git_folder / "rebase-merge" / "update-refs") or "").splitlines()[::3])
    if started := (admin.read_small(git_folder / "BISECT_START") or "").strip():
        refs.add(f"refs/heads/{started.removeprefix('refs/heads/')}")
    return refs
