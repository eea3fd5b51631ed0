"""A git folder of our own that stands for a repository's where only its objects count.

Attributes, settings, refs and grafts of the repository, whoever wrote them, have no say in what is asked through it.
What does count is data: which format its objects have, what it ignores, how it shares its files. It is made for one
process, in the system's folder for what is temporary, and holds nothing that anybody would miss.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KEPT = r"^(core\.(sharedrepository|excludesfile)|extensions\.(objectformat|partialclone)|remote\..*\.promisor)$"
"""The settings of a repository that say what its objects are and what it ignores; they start nothing."""

_LINKED = ("info/exclude", "info/sparse-checkout")


@dataclass(frozen=True, slots=True)
class Seal:
    """The folder, and what leads git to it and from there to the objects."""

    folder: Path
    places: Mapping[str, Path]

    @property
    def is_there(self) -> bool:
        """Whether nobody has cleared it away, or put into it what it is there to keep out."""
        return (self.folder / "HEAD").is_file() and not (self.folder / "info" / "attributes").exists()


def make_seal(common: Path, git_folder: Path, settings: Mapping[str, str]) -> Seal:
    """Make one; gone at the end of the process, or when the next process makes its first."""
    folder = Path(tempfile.mkdtemp(dir=_home()))
    for name in ("refs", "info"):
        (folder / name).mkdir()
    (folder / "config").write_bytes(b"".join(_lines(settings)))
    for name, place in zip(_LINKED, (common, git_folder), strict=True):
        (folder / name).symlink_to(place.absolute() / name)
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    places = {"GIT_DIR": folder, "GIT_OBJECT_DIRECTORY": common / "objects", "GIT_CONFIG_GLOBAL": Path(os.devnull)}
    if (shallow := common / "shallow").is_file():
        places["GIT_SHALLOW_FILE"] = shallow
    return Seal(folder, places)


# -- where they are --------------------------------------------------------------------------------------

_PREFIX = "minipipe-git-"
_homes: dict[int, Path] = {}


def _home() -> Path:
    """The folder of this process, which it holds a lock of as long as it lives."""
    home = _homes.get(os.getpid())
    if home is None or not home.is_dir():
        _sweep(Path(tempfile.gettempdir()))
        home = _homes[os.getpid()] = Path(tempfile.mkdtemp(prefix=_PREFIX))
        descriptor = os.open(home / "fresh", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Under this name only once it is held: nobody who sweeps may take it for that of a dead process.
        (home / "fresh").rename(home / "lock")
        atexit.register(_remove, home, os.getpid())
    return home


def _remove(home: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(home, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes have left that were killed."""
    for home in folder.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(home / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # Somebody else's, or just being made.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(home, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


def _lines(settings: Mapping[str, str]) -> list[bytes]:
    lines = ["[core]\n\trepositoryformatversion = 1\n\tbare = true\n"]
    for name, value in settings.items():
        section, _, key = name.rpartition(".")
        kind, _, rest = section.partition(".")
        title = f'[{kind} "{_escaped(rest)}"]' if rest else f"[{kind}]"
        value = str(Path(value).expanduser()) if key == "excludesfile" else value
        lines.append(f'{title}\n\t{key} = "{_escaped(value)}"\n')
    return [os.fsencode(line) for line in lines]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
