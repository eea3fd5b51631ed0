"""Where the data files that come with the program are: `themes` and `plans`.

An installed wheel carries them inside this package; in a checkout they stand beside it.
"""

from pathlib import Path

from engine.errors import EnvironmentUnfit

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """The folder of data files with this name, wherever the program runs from."""
    inside = _PACKAGE / name
    if inside.is_dir():
        return inside
    checkout = _PACKAGE.parent
    # Beside an installed package stands site-packages, whose folders belong to others.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise EnvironmentUnfit(f"the folder {name!r} of this installation is missing", hint="install minipipe again")
