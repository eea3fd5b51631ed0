"""Data files are found where the program runs from."""

from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit
from minipipe_tui import resources
from minipipe_tui.resources import data_folder


def test_themes_are_found() -> None:
    assert (data_folder("themes") / "dark.toml").is_file()


def test_a_missing_folder_is_a_broken_installation() -> None:
    with pytest.raises(EnvironmentUnfit, match="nothing-like-this") as caught:
        data_folder("nothing-like-this")
    assert caught.value.hint == "install minipipe again"


def test_an_installed_package_carries_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "minipipe_tui")
    (tmp_path / "minipipe_tui" / "plans").mkdir(parents=True)
    assert data_folder("plans") == tmp_path / "minipipe_tui" / "plans"


def test_folders_of_others_in_site_packages_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "minipipe_tui")
    (tmp_path / "plans").mkdir()
    with pytest.raises(EnvironmentUnfit):
        data_folder("plans")
