"""Globs of plans; git's `:(glob)` pathspecs are the judge."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from engine.patches.path_glob import PathGlob, PathGlobs

CASES = [
    ("src/**", "src/a.py", True),
    ("src/**", "src/a/b.py", True),
    ("src/**", "src", False),
    ("src/**", "srcs/a.py", False),
    ("**/*.py", "a.py", True),
    ("**/*.py", "a/b/c.py", True),
    ("*.py", "a.py", True),
    ("*.py", "a/b.py", False),
    ("src", "src/a/b", True),
    ("src", "src", True),
    ("src/", "src/a/b", True),
    ("src", "srcs", False),
    ("src/*/", "src/a/b", True),
    ("src/*/", "src/a", False),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/x/y/c", False),
    ("**", "a/b/c", True),
    ("*", "a", True),
    ("*", "a/b", False),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("a?c", "aéc", True),
    ("[a-c]x", "bx", True),
    ("[!a-c]x", "bx", False),
    ("[^a-c]x", "zx", True),
    ("a[!b]c", "a/c", False),
    ("{a,b}", "a", False),
    ("{a,b}", "{a,b}", True),
    ("a.c", "abc", False),
    ("a+", "a+", True),
    (r"\*", "*", True),
    (r"\*", "a", False),
    ("app/[id]/page.tsx", "app/[id]/page.tsx", True),
    ("./src/**", "src/a", True),
    ("/src/**", "src/a", True),
    (".", "a/b", True),
    ("", "a/b", True),
    ("SRC", "src/a", False),
    ("a\n*", "a\nb", True),
    ("*.txt", "a\nb.txt", True),
    ("größe/**", "größe/a", True),
    ("[äö]", "ö", True),
    ("\udcff*", "\udcffa", True),
    ("a[", "a[", True),
    ("[z-a]", "m", False),
    ("a**b", "axxb", True),
    ("a**b", "a/b", False),
    ("**/a/**/b/**", "x/a/y/b/z", True),
    ("**/**/a", "a", True),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), CASES)
def test_a_glob_matches_what_it_says(pattern: str, path: str, expected: bool) -> None:
    assert PathGlob(pattern).matches(path.encode("utf-8", "surrogateescape")) is expected


def test_case_means_nothing_to_several_globs_together() -> None:
    globs = PathGlobs(("**/dockerfile", "CI/**"))
    assert globs.matches(b"a/Dockerfile")
    assert globs.matches(b"ci/x")
    assert not globs.matches(b"a/ci/x")
    assert not PathGlobs(()).matches(b"a")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("a", b"a", True),
        ("a", b"a/b", True),
        ("a/", b"a/b", True),
        ("a/", b"a", False),
        ("a*", b"a*", False),
        ("", b"a", False),
    ],
)
def test_only_a_glob_without_wildcards_names_a_path(pattern: str, path: bytes, expected: bool) -> None:
    assert PathGlob(pattern).names(path) is expected


PATHS = [
    "a", "b", "ab", "ba", "aab", "a-b", "a]b", "a[b", "[a]", "*a", "a?", ".a", "a.b", "!a", "^", "a:b", "a\\b",
    "d/a", "d/b", "d/ab", "d/.a", "d/e/a", "d/e/b", "d/e/ab", "d/e/f/a", "d/e/f/ba", "d/[a]/b", "d/*/a", "x/a/y/b",
    "x/y/a/z/b", "[x/a", "x]/b", "a1/b2", "A", "d/B",
]  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("globs")
    subprocess.run(["git", "init", "-q", folder], check=True)
    # A file cannot stand beside a folder of its name, in one index.
    entries = "".join(f"100644 {'1' * 40}\t{path}\0" for path in PATHS)
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=folder, input=entries.encode(), check=True)
    return folder


def git_matches(repository: Path, pattern: str) -> set[str]:
    command = ["git", "-c", "core.quotePath=false", "ls-files", "-z", "--", f":(glob){pattern}"]
    listed = subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, check=True).stdout.decode()
    return set(filter(None, listed.split("\0")))


TOKENS = [
    "a", "b", "d", "e", "x", "/", "/", "*", "**", "**/", "/**", "?", "[", "]", "[a", "[!a]", "[^b", "[a-e]", "[]a]",
    "[[:alpha:]]", "[[:digit:]", "[:", ":]", "-", "\\", "!", ".", "1", "^",
]  # fmt: skip


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=7).map("".join))
@example("[a/b]")
@example("d/**/**/a")
@example("***")
@example("d/***/a")
@example("[[:foo:]]")
@example("[--a]b")
@example("[a\\-b]")
@example("d\\/a")
@example("[b-\\e]")
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_glob_matches_what_git_matches(repository: Path, pattern: str) -> None:
    assume(not {"", ".", ".."} & set(pattern.split("/")))
    # Some versions of git compare two unrelated addresses to find out whether a name begins with the stars.
    assume(not re.search(r"[^/*]\*\*|\*\*[^/*]", pattern))
    assert {path for path in PATHS if PathGlob(pattern).matches(path.encode())} == git_matches(repository, pattern)


@given(st.text(max_size=30), st.binary(max_size=30))
def test_no_pattern_is_too_strange(pattern: str, path: bytes) -> None:
    PathGlob(pattern).matches(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("a*" * 2000 + "b", b"a" * 4000),
        ("*a" * 2000 + "*b", b"a" * 4000),
        ("**/a/" * 300 + "b", b"a/" * 2000 + b"a"),
        ("**/*a*a*a*a*b/" * 100 + "x", b"aaaaaaaa/" * 450),
        ("?*" * 1000 + "b", b"a" * 4000),
        ("[a-z]*" * 1000 + "/", b"a" * 4000),
        ("**" * 2000, b"a/" * 2000),
        ("**/" * 1000 + "b", b"a/" * 2000),
        ("[" * 5000, b"[" * 4000),
        ("[" + "[:a" * 2000, b"[" * 4000),
    ],
)
def test_a_hostile_pattern_is_matched_in_linear_time(pattern: str, path: bytes) -> None:
    started = time.process_time()
    PathGlob(pattern).matches(path)
    assert time.process_time() - started < 3
