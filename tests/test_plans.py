"""The example plans: each is valid, explained, drawn, rehearsed, and runs to the end that stands here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minipipe_tui.cli.demo import make_repository
from minipipe_tui.cli.main import main

PLANS = Path(__file__).parent.parent / "plans"

# Every plan, the variables to give, and the steps that do not simply complete.
ENDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "demo": ([], {"shortcut": "failed", "publish": "validating", "tidy": "pending"}),
    "gates": ([], {"stray": "failed"}),
    "hello": ([], {}),
    "isolation": ([], {}),
    "review": ([], {"draft": "validating", "list": "validating", "publish": "pending"}),
    "matrix": ([], {}),
    "conditions": ([], {"nightly": "skipped", "risky": "failed", "onward": "skipped"}),
    "retries": ([], {"optional": "failed"}),
    "values": ([], {}),
    "workstreams": ([], {}),
    "secrets": (["--var", "TOKEN=a-secret-text"], {}),
}
TRIES = {"demo": {"fetch": 2}, "gates": {"notes": 2}, "retries": {"flaky": 3, "hangs": 2, "optional": 2}}
WAITING = ("demo", "review")
"""Those that end with a change for a person to look at."""


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_repository(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def path(name: str) -> str:
    return str(PLANS / f"{name}.json")


def test_every_plan_of_the_folder_is_tested() -> None:
    assert {file.stem for file in PLANS.glob("*.json")} == set(ENDS)
    assert len(ENDS) >= 6


@pytest.mark.parametrize("name", ENDS)
def test_a_plan_says_what_it_is(name: str) -> None:
    document = json.loads(Path(path(name)).read_text())
    assert document["plan_id"] == name
    assert document["name"]
    assert document["description"]
    assert all(step.keys() >= {"id"} for step in _steps(document))


@pytest.mark.parametrize("name", ENDS)
def test_a_plan_can_be_looked_at_without_running_it(name: str, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ENDS[name][0]
    assert main(["plan", "validate", path(name)]) == 0
    for words in (["plan", "graph", path(name)], ["plan", "explain", path(name)], ["run", path(name), "--dry-run"]):
        capsys.readouterr()
        assert main([*words, *given]) == 0
        assert capsys.readouterr().out
    assert not (repo / ".minipipe").exists()


@pytest.mark.parametrize("name", ENDS)
def test_a_plan_runs_to_its_end(name: str, repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, otherwise = ENDS[name]
    code = main(["run", path(name), "--json", *given])
    document = json.loads(capsys.readouterr().out)
    assert (code, document["state"]) == ((3, "paused") if name in WAITING else (0, "succeeded"))
    found = {task["step_id"]: task for task in document["tasks"]}
    assert {step: task["state"] for step, task in found.items() if task["state"] != "completed"} == otherwise
    tries = {step: len(task["attempts"]) for step, task in found.items() if len(task["attempts"]) > 1}
    assert tries == TRIES.get(name, {})


def test_the_secret_is_nowhere_to_be_found(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = ENDS["secrets"][0][1].partition("=")[2]
    assert main(["run", path("secrets"), *ENDS["secrets"][0]]) == 0
    assert main(["logs", "last", "leak"]) == 0
    out, err = capsys.readouterr()
    assert "the token is ***" in out
    assert secret not in out + err
    assert not [file for file in _files(repo) if secret.encode() in file.read_bytes()]


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def _steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document["steps"], *document.get("finally", [])]
