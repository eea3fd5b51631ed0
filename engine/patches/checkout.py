"""The working trees that have a branch checked out: which they are, and whether the branch may move under them.

Only looks; nothing of the user's is changed here. A tree is fit to follow its branch if git is in the middle of nothing
there, nothing is staged or changed, and no file that git does not know, ignored or not, is in the way.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.git.changes import NO_MODE, shown_path
from engine.git.index import private_index
from engine.git.objects import Entry
from engine.git.program import Git
from engine.git.refs import branch_ref, read_ref

Delta = Mapping[bytes, tuple[Entry | None, Entry | None]]
"""What stands at each changed path before and after; None where nothing does."""

_NAMED = 10
_LOCK_SECONDS = 2.0
_PAUSE_SECONDS = 0.05

_UNDER_WAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or `git am`",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_START": "a bisection",
    "sequencer": "a cherry-pick or revert",
}

_WAYS = ("autocrlf", "eol", "safecrlf", "filemode", "symlinks", "trustctime", "checkstat", "ignorecase",
         "precomposeunicode", "attributesfile")  # fmt: skip
"""How the user's own git writes files: settings that start nothing, and that a tree was checked out by."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a branch is left where it is, and what a person can do about it."""

    why: str
    advice: str = ""
    """What to do before it can be tried again."""
    is_for_git: bool = False
    """Trying again would not help: it has to be done by hand, with git."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree that is on a branch, or that will come back to it."""

    root: Path
    git_folder: Path
    doing: str = ""
    """`rebased` or `bisected`: the branch is not checked out, but git counts it as in use."""

    @property
    def is_placed(self) -> bool:
        """Whether the root is known: of a main working tree whose git folder stands apart, git records no place."""
        return self.root != self.git_folder


def users_git(git: Git, checkout: Checkout) -> Git:
    """git in a working tree of the user's: fenced as always, but reading and writing files as theirs does."""
    here = Git(checkout.git_folder, checkout.root, None, git.held)
    return Git(checkout.git_folder, checkout.root, None, git.held, _ways(here))


def _ways(git: Git) -> dict[str, str]:
    pattern = rf"^core\.({'|'.join(_WAYS)})$"
    found = {f"core.{name}": value for name, value in _configured(git, pattern)}
    if "core.attributesfile" not in found:
        folder = os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME") or "/nonexistent", ".config")
        found["core.attributesfile"] = str(Path(folder, "git", "attributes"))
    return found


def _configured(git: Git, pattern: str) -> Iterator[tuple[str, str]]:
    """What files say about settings, weakest first, without the first part of their names; what we say ourselves is
    left out. The system's file, which our own git does not read, is one that the user's git obeys.
    """
    for setting in git.ask("config", "--system", "--null", "--get-regexp", pattern).output.split(b"\0"):
        name, _, value = os.fsdecode(setting).partition("\n")
        if name:
            yield name.partition(".")[2], value
    fields = git.ask("config", "--includes", "--show-scope", "--null", "--get-regexp", pattern).output.split(b"\0")
    for scope, setting in zip(fields[::2], fields[1::2], strict=False):
        name, _, value = os.fsdecode(setting).partition("\n")
        if scope != b"command":
            yield name.partition(".")[2], value


# -- where a branch is checked out -----------------------------------------------------------------------


def find_checkouts(git: Git, ref: str) -> list[Checkout]:
    """Every working tree that has a branch, as git counts it."""
    if not ref.startswith(branch_ref("")):
        return []
    folders = list(_git_folders(git))
    has_it = _roots_on(git, ref)
    found = [Checkout(root, folder) for folder, root in folders if root in has_it]
    return found + [Checkout(root, folder, doing) for folder, root in folders if (doing := _comes_back(folder, ref))]


