"""Where worktrees are on the disk, and what belongs to each: names and paths, and the folders made for the owner alone.

The names of pooled worktrees hold a mark of their home, so that what git keeps of them in the repository tells, even
half made, whose it is.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.config.keys import Config
from engine.errors import EnvironmentUnfit

PREFIX = "minipipe-"
REASON = "minipipe"
"""What `git worktree list` says about why our worktrees are locked."""


def default_worktrees_dir() -> Path:
    """The place of our own for working trees: in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "minipipe" / "worktrees"


def place_of(worktrees_dir: Path, common_git_folder: Path) -> Path:
    """The home of one repository's worktrees: its name for people, a hash of its path to tell it from others."""
    folder = common_git_folder.resolve()
    name = folder.parent.name if folder.name == ".git" else folder.name.removesuffix(".git")
    shown = re.sub(r"[^A-Za-z0-9-]+", "-", name).strip("-")[:40] or "repository"
    return worktrees_dir / f"{shown}-{_mark(folder)}"


def home_in(config: Config, common_git_folder: Path) -> Path:
    """Where the worktrees of a repository are, as the configuration has it."""
    folder = Path(config.worktrees.dir).expanduser() if config.worktrees.dir else default_worktrees_dir()
    return place_of(folder, common_git_folder)


def _mark(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a pool. The worktree in it may be missing, half made or somebody's; the lock file always stays."""

    home: "Home"
    number: int

    @property
    def name(self) -> str:
        return f"{self.home.prefix}{self.number:02}"

    @property
    def path(self) -> Path:
        return self.home.pool / self.name

    @property
    def lock(self) -> Path:
        return self.home.pool / f"{self.name}.lock"

    @property
    def index(self) -> Path:
        return self.home.pool / f"{self.name}.index"

    @property
    def record(self) -> Path:
        return self.home.pool / f"{self.name}.json"

    @property
    def git_folder(self) -> Path:
        return self.home.admin_folders / self.name


@dataclass(frozen=True, slots=True)
class Home:
    """The folder that holds all worktrees of one repository."""

    path: Path
    common_git_folder: Path

    @property
    def pool(self) -> Path:
        return self.path / "pool"

    @property
    def pool_lock(self) -> Path:
        """Held for moments: by whoever looks which slots are free."""
        return self.path / "pool.lock"

    @property
    def admin_lock(self) -> Path:
        """Held while git makes a worktree or one is removed: git's own records of them are not safe from each other."""
        return self.path / "admin.lock"

    @property
    def admin_folders(self) -> Path:
        return self.common_git_folder / "worktrees"

    @property
    def prefix(self) -> str:
        return f"{PREFIX}{_mark(self.path)}-"

    def slots(self) -> list[Slot]:
        """Every slot of which there is anything, here or in the repository."""
        numbers = {number for name in _names(self.pool) if (number := self._number(name)) is not None}
        numbers |= {number for name in _names(self.admin_folders) if (number := self._number(name)) is not None}
        return [Slot(self, number) for number in sorted(numbers)]

    def _number(self, name: str) -> int | None:
        found = re.fullmatch(re.escape(self.prefix) + r"([0-9]{2,6})(\.lock|\.json|\.index)?", name)
        return int(found[1]) if found else None

    def prepare(self) -> None:
        """Make the folders, for the owner alone. A place inside the repository, or behind a link, is refused."""
        top = self.common_git_folder.parent if self.common_git_folder.name == ".git" else self.common_git_folder
        if self.path.is_relative_to(top):
            raise EnvironmentUnfit(
                f"{self.path} is inside the repository: a step there could reach the repository's own files",
                hint="set worktrees.dir to a folder elsewhere",
            )
        try:
            for folder in (self.path, self.pool):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _refuse_link(folder)
        except OSError as error:
            raise EnvironmentUnfit(
                f"cannot make {error.filename}: {error.strerror}", hint="set worktrees.dir to a folder of your own"
            ) from error


def home_at(path: Path, common_git_folder: Path) -> Home:
    """A home, by the resolved paths of both: links above them are nobody's attack."""
    return Home(path.resolve(), common_git_folder.resolve())


def _refuse_link(folder: Path) -> None:
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EnvironmentUnfit(f"{folder} is not a plain folder of yours", hint="move it away")


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from os.listdir(folder)  # noqa: PTH208 (names are enough)
    except (FileNotFoundError, NotADirectoryError):
        return
