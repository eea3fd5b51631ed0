"""`minipipe states` says what the tables say."""

import json

import pytest

from engine.states.tables import MACHINES
from minipipe_tui.cli.main import main


def as_json(*words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert main(["states", *words, "--json"]) == 0
    document: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out)
    return document


def test_json_holds_every_table_completely(capsys: pytest.CaptureFixture[str]) -> None:
    document = as_json(capsys=capsys)
    assert list(document) == list(MACHINES)
    for entity, machine in MACHINES.items():
        table = document[entity]
        assert table["initial"] == machine.initial
        assert table["terminal"] == list(machine.terminal())
        transitions = table["transitions"]
        assert isinstance(transitions, dict)
        assert {state: set(onward) for state, onward in transitions.items()} == {
            state: set(machine.allowed(state)) for state in machine.states()
        }


def test_one_entity_has_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    everything = as_json(capsys=capsys)
    assert as_json("patch", capsys=capsys) == {"patch": everything["patch"]}


def test_an_unknown_entity_is_wrong_usage_and_shows_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["states", "nothing"]) == 2
    assert "'workstream'" in capsys.readouterr().err


def test_text_marks_what_is_final_and_fits_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["states"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  succeeded   final" in lines
    assert max(map(len, lines)) <= 80
    assert lines.count("") == len(MACHINES) - 1


def test_mermaid_has_every_arrow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["states", "run", "--mermaid"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    machine = MACHINES["run"]
    arrows = {f"{state} --> {onward}" for state in machine.states() for onward in machine.allowed(state)}
    ends = {f"{state} --> [*]" for state in machine.terminal()}
    assert lines[0] == "stateDiagram-v2"
    assert set(lines[1:]) == arrows | ends | {"[*] --> pending"}


def test_all_entities_make_one_diagram(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["states", "--mermaid"]) == 0
    out = capsys.readouterr().out
    assert out.count("stateDiagram-v2") == 1
    assert all(f"state {entity} {{" in out for entity in MACHINES)