def tree_without_branch(git: Git) -> Path | None:
    """A working tree with files in it whose HEAD names a branch that there is not."""
    for folder, root in _git_folders(git):
        head = "".join(_lines(folder / "HEAD")[:1])
        if head.startswith("ref: ") and (folder / "index").is_file() and read_ref(git, head[5:].strip()) is None:
            return root
    return None


def _git_folders(git: Git) -> Iterator[tuple[Path, Path]]:
    """The git folder and the root of the main working tree and of every linked one."""
    common = git.git_folder
    yield common, _main_root(git)
    admin = common / "worktrees"
    for folder in sorted(admin.iterdir()) if admin.is_dir() else ():
        try:
            marker = Path(os.fsdecode((folder / "gitdir").read_bytes().rstrip(b"\n")))
        except OSError:
            continue
        yield folder, Path(os.path.normpath(folder / marker)).parent


def _main_root(git: Git) -> Path:
    common = git.git_folder
    if common.name == ".git":
        return common.parent
    done = git.ask("config", "--local", "--get", "core.worktree")
    return Path(os.path.normpath(common / os.fsdecode(done.output).rstrip("\n"))) if done.exit_code == 0 else common


def _roots_on(git: Git, ref: str) -> set[Path]:
    found: set[Path] = set()
    entries = git.tell("worktree", "list", "--porcelain", "-z").rstrip(b"\0").split(b"\0\0")
    for place, entry in enumerate(entries):
        lines = entry.split(b"\0")
        if b"branch " + os.fsencode(ref) in lines:
            # What git says of the main tree's place is wrong for a submodule.
            is_main = place == 0
            found.add(_main_root(git) if is_main else Path(os.fsdecode(lines[0].removeprefix(b"worktree "))))
    return found


def _comes_back(git_folder: Path, ref: str) -> str:
    """What is done in a tree that began on a branch, and that will move it or go back to it at the end."""
    for name in ("rebase-merge/head-name", "rebase-apply/head-name", "rebase-merge/update-refs"):
        if ref in _lines(git_folder / name):
            return "rebased"
    short = ref.removeprefix(branch_ref(""))
    return "bisected" if {ref, short} & set(_lines(git_folder / "BISECT_START")) else ""


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []


# -- whether a tree is fit -------------------------------------------------------------------------------


def locks_of(git: Git, checkout: Checkout | None, ref: str) -> list[Path]:
    """The lock files that moving a branch makes."""
    locks = [Path(f"{git.git_folder / ref}.lock")]
    if checkout is not None:
        locks += [checkout.git_folder / name for name in ("index.lock", "HEAD.lock", "ORIG_HEAD.lock")]
    return locks


def refusal_by_locks(locks: Sequence[Path], *, patience_seconds: float = _LOCK_SECONDS) -> Refusal | None:
    """Wait for whoever works there; a lock that stays is somebody else's, and left alone."""
    deadline = time.monotonic() + patience_seconds
    while held := [lock for lock in locks if lock.exists()]:
        if time.monotonic() > deadline:
            return Refusal(f"{held[0]} is there: another git is at work, or died", "remove it if none is")
        time.sleep(_PAUSE_SECONDS)
    return None


def is_git_at_work_in(root: Path) -> bool:
    """Whether a git runs that was started in a tree: one that waits for an editor holds its lock meanwhile."""
    top = root.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().startswith("git") and (process / "cwd").readlink().is_relative_to(top):
                return True
        except OSError:
            continue  # It has ended, or is somebody else's.
    return False


def refusal_by_tree(git: Git, checkout: Checkout, old: str, new: str) -> Refusal | None:
    """Why a working tree cannot follow its branch from one commit to another; None if it can."""
    root = checkout.root
    if not root.is_dir():
        return Refusal(f"it is checked out in {root}, which is gone", "git worktree prune")
    for name, what in _UNDER_WAY.items():
        if (checkout.git_folder / name).exists():
            return Refusal(f"{what} is under way in {root}", "finish or abort it")
    if dirty := dirty_paths(users_git(git, checkout)):
        return Refusal(f"{root} has changes that are not committed: {_some(dirty)}", "commit or stash them")
    delta = delta_between(git, old, new)
    if filtered := filtered_paths(users_git(git, checkout), delta, old, new):
        return Refusal(
            f"filters that minipipe does not start are to act on {_some(filtered)} in {root}", is_for_git=True
        )
    if in_the_way := paths_in_the_way(root, delta):
        return Refusal(f"files in {root} would be overwritten: {_some(in_the_way)}", "move them away")
    return None


