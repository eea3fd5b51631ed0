"""Every theme shows every state by a symbol and a word, on any terminal."""

from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.states.tables import MACHINES
from minipipe_tui.cli import theme as themes
from minipipe_tui.cli.table import cell_width
from minipipe_tui.cli.theme import load_theme, theme_names

STATES = sorted({state for machine in MACHINES.values() for state in machine.states()})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(themes, "data_folder", lambda name: tmp_path)
    return tmp_path


def test_the_five_themes_are_there() -> None:
    assert theme_names() == ["colour-blind", "dark", "high-contrast", "light", "monochrome"]


@pytest.mark.parametrize("name", theme_names())
def test_a_theme_knows_every_state(name: str) -> None:
    theme = load_theme(name)
    assert theme.name == name
    assert theme.description
    assert sorted(theme.states) == STATES
    for mark in theme.states.values():
        assert cell_width(mark.symbol) == 1
        assert len(mark.ascii) == 1
        assert mark.ascii.isascii()


def test_good_and_bad_ends_differ_by_symbol_alone() -> None:
    theme = load_theme("dark")
    ends = [theme.mark(state) for state in ("completed", "failed", "canceled", "skipped")]
    assert len({mark.symbol for mark in ends}) == len({mark.ascii for mark in ends}) == 4


def test_monochrome_has_no_colour() -> None:
    theme = load_theme("monochrome")
    words = {word for mark in theme.states.values() for word in mark.style.split()}
    assert words <= {"bold", "dim", "underline", "reverse"}


def test_colour_blind_readers_are_not_asked_to_tell_red_from_green() -> None:
    styles = " ".join(mark.style for mark in load_theme("colour-blind").states.values())
    assert "red" not in styles
    assert "green" not in styles


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIPIPE_THEME", "light")
    load_theme.cache_clear()
    assert load_theme().name == "light"
    monkeypatch.delenv("MINIPIPE_THEME")
    load_theme.cache_clear()
    assert load_theme().name == "dark"


@pytest.mark.parametrize("name", ["pink", "../dark"])
def test_an_unknown_theme_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_theme(name)
    assert "dark" in caught.value.hint


def test_a_state_that_no_theme_knows_still_has_a_mark() -> None:
    assert load_theme("dark").mark("brand_new").symbol == "•"


def test_a_theme_extends_another_state_by_state(folder: Path) -> None:
    (folder / "under.toml").write_text(
        'name = "under"\n[styles]\nhint = "dim"\n'
        '[states]\nrunning = { symbol = "R", style = "cyan" }\nfailed = { symbol = "F", style = "red" }\n'
    )
    (folder / "over.toml").write_text('name = "over"\nextends = "under"\n[states]\nrunning = { style = "bold" }\n')
    theme = load_theme("over")
    assert theme.name == "over"
    assert theme.mark("running") == ("R", "*", "bold")
    assert theme.mark("failed") == ("F", "*", "red")
    assert theme.style("hint") == "dim"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "odd"\n[states]\nrunning = { style = "mauve" }\n[styles]\n', "mauve"),
        ('name = "odd"\n[states]\nrunning = { smybol = "x" }\n[styles]\n', "smybol"),
        ('name = "odd"\nextends = "odd"\n', "itself"),
        ('name = "odd\n', "odd.toml"),
        ("[states]\n", "name"),
    ],
)
def test_a_theme_with_a_mistake_says_which(folder: Path, text: str, complaint: str) -> None:
    (folder / "odd.toml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_theme("odd")


@pytest.mark.parametrize("name", theme_names())
def test_rich_understands_every_style(name: str) -> None:
    from rich.style import Style

    theme = load_theme(name)
    for style in [*theme.styles.values(), *(mark.style for mark in theme.states.values())]:
        Style.parse(style)
