"""Repositories in folders of their own, with an environment in which nobody's settings count."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.lab import NUMBERS, ROOT, Repo


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment without settings of the person who runs the tests."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MINIPIPE_", "GIT_"))}
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.invalid\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
    )
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


@pytest.fixture
def make(tmp_path: Path, environ: dict[str, str]) -> Callable[..., Repo]:
    """Makes a repository with one commit of `a.txt` and `lib/b.txt`."""

    def build(name: str | bytes = "repo", *init: str, is_empty: bool = False) -> Repo:
        path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
        beside = tmp_path / f"beside{next(NUMBERS)}"
        path.mkdir(parents=True)
        beside.mkdir()
        repo = Repo(path, beside, environ)
        repo.git("init", "--quiet", "--template=", *init)
        if not is_empty:
            repo.commit("first", **{"a.txt": "one\ntwo\nthree\n", "lib/b.txt": "beta\n"})
        return repo

    return build


@pytest.fixture
def repo(make: Callable[..., Repo]) -> Repo:
    return make()
