"""Tables are aligned, inert, and no wider than the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipipe_tui.cli.table import Cell, cell_width, cut, print_table, state_cell, table_lines


def test_columns_are_aligned_left_or_right() -> None:
    assert table_lines(["run", "steps"], [["a", "7"], ["long", "12"]], right=["steps"]) == [
        "run   steps",
        "a         7",
        "long     12",
    ]


def test_wide_characters_count_twice() -> None:
    assert table_lines(["n", "x"], [["中文", "1"], ["ab", "2"]])[1:] == ["中文  1", "ab    2"]


def test_cells_are_shown_inert_on_one_line() -> None:
    assert table_lines(["reason"], [["\x1b[2J\nnext"]])[1] == "^[[2J next"


def test_the_widest_column_is_cut_first() -> None:
    lines = table_lines(["id", "reason"], [["short", "a very long reason indeed"]], width=20)
    assert lines[1].startswith("short  a very")
    assert max(map(cell_width, lines)) == 20


def test_colour_surrounds_text_and_not_padding() -> None:
    rows: list[list[Cell]] = [[("ok", "green"), "x"]]
    assert table_lines(["state", "y"], rows, colour=True)[1] == "\x1b[32mok\x1b[0m     x"


def test_without_colour_there_is_no_escape() -> None:
    rows: list[list[Cell]] = [[("ok", "green")]]
    assert table_lines(["state"], rows)[1] == "ok"


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["run", "state"], [])
    assert capsys.readouterr().out == "run  state\n"


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["text"], [["x" * 500]])
    assert "x" * 500 in capsys.readouterr().out


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), max_size=5), st.integers(20, 100))
def test_no_line_is_wider_than_asked(rows: list[list[str]], width: int) -> None:
    assert all(cell_width(line) <= width for line in table_lines(["a", "b", "c"], rows, width=width))


@given(st.text(), st.integers(1, 30))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cell_width(cut(text, width)) <= width


def test_a_state_is_a_bare_word_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert state_cell("failed") == "failed"


def test_a_state_has_symbol_and_style_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert state_cell("failed") == ("✘ failed", "bold red")


def test_rigid_columns_are_cut_only_when_nothing_else_can_be() -> None:
    row = ["pat_0123456789", "a long name", "a long reason"]
    lines = table_lines(["id", "step", "why"], [row], rigid=["id"], width=30)
    assert lines[1].startswith("pat_0123456789  ")
    assert max(map(cell_width, lines)) <= 30
    assert cell_width(table_lines(["id", "step", "why"], [row], rigid=["id"], width=20)[1]) <= 20
