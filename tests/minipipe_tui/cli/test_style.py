"""A style is words, and words are codes."""

from minipipe_tui.cli.style import paint, unknown_words


def test_paint_surrounds_text_with_codes() -> None:
    assert paint("x", "bold color(208)") == "\x1b[1;38;5;208mx\x1b[0m"


def test_no_style_is_plain_text() -> None:
    assert paint("x", "") == "x"


def test_unknown_words_are_found() -> None:
    assert unknown_words("bold mauve bright_red color(256)") == ["mauve", "color(256)"]
