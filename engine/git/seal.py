"""A git folder of our own that stands for a repository's where only its objects count.

Attributes, settings, refs and grafts of the repository, whoever wrote them, have no say in what is asked through it.
What does count is data: which format its objects have, what it ignores, how it shares its files. It is made for one
process, in the system's folder for what is temporary, and holds nothing that anybody would miss.
"""

import atexit
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
        return (self.folder / "HEAD").is_file()


def make_seal(common: Path, git_folder: Path, settings: Mapping[str, str]) -> Seal:
    """Make one; gone at the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix="minipipe-git-"))
    for name in ("refs", "info"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_bytes(b"".join(_lines(settings)))
    for name, place in zip(_LINKED, (common, git_folder), strict=True):
        (folder / name).symlink_to(place.absolute() / name)
    atexit.register(_remove, folder, os.getpid())
    places = {"GIT_DIR": folder, "GIT_OBJECT_DIRECTORY": common / "objects", "GIT_CONFIG_GLOBAL": Path(os.devnull)}
    if (shallow := common / "shallow").is_file():
        places["GIT_SHALLOW_FILE"] = shallow
    return Seal(folder, places)


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


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
