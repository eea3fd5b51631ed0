"""Paths that no patch may touch; git with its protections switched on is the judge of what looks like `.git`."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.git.changes import Change
from engine.patches.path_rules import folded_name, is_dot_git, is_dot_gitmodules, path_findings, touched_paths

HOSTILE = [
    (b"", {"path.empty"}),
    (b"/etc/passwd", {"path.absolute"}),
    (b"//server/share", {"path.absolute", "path.empty"}),
    (b"..", {"path.dots"}),
    (b"../x", {"path.dots"}),
    (b"a/../../x", {"path.dots"}),
    (b"a/..", {"path.dots"}),
    (b"./x", {"path.dots"}),
    (b"a/./x", {"path.dots"}),
    (b"a/.. /x", {"path.dots"}),
    (b"a/.../x", {"path.dots"}),
    (b"a/ /x", {"path.dots"}),
    (b"a//b", {"path.empty"}),
    (b"a/", {"path.empty"}),
    (b"..\\x", {"path.backslash"}),
    (b"a\\..\\..\\x", {"path.backslash"}),
    (b"a/b\\.\\x", {"path.backslash"}),
    (b"\\\\server\\share", {"path.backslash"}),
    (b"\\x", {"path.backslash"}),
    (b"a\\.git\\config", {"path.backslash"}),
    (b"a\\.GIT", {"path.backslash"}),
    (b"C:/x", {"path.drive"}),
    (b"c:x", {"path.drive"}),
    (b"C:\\x", {"path.drive"}),
    (b".git", {"path.git"}),
    (b".git/hooks/pre-commit", {"path.git"}),
    (b"sub/.git/config", {"path.git"}),
    (b".GIT/config", {"path.git"}),
    (b".GiT", {"path.git"}),
    (b"git~1/config", {"path.git"}),
    (b"GIT~2", {"path.git"}),
    (b"git~10/x", {"path.git"}),
    (b".git./x", {"path.git"}),
    (b".git /x", {"path.git"}),
    (b".git . ./x", {"path.git"}),
    (b"git~1 ./x", {"path.git"}),
    (b".git::$INDEX_ALLOCATION/config", {"path.git"}),
    (b".git:x", {"path.git"}),
    (b"git~1:$DATA", {"path.git"}),
    (".g\u200cit/config".encode(), {"path.git"}),
    ("\u200d.git".encode(), {"path.git"}),
    (".git\ufeff/x".encode(), {"path.git"}),
    (".GI\u206fT".encode(), {"path.git"}),
    (".g\u202ait".encode(), {"path.git"}),
    ("．ｇｉｔ/config".encode(), {"path.git"}),
    (".gⒾt".encode(), {"path.git"}),
    ("․git".encode(), {"path.git"}),
    (".git\u00a0".encode(), {"path.git"}),
    (".g\u00adit".encode(), {"path.git"}),
    (b".git\xff", {"path.git"}),
    (b"a\0b", {"path.nul"}),
    (b"a" * 256, {"path.long"}),
    (b"a/" * 3000 + b"a", {"path.long"}),
    (b"/../.git//x\0", {"path.absolute", "path.dots", "path.git", "path.empty", "path.nul"}),
]

HARMLESS = [
    b"a",
    b"src/a.py",
    b".gitignore",
    b".gitattributes",
    b".github/workflows/x.yml",
    b"a.git/x",
    b"git",
    b"git~",
    b"git~x",
    b"..a",
    b"a..b/c",
    b".a",
    b"a b/c d",
    b"a\\b",
    b"a\nb",
    b"ab:c",
    b"\xff\xfe",
    "größe/ß.txt".encode(),
    "日本/語".encode(),
    b"a" * 255,
    b"-x",
    b"nul",
]


@pytest.mark.parametrize(("path", "rules"), HOSTILE)
def test_a_hostile_path_is_refused_by_every_rule_that_it_breaks(path: bytes, rules: set[str]) -> None:
    assert rules <= {finding.rule for finding in path_findings(path)}


@pytest.mark.parametrize("path", HARMLESS)
def test_a_harmless_path_is_not_refused(path: bytes) -> None:
    assert list(path_findings(path)) == []


def test_a_rule_speaks_once_for_a_path() -> None:
    findings = list(path_findings(b"../.git/../.git/../.git"))
    assert [finding.rule for finding in findings] == ["path.dots", "path.git"]
    assert (
        str(findings[0])
        == 'path.dots: a name in the path is ".", ".." or only dots and blanks (../.git/../.git/../.git)'
    )


@pytest.mark.parametrize(
    "name", [b".gitmodules", b".GITMODULES", b"gitmod~1", b"GI7EBA~4", ".gitmo\u200cdules ".encode()]
)
def test_what_some_system_takes_for_gitmodules_is_known(name: bytes) -> None:
    assert is_dot_gitmodules(name)
    assert not is_dot_git(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "A"), ("é", "e\u0301"), ("É", "e\u0301"), ("straße", "STRASSE"), ("Å", "\u212b"), ("a\u200cb", "ab")],
)
def test_twins_fold_to_the_same_name(one: str, other: str) -> None:
    assert folded_name(one.encode()) == folded_name(other.encode())


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("x²", "x2"), ("a", "á"), ("a\udcff", "a\udcfe")])
def test_others_do_not(one: str, other: str) -> None:
    encoded = [text.encode("utf-8", "surrogateescape") for text in (one, other)]
    assert folded_name(encoded[0]) != folded_name(encoded[1])


def test_a_rename_touches_two_paths_and_a_copy_one() -> None:
    assert touched_paths(Change("R", b"new", b"old")) == (b"old", b"new")
    assert touched_paths(Change("C", b"new", b"old")) == (b"new",)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paths")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def git_refuses(repository: Path, path: bytes) -> bool:
    """Whether git with every protection on does not take a path into an index."""
    entry = b"100644," + b"1" * 40 + b"," + path
    command = [
        "git",
        "-c",
        "core.protectNTFS=true",
        "-c",
        "core.protectHFS=true",
        "update-index",
        "--add",
        "--cacheinfo",
    ]
    environment = {**os.environ, "GIT_INDEX_FILE": str(repository / "no-index")}
    done = subprocess.run([*command, entry], cwd=repository, env=environment, stderr=subprocess.PIPE, check=False)
    (repository / "no-index").unlink(missing_ok=True)
    return done.returncode != 0


PARTS = [
    b".git", b".GIT", b".g", b"it", b"git~1", b"GIT~1", b"~1", b".", b"..", b" ", b"/", b"\\", b":", b"a", b"x.py",
    b"::$INDEX_ALLOCATION", b"\xff", b"\xc0\xae", "\u200c".encode(), "\ufeff".encode(), "\u206a".encode(),
    "\u202e".encode(), "İ".encode(), b"\n", b"\r",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map(b"".join))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_git_refuses_is_refused(repository: Path, path: bytes) -> None:
    if git_refuses(repository, path):
        assert list(path_findings(path)), path


@pytest.mark.parametrize(
    "path",
    [
        b"../" * 300_000,
        b"a" * 1_000_000,
        "\u0301\u0327".encode() * 300_000,
        ".\u200cgit/".encode() * 100_000,
        b".git" + b" ." * 400_000,
        b"\\" * 1_000_000,
        b".git" + b" " * 900 + b"x",
    ],
)
def test_a_hostile_path_is_judged_in_linear_time(path: bytes) -> None:
    started = time.process_time()
    assert list(path_findings(path))
    assert time.process_time() - started < 5
