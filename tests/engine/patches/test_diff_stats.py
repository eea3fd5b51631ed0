"""How much a patch changes, as git itself would say."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.git.changes import DiffStats
from engine.patches import diff_stats
from engine.patches.diff_stats import compute_diff_stats
from tests.engine.patches.edits import Files, tree_pairs
from tests.engine.patches.judge import AS_CAPTURED, accepts, git, new_repository, stats_of, write_tree
from tests.engine.patches.samples import EDIT, HEADERS_AND_LINES, READ_BY_GIT

GIT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_repository(tmp_path_factory.mktemp("judge"))


@pytest.mark.parametrize("name", READ_BY_GIT)
def test_a_patch_is_counted_as_git_counts_it(name: str, anywhere: Path) -> None:
    patch = READ_BY_GIT[name]
    assert compute_diff_stats(patch) == stats_of(anywhere, patch)


@settings(max_examples=150, deadline=None)
@given(names=st.lists(st.sampled_from(sorted(READ_BY_GIT)), min_size=2, max_size=5))
def test_concatenated_patches_are_counted_as_git_counts_them(names: list[str], anywhere: Path) -> None:
    patch = b"".join(READ_BY_GIT[name] for name in names)
    if accepts(anywhere, patch):
        assert compute_diff_stats(patch) == stats_of(anywhere, patch)


@GIT
@given(pair=tree_pairs(), context=st.sampled_from([0, 1, 3, 20]), style=st.sampled_from(["-M", "-C", "--no-renames"]))
def test_a_diff_of_random_trees_is_counted_as_git_counts_it(
    pair: tuple[Files, Files], context: int, style: str, anywhere: Path
) -> None:
    old, new = (write_tree(anywhere, files) for files in pair)
    patch = git(anywhere, "diff", *AS_CAPTURED, style, f"-U{context}", old, new)
    if patch:
        expected = stats_of(anywhere, patch)
        changed_type = git(anywhere, "diff", "--name-status", style, old, new).count(b"T\t")
        assert compute_diff_stats(patch) == expected + DiffStats(
            files_added=-changed_type, files_deleted=-changed_type, files_modified=changed_type,
            binary_files=compute_diff_stats(patch).binary_files - expected.binary_files,
        )  # fmt: skip
        assert compute_diff_stats(patch.decode("utf-8", "surrogateescape")) == compute_diff_stats(patch)


@GIT
@given(pair=tree_pairs(), context=st.sampled_from([1, 3]))
def test_the_quick_way_and_the_slow_way_agree(pair: tuple[Files, Files], context: int, anywhere: Path) -> None:
    old, new = (write_tree(anywhere, files) for files in pair)
    patch = git(anywhere, "diff", *AS_CAPTURED, f"-U{context}", old, new)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(diff_stats._Text, "_summed", lambda self, start, end: None)
        slowly = compute_diff_stats(patch)
    assert compute_diff_stats(patch) == slowly


def test_a_file_that_became_a_link_is_one_modified_file(anywhere: Path) -> None:
    old = write_tree(anywhere, {b"f": ("100644", b"a\nb\n")})
    new = write_tree(anywhere, {b"f": ("120000", b"target")})
    patch = git(anywhere, "diff", *AS_CAPTURED, old, new)
    assert compute_diff_stats(patch) == DiffStats(files_modified=1, lines_added=1, lines_deleted=2)


def test_a_file_deleted_and_made_again_is_two_files() -> None:
    assert compute_diff_stats(READ_BY_GIT["deleted"] + READ_BY_GIT["new"]).file_count == 2


def test_binary_bodies_count_no_lines(anywhere: Path) -> None:
    noise = bytes(range(256)) * 40
    old = write_tree(anywhere, {b"f": ("100644", noise), b"g": ("100644", noise)})
    new = write_tree(anywhere, {b"f": ("100644", noise + b"more"), b"h": ("100755", b"\0")})
    patch = git(anywhere, "diff", *AS_CAPTURED, old, new)
    assert b"\ndelta " in patch
    assert b"\nliteral " in patch
    assert compute_diff_stats(patch) == DiffStats(files_added=1, files_modified=1, files_deleted=1, binary_files=3)


@pytest.mark.parametrize(
    "patch",
    [b"", b"\n", b"text", b"diff --git ", b"@@ -1 +1 @@\n-a\n+b\n", b"--- a\n+++ b\n", EDIT[:-3], EDIT[:60],
     b"--- a\n+++ b\n@@ -1,99999999999999999999999 +1 @@\n", "\udc80 \ud800"],
)  # fmt: skip
def test_what_is_no_patch_is_counted_without_complaint(patch: bytes | str) -> None:
    compute_diff_stats(patch)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(HEADERS_AND_LINES), max_size=30))
def test_whatever_git_accepts_is_counted_alike(pieces: list[bytes], anywhere: Path) -> None:
    patch = b"".join(pieces)
    if b"@@" in patch and accepts(anywhere, patch):
        assert compute_diff_stats(patch) == stats_of(anywhere, patch)


def test_hostile_lines_are_counted_in_linear_time() -> None:
    head = b"--- a/f\n+++ b/f\n@@ -1,9999999 +1,9999999 @@\n"
    for line in (
        b"\n",
        b"--- a\n+++ b\n",
        b"@@ -1 +1 @@\n",
        b"--- a\n+++ b\n@@ -1,9 +1,9 @@\n",
        b"\ndiff --git ",
        b"\\ x\n",
        b"--- ",
    ):
        compute_diff_stats(head + line * (2_000_000 // len(line)))
