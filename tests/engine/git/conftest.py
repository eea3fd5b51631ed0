"""A repository for each test, and GitPython to ask for a second opinion."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from git import Repo as PythonRepo

from engine.git.program import Git
from tests.engine.repository import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path, {"src/b.txt": "b\n", "bin.dat": bytes(range(256)), "run.sh": "#!/bin/sh\n"})


@pytest.fixture
def git(repo: Repo) -> Git:
    return Git(repo.root / ".git")


@pytest.fixture
def second(repo: Repo) -> PythonRepo:
    return PythonRepo(repo.root)
