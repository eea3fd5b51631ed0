"""What is hostile in a `.gitmodules`; git's own reading of configuration files is the judge of what a text says."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.patches.submodule_rules import gitmodules_reasons, parse_config

HARMLESS = [
    b"",
    b'[submodule "a"]\n\tpath = lib/a\n\turl = https://example.com/a.git\n',
    b'[submodule "a"]\n\tpath = a\n\turl = ../a.git\n\tbranch = main\n\tupdate = rebase\n\tshallow = true\n',
    b'[submodule "a"]\r\n\tpath = a\r\n\turl = git@example.com:a.git\r\n',
    b'[submodule "a"] path = a\n url = ssh://[::1]/a.git\n # nothing\n',
    b'[submodule "lib/a.b"]\n\tpath = "with space"\n\turl = file:///srv/a.git\n\tignore\n',
]

HOSTILE = [
    (b'url = "-u./payload"', "the url of a begins with a dash"),
    (b"url = --upload-pack=touch x", "the url of a begins with a dash"),
    (b"url = ./-x", "the url of a begins with a dash once it is resolved"),
    (b'url = "ext::sh -c touch% x"', "the url of a names a transport that runs a program"),
    (b"url = EXT::sh", "the url of a names a transport that runs a program"),
    (b"url = ../../ext::sh", "the url of a names a transport that runs a program"),
    (b"url = fd::17", "the url of a names a transport that runs a program"),
    (b'url = "https://e.com/a\\nb"', "the url of a holds a line end or another control character"),
    (b'url = "https://e.com/a\r"', "the url of a holds a line end or another control character"),
    (b"url = https://e.com/%0ahost=x", "the url of a holds a line end in disguise"),
    (b"url = https://e.com/%0Dx", "the url of a holds a line end in disguise"),
    (b"path = ../outside", "the path of a is refused"),
    (b"path = /etc", "the path of a is refused"),
    (b"path = .GIT/hooks", "the path of a is refused"),
    (b"path = -x", "the path of a begins with a dash"),
    (b'path = "sub\r"', "the path of a holds a line end or another control character"),
    (b"path =", "the path of a is refused"),
    (b"update = !touch x", "the update of a is a command"),
    (b'UPDATE = "!touch x"', "the update of a is a command"),
    (b"update = \\\n!touch x", "the update of a is a command"),
    (b"branch = --upload-pack=x", "the branch of a begins with a dash"),
    (b'update = "!x', "git cannot read it"),
    (b"update = \\q", "git cannot read it"),
    (b"= x", "git cannot read it"),
    (b"a = \0", "git cannot read it"),
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_not_reported(text: bytes) -> None:
    assert list(gitmodules_reasons(text)) == []


@pytest.mark.parametrize(("line", "reason"), HOSTILE)
def test_what_is_hostile_is_said_in_words(line: bytes, reason: str) -> None:
    assert any(found.startswith(reason) for found in gitmodules_reasons(b'[submodule "a"]\n' + line + b"\n"))


@pytest.mark.parametrize("name", [b"..", b"../../hooks", b"a/..", b"a/../b", b"..\\\\x", b""])
def test_a_name_that_leads_out_of_the_modules_is_hostile(name: bytes) -> None:
    (reason,) = gitmodules_reasons(b'[submodule "' + name + b'"]\n path = a\n')
    assert "leads out of .git/modules" in reason


def git_reads(folder: Path, text: bytes) -> list[bytes] | None:
    """The settings as `name` or `name\\nvalue`, or None where git gives up."""
    (folder / "config").write_bytes(text)
    command = ["git", "config", "--file", "config", "--no-includes", "--null", "--list"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return done.stdout.split(b"\0")[:-1] if done.returncode == 0 else None


PARTS = [
    b'[submodule "a"]', b"[submodule.B]", b"[Sub.x]", b'[s "q\\"\\\\z"]', b'[s  "x"]', b"\n", b"\n", b"\r\n", b" ",
    b"path", b"URL", b"k-1", b" = ", b"=", b"a", b"!x", b'"', b"\\\n", b"\\n", b"\\t", b'\\"', b"\\", b"#c", b";c",
    b"/", b"-x", b"1", b"]", b"[", b"\xff",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_says_what_git_reads_in_it(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    theirs = git_reads(tmp_path_factory.getbasetemp(), text)
    try:
        entries = parse_config(text)
    except ValueError:
        assert theirs is None
        return
    ours = []
    for entry in entries:
        names = (entry.section or None, entry.subsection, entry.key)
        name = b".".join(part for part in names if part is not None)
        ours.append(name if entry.value is None else name + b"\n" + entry.value)
    assert theirs is not None
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 1_000_000,
        b'[submodule "' + b"\\a" * 500_000,
        b'[submodule "a"]\n' + b"url = -x\n" * 50_000,
        b'[submodule "a"]\nurl = ' + b"../" * 300_000 + b":",
        b'[submodule "a"]\nurl = ' + b'" "' * 300_000,
        b'[submodule "a"]\nurl = a' + b" " * 1_000_000 + b"b",
        b'[submodule "a"]\nurl = a' + b" #" * 500_000,
        b"#" * 1_000_000,
        b'[submodule "a"]\nurl = x' + b" \\\n" * 300_000,
    ],
)
def test_a_hostile_text_is_read_in_linear_time(text: bytes) -> None:
    started = time.process_time()
    list(gitmodules_reasons(text))
    assert time.process_time() - started < 5