def _some(paths: Sequence[bytes]) -> str:
    shown = ", ".join(shown_path(path) for path in paths[:_NAMED])
    return shown + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def dirty_paths(tree: Git) -> list[bytes]:
    """What is staged, changed or in conflict. Work inside a submodule is not its parent's."""
    output = tree.tell("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=dirty",
                       "--no-renames")  # fmt: skip
    return [entry[3:] for entry in output.split(b"\0") if entry]


def delta_between(git: Git, old: str, new: str) -> Delta:
    """Every path at which two commits differ; a rename is one path less and another one more."""
    output = git.tell("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
    fields = output.split(b"\0")
    delta = {}
    for facts, path in zip(fields[::2], fields[1::2], strict=False):
        old_mode, new_mode, old_id, new_id, _ = facts[1:].decode().split(" ")
        delta[path] = (
            None if old_mode == NO_MODE else Entry(old_mode, old_id),
            None if new_mode == NO_MODE else Entry(new_mode, new_id),
        )
    return delta


def filtered_paths(tree: Git, delta: Delta, *commits: str) -> list[bytes]:
    """The changed paths whose files pass through a program that is configured here, before or after the change."""
    pattern = r"^filter\..*\.(clean|smudge|process)$"
    drivers = {name.rpartition(".")[0] for name, value in _configured(tree, pattern) if value}
    if not drivers or not delta:
        return []
    found: set[bytes] = set()
    for commit in commits:
        with private_index(tree) as own:
            own.tell("read-tree", commit)
            output = own.tell("check-attr", "--cached", "-z", "--stdin", "filter", stdin=b"\0".join(delta) + b"\0")
        fields = output.split(b"\0")
        pairs = zip(fields[::3], fields[2::3], strict=False)
        found.update(path for path, value in pairs if os.fsdecode(value) in drivers)
    return sorted(found)


def paths_in_the_way(root: Path, delta: Delta) -> list[bytes]:
    """Files that git does not know and that the new commit would put something else in the place of."""
    leaving = {path for path, (old, _) in delta.items() if old is not None}
    found: set[bytes] = set()
    for path, (old, _) in delta.items():
        if old is None:
            found.update(_in_the_way(os.fsencode(root), path, leaving))
    return sorted(found)


def _in_the_way(root: bytes, path: bytes, leaving: set[bytes]) -> Iterator[bytes]:
    for above in folders_above(path):
        mode = mode_of(os.path.join(root, above))
        if mode is None:
            return
        if not stat.S_ISDIR(mode):
            if above not in leaving:
                yield above
            return
    mode = mode_of(os.path.join(root, path))
    if mode is not None and stat.S_ISDIR(mode):
        yield from (file for file in files_below(root, path) if file not in leaving)
    elif mode is not None and path not in leaving:
        yield path


def folders_above(path: bytes) -> list[bytes]:
    """The folders that a path is in, outermost first."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[: count + 1]) for count in range(len(parts))]


def mode_of(path: bytes) -> int | None:
    """What is at a place, links not followed; None for nothing."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def files_below(root: bytes, folder: bytes) -> Iterator[bytes]:
    """Everything in a folder that is not a folder itself, as paths from the root."""
    for place, folders, files in os.walk(os.path.join(root, folder)):
        links = [name for name in folders if stat.S_ISLNK(os.lstat(os.path.join(place, name)).st_mode)]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(place, name), root)
