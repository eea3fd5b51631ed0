"""`minipipe doctor`: finds what is missing, says what to do, changes nothing."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine import health

Cli = Callable[..., Any]

OK = {"id": "ok", "command": ["true"]}


def check(ended: Any, name: str) -> dict[str, str]:
    found: dict[str, str] = next(each for each in ended.document["checks"] if each["name"] == name)
    return found


def test_a_fit_place_is_healthy(here: Cli, plan: Cli) -> None:
    here("run", plan(OK))
    ended = here("doctor", "--json")
    assert ended.code == 0
    assert ended.document["healthy"] is True
    assert [each["name"] for each in ended.document["checks"]] == list(health.CHECKS)
    assert all(set(each) == {"name", "state", "message", "hint"} for each in ended.document["checks"])
    assert {each["state"] for each in ended.document["checks"]} == {"ok"}


def test_nothing_is_written(here: Cli, repo: Path) -> None:
    before = sorted(repo.rglob("*"))
    assert here("doctor").code == 0
    assert sorted(repo.rglob("*")) == before


def test_a_person_reads_a_line_for_each_check(here: Cli) -> None:
    out = here("doctor").out
    assert out.endswith("everything is well\n")
    assert all(name.replace("_", " ") in out for name in health.CHECKS)


def test_every_problem_and_warning_says_what_to_do(here: Cli, repo: Path) -> None:
    (repo / ".minipipe").mkdir(mode=0o755)
    (repo / ".minipipe" / "state.db").write_bytes(b"no database" * 1000)
    (repo / "minipipe.toml").write_text("[run]\nretires = 1\n")
    ended = here("doctor", "--json")
    assert ended.code == 1
    assert ended.document["healthy"] is False
    states = {each["name"]: each["state"] for each in ended.document["checks"] if each["state"] != "ok"}
    assert states == {
        "state_folder": "warn",
        "configuration": "problem",
        "database": "problem",
        "interrupted_runs": "problem",
        "leftover_processes": "problem",
    }
    assert all(each["hint"] for each in ended.document["checks"] if each["state"] != "ok")


def test_a_link_as_state_folder_is_a_problem(here: Cli, repo: Path, tmp_path: Path) -> None:
    (repo / ".minipipe").symlink_to(tmp_path)
    assert check(here("doctor", "--json"), "state_folder")["state"] == "problem"


def test_a_newer_database_is_a_problem(here: Cli, plan: Cli, repo: Path) -> None:
    here("run", plan(OK))
    with closing(sqlite3.connect(repo / ".minipipe" / "state.db")) as connection, connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'from_the_future', '')")
    found = check(here("doctor", "--json"), "database")
    assert found["state"] == "problem"
    assert "upgrade" in found["hint"]


@pytest.mark.parametrize("form", ["no repository", "no commit"])
def test_a_missing_commit_is_a_warning(there: Cli, tmp_path: Path, form: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    if form == "no commit":
        subprocess.run(["git", "init", "-q", "--template="], cwd=folder, check=True)
    ended = there("doctor", "--json", cwd=folder)
    assert ended.code == 0
    assert check(ended, "repository")["state"] == "warn"


def test_missing_git_is_a_problem(there: Cli) -> None:
    ended = there("doctor", "--json", env={"PATH": os.devnull})
    assert ended.code == 1
    assert check(ended, "git")["state"] == "problem"


def test_an_interrupted_run_and_what_it_left_are_named(
    started: Cli, here: Cli, plan: Cli, repo: Path, eventually: Cli
) -> None:
    killed = started("run", plan({"id": "a", "shell": "touch begun; exec sleep 600"}))
    eventually((repo / "begun").exists, "the step")
    run_id = here("runs", "--ids").out.strip()
    assert check(here("doctor", "--json"), "interrupted_runs")["state"] == "ok"
    killed.kill()
    killed.wait()
    ended = here("doctor", "--json")
    assert ended.code == 0
    assert f"minipipe resume {run_id}" in check(ended, "interrupted_runs")["hint"]
    assert check(ended, "leftover_processes")["state"] == "warn"
    assert check(ended, "stale_sockets")["state"] == "warn"
    assert here("cancel", run_id).code == 0
    assert check(here("doctor", "--json"), "leftover_processes")["state"] == "ok"
