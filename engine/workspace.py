"""Where things are: the folder that steps work in, and the `.minipipe` folder that holds our memory of it.

Found by looking at files only, so that asking costs no process. In a repository `.minipipe` stands at the top of the
main working tree (in the git directory of a bare one), wherever in the repository one stands.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EnvironmentUnfit

STATE_FOLDER = ".minipipe"
DATABASE = "state.db"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder to work in. `git_folder` is None where there is no repository."""

    root: Path
    state_folder: Path
    git_folder: Path | None = None

    @property
    def database_path(self) -> Path:
        return self.state_folder / DATABASE

    @property
    def audit_path(self) -> Path:
        return self.state_folder / "events.jsonl"

    @property
    def wake_folder(self) -> Path:
        """Where processes leave the sockets on which they can be woken."""
        return self.state_folder / "wake"

    def run_folder(self, run_id: str) -> Path:
        """Logs, values and the lock of one run."""
        return self.state_folder / "runs" / run_id

    def prepare(self) -> None:
        """Make the state folder: for the owner alone, and invisible to git."""
        _refuse_link(self.state_folder)
        try:
            self.state_folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self.state_folder / ".gitignore"
            if not _read_line(ignore):  # A full disk, or a kill, leaves an empty one.
                ignore.write_text("*\n")
        except OSError as error:
            raise EnvironmentUnfit(
                f"cannot write {self.state_folder}: {error.strerror}",
                hint="check the owner and mode of the folder",
            ) from error


def find_workspace(start: Path) -> Workspace:
    """The workspace around a folder: its repository, else the nearest folder that was used before, else itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if found := _repository_at(folder):
            return found
    for folder in (start, *start.parents):
        if (folder / STATE_FOLDER / DATABASE).is_file():
            return Workspace(folder, folder / STATE_FOLDER)
    return Workspace(start, start / STATE_FOLDER)


def _repository_at(folder: Path) -> Workspace | None:
    marker = folder / ".git"
    if marker.is_dir():
        return Workspace(folder, folder / STATE_FOLDER, marker)
    if marker.is_file():
        return _linked_at(folder, marker)
    if _is_git_folder(folder):
        return Workspace(folder, folder / STATE_FOLDER, folder)
    return None


def _linked_at(folder: Path, marker: Path) -> Workspace | None:
    """A linked working tree or a submodule: `.git` is a file that names the real folder."""
    text = _read_line(marker)
    if not text.startswith("gitdir:"):
        return None
    git_folder = (folder / text.removeprefix("gitdir:").strip()).resolve()
    if common := _read_line(git_folder / "commondir"):
        main = (git_folder / common).resolve()
        top = main.parent if main.name == ".git" else main
        return Workspace(folder, top / STATE_FOLDER, main)
    return Workspace(folder, folder / STATE_FOLDER, git_folder)


def _is_git_folder(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _read_line(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape").strip()
    except OSError:
        return ""


def _refuse_link(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise EnvironmentUnfit(f"{path} is not a plain folder", hint="move it away: minipipe never follows a link here")
