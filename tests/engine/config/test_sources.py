"""A file is read whole, within bounds, or a sentence says why not."""

import os
from pathlib import Path

import pytest

from engine.config.sources import read_json, read_toml


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_missing_or_empty_file_holds_nothing(tmp_path: Path, read: object) -> None:
    (tmp_path / "empty").write_text(" \n")
    for name in ("missing", "missing/inside", "empty", "empty/inside"):
        assert read(tmp_path / name) == {}  # type: ignore[operator]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff", "UTF-8"),
        (b"#" * (1024 * 1024 + 1), "larger than 1024 KiB"),
        (b"a = " + b"[" * 100_000, "nested"),
        (b"a = 1\nb =\n", "line 2"),
    ],
)
def test_a_bad_toml_file_says_what_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_toml(tmp_path / "file")


@pytest.mark.parametrize(
    ("content", "says"), [(b"[1]", "one JSON object"), (b"[" * 100_000, "nested"), (b"{,}", "line 1")]
)
def test_a_bad_json_file_says_what_is_wrong(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_json(tmp_path / "file")


def test_a_mark_at_the_beginning_of_a_text_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert read_toml(tmp_path / "file") == {"a": 1}


def test_what_is_not_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match="not a file"):
            read_toml(tmp_path / name)
