"""Where things are: the folder that steps work in, and the `.minipipe` folder that holds our memory of it.

Found by looking at files only, so that asking costs no process. In a repository `.minipipe` stands at the top of the
main working tree (in the git directory of a bare one), wherever in the repository one stands.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

from engine.errors import EnvironmentUnfit

STATE_FOLDER = ".minipipe"
DATABASE = "state.db"


class Workspace(NamedTuple):
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
        _refuse_bytes(self.root)
        _refuse_link(self.state_folder)
        if self.git_folder is not None:
            _refuse_tracked(self.state_folder, self.git_folder)
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
    if folder.name != ".git" and _is_git_folder(folder):
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


def _refuse_bytes(root: Path) -> None:
    """Paths are kept as text, so that every program can read them."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        shown = str(root).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise EnvironmentUnfit(f"the path {shown} is not UTF-8 text", hint="rename that folder") from None


def _refuse_link(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise EnvironmentUnfit(f"{path} is not a plain folder", hint="move it away: minipipe never follows a link here")


def _refuse_tracked(state_folder: Path, git_folder: Path) -> None:
    """A repository that brings a state folder along wants us to believe its memory, and perhaps to obey it."""
    if _may_track(git_folder / "index") and _does_track(state_folder, git_folder):
        raise EnvironmentUnfit(
            f"{state_folder} is tracked by the repository: what is in it is not ours",
            hint=f"look at it, then `git rm -r --cached {STATE_FOLDER}` and move it away",
        )


def _may_track(index: Path) -> bool:
    """Whether git must be asked. Plain entries hold whole paths; those of version 4 and of a split index do not."""
    try:
        content = index.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    is_compressed, is_split = content[4:8] == b"\0\0\0\4", any(index.parent.glob("sharedindex.*"))
    return is_compressed or is_split or f"{STATE_FOLDER}/".encode() in content


def _does_track(state_folder: Path, git_folder: Path) -> bool:
    # Only here: it loads what a look at the state of things never needs.
    from engine.process.capture import capture

    listed = capture(
        ["git", f"--git-dir={git_folder}", "-c", "core.fsmonitor=false", "ls-files", "--", f"{STATE_FOLDER}/"],
        cwd=state_folder.parent,
    )
    if listed.exit_code != 0:
        raise EnvironmentUnfit(f"git cannot tell what {state_folder.parent} tracks: {listed.errors.strip()}")
    return listed.output != ""


def write_for_owner(path: Path, content: bytes) -> None:
    """Put a file in its place at once, whole, readable by its owner alone; never through a link that stands there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
