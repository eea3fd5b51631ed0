"""`minipipe db`: checking, saving and mending the database."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def ran(here: Cli, plan: Cli) -> None:
    here("run", plan({"id": "ok", "command": ["true"]}))


def test_a_sound_database_is_said_to_be_sound(here: Cli) -> None:
    assert here("db", "check").out == "the database is sound\n"
    assert here("db", "check", "--json").document == {"sound": True, "problems": []}


def test_a_state_without_its_move_is_found(here: Cli, repo: Path) -> None:
    with closing(sqlite3.connect(repo / ".minipipe" / "state.db")) as connection, connection:
        connection.execute("UPDATE runs SET state = 'paused'")
    ended = here("db", "check", "--json")
    assert ended.code == 1
    assert ended.document["sound"] is False
    assert "last recorded move" in ended.document["problems"][0]


def test_a_backup_is_a_whole_database(here: Cli, repo: Path) -> None:
    ended = here("db", "backup", "copy.db")
    assert ended.out.strip() == str(repo / "copy.db")
    with closing(sqlite3.connect(repo / "copy.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    assert here("db", "backup", "copy.db").code == 5


def test_backups_have_a_place_of_their_own(here: Cli, repo: Path) -> None:
    path = Path(here("db", "backup").out.strip())
    assert path.parent == repo / ".minipipe" / "backups"
    assert path.stat().st_mode & 0o077 == 0


def test_an_up_to_date_database_needs_no_migration(here: Cli) -> None:
    assert "the newest" in here("db", "migrate").out


def test_a_newer_database_is_refused(here: Cli, repo: Path) -> None:
    with closing(sqlite3.connect(repo / ".minipipe" / "state.db")) as connection, connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'from_the_future', '')")
    for words in (("runs",), ("run", "plan.json"), ("db", "migrate")):
        ended = here(*words)
        assert ended.code == 5
        assert "upgrade minipipe" in ended.err


def test_the_audit_trail_is_made_anew_from_the_database(here: Cli, repo: Path) -> None:
    trail = repo / ".minipipe" / "events.jsonl"
    before = trail.read_text()
    trail.write_text("")
    assert here("db", "rebuild-audit").code == 0
    assert [json.loads(line)["event_id"] for line in trail.read_text().splitlines()] == [
        json.loads(line)["event_id"] for line in before.splitlines()
    ]


def test_without_a_database_there_is_nothing_to_look_after(there: Cli, tmp_path: Path) -> None:
    for action in ("check", "backup", "migrate", "rebuild-audit"):
        assert there("db", action, cwd=tmp_path).code == 5


def test_an_action_must_be_named(here: Cli) -> None:
    assert here("db").code == 2
