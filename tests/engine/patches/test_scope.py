"""Which paths a step may change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.git.changes import Change
from engine.patches.path_glob import PathGlob
from engine.patches.scope import ScopeRules, is_protected


@pytest.mark.parametrize(
    ("include", "exclude", "path", "expected"),
    [
        ([], [], b"a/b", True),
        (["src/**"], [], b"src/a", True),
        (["src/**"], [], b"docs/a", False),
        (["src", "docs"], [], b"docs/a", True),
        (["src/**"], ["src/gen/**"], b"src/gen/a", False),
        ([], ["*.lock"], b"a.lock", False),
        ([], ["*.lock"], b"a/b.lock", True),
        (["src/**"], [], b"src/\xff", True),
        ([], [], b".minipipe/daemon_config.json", False),
        ([], [], b".minipipe", False),
        ([], [], b".MiniPipe/x", False),
        ([], [], b"minipipe.toml", False),
        ([], [], b"Minipipe.TOML", False),
        ([], [], b"router_config.json", False),
        (["**"], [], b"minipipe.toml", False),
        (["*.toml"], [], b"minipipe.toml", False),
        (["."], [], b"minipipe.toml", False),
        ([""], [], b"minipipe.toml", False),
        ([".minipipe/**"], [], b".minipipe/x", False),
        (["minipipe.tom[l]"], [], b"minipipe.toml", False),
        (["minipipe.toml"], [], b"minipipe.toml", True),
        (["./minipipe.toml"], [], b"minipipe.toml", True),
        ([".minipipe"], [], b".minipipe/x", True),
        ([".minipipe/"], [], b".minipipe/x", True),
        ([".minipipe/x"], [], b".minipipe/x", True),
        ([".minipipe/x"], [], b".minipipe/y", False),
        (["minipipe.toml"], ["*.toml"], b"minipipe.toml", False),
        ([], [], b"docs/minipipe.toml", True),
        ([], [], b"minipipe.toml.md", True),
        ([], [], b"minipipe.toml/x", True),
    ],
)
def test_a_path_is_in_scope_or_not(include: list[str], exclude: list[str], path: bytes, expected: bool) -> None:
    assert ScopeRules(include, exclude).allows(path) is expected


def test_a_finding_says_why() -> None:
    scope = ScopeRules(["src/**"], ["**/*.key"])
    changes = [Change("M", b"minipipe.toml"), Change("A", b"docs/x"), Change("D", b"src/a.key"), Change("A", b"src/ok")]
    assert [str(finding) for finding in scope.scope_findings(changes)] == [
        "scope.protected: the path governs runs, and no include pattern names it (minipipe.toml)",
        "scope.outside: no include pattern of the step covers the path (docs/x)",
        "scope.outside: the step excludes **/*.key (src/a.key)",
    ]


def test_a_rename_counts_for_both_its_paths_and_a_copy_for_the_new_one() -> None:
    scope = ScopeRules(["src"])
    changes = [Change("R", b"src/a", b"docs/a"), Change("R", b"lib/b", b"src/b"), Change("C", b"src/c", b"docs/c")]
    assert [finding.path for finding in scope.scope_findings(changes)] == [b"docs/a", b"lib/b"]


patterns = st.lists(st.sampled_from(["a", "a/**", "**/b", "*", "**", "?/b", "[ab]", "a/b", ".minipipe"]), max_size=3)
paths = st.lists(st.sampled_from([b"a", b"b", b"c", b".minipipe", b"\xfe"]), min_size=1, max_size=3).map(b"/".join)


@given(patterns, patterns, paths)
def test_what_is_excluded_or_not_included_is_never_allowed(include: list[str], exclude: list[str], path: bytes) -> None:
    is_included = not include or any(PathGlob(pattern).matches(path) for pattern in include)
    is_excluded = any(PathGlob(pattern).matches(path) for pattern in exclude)
    is_allowed = ScopeRules(include, exclude).allows(path)
    if not is_protected(path):
        assert is_allowed is (is_included and not is_excluded)
    elif ".minipipe" not in include:
        assert not is_allowed
