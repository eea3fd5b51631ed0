"""A repository as a run finds it: where its parts are, what is checked out, and what in it wants special care."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentUnfit, GitFailed
from engine.git.objects import resolve_commit
from engine.git.program import Git, common_folder
from engine.git.refs import branch_ref, list_refs


@dataclass(frozen=True, slots=True)
class Repository:
    """What `find_repository` found."""

    git: Git
    """git for its object database and refs, away from any working tree."""
    root: Path | None
    """The working tree that one stands in; None in a bare repository."""
    own_folder: Path
    """The git folder of that working tree: HEAD is there."""

    @property
    def common(self) -> Path:
        return self.git.git_folder

    @property
    def here(self) -> Git:
        """git as seen from the working tree that one stands in, its HEAD and its index."""
        return Git(self.own_folder, self.root)


def find_repository(root: Path, git_folder: Path) -> Repository:
    """The repository whose shared git folder is known; refused where its settings point elsewhere."""
    own = _own_folder(root, git_folder)
    git = Git(common_folder(git_folder))
    asked = git.ask("config", "--get", "core.worktree")
    if asked.exit_code not in (0, 1):
        check_readable(git)
    if asked.exit_code == 0 and not _is_submodule(git.git_folder):
        raise EnvironmentUnfit(
            f"the repository {root} keeps its files elsewhere (core.worktree)",
            hint="git config --unset core.worktree, or work in a plain clone",
        )
    is_bare = root == git_folder or root == git.git_folder
    return Repository(git, None if is_bare else root, own)


def check_readable(git: Git) -> None:
    """Raise EnvironmentUnfit where git finds no sound repository any more: nothing can go on, and nothing is lost."""
    try:
        list_refs(git, branch_ref(""))
    except GitFailed as error:
        why = f"the repository {git.git_folder} cannot be read any more: {error.said}"
        raise EnvironmentUnfit(why, hint="repair it, then minipipe resume") from error


@contextmanager
def telling_if_unreadable(git_folder: Path | None) -> Iterator[None]:
    """Of a repository that cannot be read any more there is something better to say than what git could not do."""
    try:
        yield
    except GitFailed:
        if git_folder is not None:
            check_readable(Git(common_folder(git_folder)))
        raise


def _own_folder(root: Path, git_folder: Path) -> Path:
    """In a linked working tree `.git` is a file that names its folder."""
    marker = root / ".git"
    if marker.is_file():
        text = marker.read_text(errors="surrogateescape").strip()
        return (root / text.removeprefix("gitdir:").strip()).resolve()
    return git_folder


def _is_submodule(git_folder: Path) -> bool:
    return "modules" in git_folder.parts


def head_commit(repository: Repository) -> str | None:
    """The commit that is checked out, if there is one."""
    return resolve_commit(repository.here, "HEAD")


def head_branch(repository: Repository) -> str | None:
    """The branch that is checked out; None when HEAD is detached."""
    done = repository.here.ask("symbolic-ref", "--quiet", "HEAD")
    name = done.output.decode(errors="surrogateescape").strip()
    return name.removeprefix(branch_ref("")) if done.exit_code == 0 and name.startswith(branch_ref("")) else None


def is_branch_name(git: Git, name: str) -> bool:
    return not name.startswith("-") and git.ask("check-ref-format", branch_ref(name)).exit_code == 0


def peculiarities(repository: Repository, commit: str) -> list[str]:
    """What steps in working trees of their own will find otherwise than in the user's."""
    found = []
    modes = repository.git.tell("ls-tree", "-r", "-z", "--format=%(objectmode)", commit)
    if b"160000" in modes:
        found.append("submodules: their folders are empty in the steps' worktrees")
    filters = repository.git.ask("grep", "-q", "-e", "filter=", commit, "--", ".gitattributes", "**/.gitattributes")
    if filters.exit_code == 0:
        found.append("filters (such as LFS) are not run: in the steps' worktrees such files are as git stores them")
    return found
