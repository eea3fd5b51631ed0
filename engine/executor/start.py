"""Where a run's changes begin and where they are to go, settled when the run is made."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from engine.errors import EnvironmentUnfit, UsageError
from engine.executor.settings import RunSettings
from engine.git.refs import branch_ref, read_ref
from engine.git.repository import Repository, find_repository, head_branch, head_commit, is_branch_name, peculiarities
from engine.workspace import Workspace

NO_TARGET = "none"
"""What `--target` says where everything is to stay on the run's own branch."""


class Start(NamedTuple):
    """The commit that a run begins at, and the branch that its changes go to at the end, if any."""

    base_commit: str | None = None
    target: str | None = None
    warnings: tuple[str, ...] = ()


def start_of(workspace: Workspace, settings: RunSettings, *, target: str | None = None) -> Start:
    """By default: the branch that is checked out where one stands, and back to it."""
    if settings.isolation == "none":
        if target not in (None, NO_TARGET):
            raise UsageError("--target: with isolation none nothing is captured, so nothing can go anywhere")
        return Start()
    assert workspace.git_folder is not None
    repository = find_repository(workspace.root, workspace.git_folder)
    if not os.access(repository.common / "objects", os.W_OK):
        raise EnvironmentUnfit(f"cannot write in {repository.common}", hint="check the owner and mode of the folder")
    branch = head_branch(repository) if target is None else None if target == NO_TARGET else target
    base = _base(repository, branch)
    return Start(base, branch, tuple(_warnings(repository, base, branch, target)))


def _base(repository: Repository, branch: str | None) -> str:
    """A run begins where its target is; without one, at what is checked out."""
    if branch is not None:
        if not is_branch_name(repository.git, branch):
            raise UsageError(f"--target: {branch!r} cannot be the name of a branch")
        found = read_ref(repository.git, branch_ref(branch))
        if found is None:
            raise UsageError(f"--target: there is no branch {branch!r}", hint=f"git branch {branch}")
        if not _is_text(branch):
            raise EnvironmentUnfit(
                f"the name of the branch {branch!r} is not UTF-8 text", hint="--target BRANCH, or --target none"
            )
        return found
    head = head_commit(repository)
    if head is None:
        raise EnvironmentUnfit(f"the repository {repository.root} has no commit yet", hint="commit once")
    return head


def _warnings(repository: Repository, base: str, branch: str | None, target: str | None) -> Iterator[str]:
    yield from peculiarities(repository, base)
    if branch is None and target is None:
        yield "no branch is checked out (HEAD is detached): what is committed stays on the run's own branch"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
