import os
from pathlib import Path

import pytest

from engine.backends.contract import AttemptEnd, EndedBy
from engine.executor.evidence import examine, read_values


def end(ended_by: EndedBy = EndedBy.EXIT, exit_code: int | None = 0) -> AttemptEnd:
    return AttemptEnd("att_1", ended_by, exit_code, 1.0)


@pytest.mark.parametrize(
    ("ended_by", "exit_code", "outcome", "message"),
    [
        (EndedBy.EXIT, 0, "ok", ""),
        (EndedBy.EXIT, 3, "failed", "exit code 3"),
        (EndedBy.EXIT, -9, "failed", "killed by signal 9"),
        (EndedBy.EXIT, None, "failed", "it never ran"),
        (EndedBy.TIMEOUT, 0, "timeout", "it ran longer than its timeout"),
        (EndedBy.CANCEL, 0, "canceled", ""),
        (EndedBy.SPAWN, None, "no_tool", ""),
    ],
)
def test_how_an_attempt_ended_decides_its_outcome(
    tmp_path: Path, ended_by: EndedBy, exit_code: int | None, outcome: str, message: str
) -> None:
    finding = examine(end(ended_by, exit_code), [], tmp_path / "values")
    assert (finding.outcome, finding.message) == (outcome, message)


def test_a_promised_file_must_be_there(tmp_path: Path) -> None:
    promised = tmp_path / "made"
    assert examine(end(), [promised], tmp_path / "values").outcome == "check_failed"
    promised.touch()
    assert examine(end(), [promised], tmp_path / "values").outcome == "ok"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("a=1\n\nb=x=y\n", {"a": "1", "b": "x=y"}),
        ("a=1\r\na=2", {"a": "2"}),
        ("a=\n", {"a": ""}),
        ("a= spaced \u2028 out \n", {"a": " spaced \u2028 out "}),
    ],
)
def test_values_are_read_line_by_line(tmp_path: Path, text: str, values: dict[str, str]) -> None:
    path = tmp_path / "values"
    path.write_bytes(text.encode())
    assert read_values(path) == values


@pytest.mark.parametrize("content", [b"no sign", b"=x", b"1a=x", b"a b=x", b"\xff=x", b"a=\xff", b"a=" + b"x" * 65_536])
def test_what_is_no_value_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "values"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"\$MINIPIPE_OUTPUT"):
        read_values(path)


def test_a_file_that_is_not_there_has_no_values(tmp_path: Path) -> None:
    assert read_values(tmp_path / "values") == {}


def test_something_else_in_the_values_place_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder"):
        with pytest.raises(ValueError, match="cannot be read"):
            read_values(tmp_path / name)
