"""Asking git: fenced, and unfit rather than failed where it is missing."""

import os
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit
from engine.git.program import OLDEST, ask_git, git_version, look_at_head, tell_git


def test_the_version_is_read(tmp_path: Path) -> None:
    assert git_version(tmp_path) >= OLDEST


def test_a_commit_is_noticed(tmp_path: Path) -> None:
    tell_git("init", "--quiet", "--template=", cwd=tmp_path)
    assert not look_at_head(tmp_path).has_commit
    identity = ("-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false")
    assert ask_git(*identity, "commit", "--quiet", "--allow-empty", "-m", "x", cwd=tmp_path).exit_code == 0
    assert look_at_head(tmp_path).has_commit


def test_a_refusal_tells_what_git_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnfit, match=r"git rev-parse failed in .*: fatal: not a git repository"):
        tell_git("rev-parse", "HEAD", cwd=tmp_path)


def test_a_missing_git_is_an_unfit_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(EnvironmentUnfit) as caught:
        ask_git("--version", cwd=tmp_path)
    assert "install git" in caught.value.hint


def test_the_hooks_of_a_repository_are_not_run(tmp_path: Path) -> None:
    tell_git("init", "--quiet", "--template=", cwd=tmp_path)
    hook = tmp_path / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    for name in ("name", "email"):
        tell_git("config", f"user.{name}", "t", cwd=tmp_path)
    tell_git("-c", "commit.gpgSign=false", "commit", "--quiet", "--allow-empty", "-m", "x", cwd=tmp_path)
    assert not (tmp_path / "ran").exists()
