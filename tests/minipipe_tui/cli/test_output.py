"""stdout is data, stderr is talk, and colour is only for terminals."""

import io
import json

import pytest

from minipipe_tui.cli.output import duration, print_json, print_lines, say, terminal_width, wants_colour


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_data_and_talk_go_different_ways(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines(["data"])
    say("talk")
    assert capsys.readouterr() == ("data\n", "talk\n")


def test_json_is_ascii_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"reason": "\x9b31m \u202e中 \udc9f"}
    print_json(document)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == document


def test_a_terminal_gets_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    assert not wants_colour(None)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")])
def test_who_asks_for_no_colour_gets_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert not wants_colour(Terminal())


def test_talk_to_nobody_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr", None)
    say("anybody?")
    assert capsys.readouterr().out == ""


def test_without_a_terminal_the_width_is_a_guess() -> None:
    assert terminal_width(io.StringIO()) == 80


@pytest.mark.parametrize(
    ("seconds", "exact", "whole"),
    [
        (0, "0.0 s", "0 s"),
        (1.26, "1.3 s", "1 s"),
        (9.96, "10 s", "9 s"),
        (59.7, "1m 00s", "59 s"),
        (3725.0, "1h 02m", "1h 02m"),
    ],
)
def test_durations_are_short(seconds: float, exact: str, whole: str) -> None:
    assert duration(seconds) == exact
    assert duration(seconds, exact=False) == whole
