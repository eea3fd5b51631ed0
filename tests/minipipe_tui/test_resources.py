"""Data files are found where the program runs from."""

import pytest

from engine.errors import EnvironmentUnfit
from minipipe_tui.resources import data_folder


def test_themes_are_found() -> None:
    assert (data_folder("themes") / "dark.toml").is_file()


def test_a_missing_folder_is_a_broken_installation() -> None:
    with pytest.raises(EnvironmentUnfit, match="nothing-like-this") as caught:
        data_folder("nothing-like-this")
    assert caught.value.hint == "install minipipe again"
