"""A diff of ours as files and hunks, and contents with only some of them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unidiff import PatchSet

from engine.patches.unified import FileDiff, Hunk, hunk_overlaps, line_places, merge_hunks, numbered, parse_patch
from tests.engine.patches.edits import Files, edited_texts, texts, tree_pairs
from tests.engine.patches.judge import AS_CAPTURED, git, new_repository, write_tree

GIT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SOME_FILE = ("100644", b"line\n" * 5)


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_repository(tmp_path_factory.mktemp("unified"))


def diff(folder: Path, old: Files, new: Files, *words: str) -> bytes:
    return git(folder, "diff", *AS_CAPTURED, *words, write_tree(folder, old), write_tree(folder, new))


def content_diff(folder: Path, old: bytes, new: bytes, context: int = 3) -> list[FileDiff]:
    return parse_patch(diff(folder, {b"f": ("100644", old)}, {b"f": ("100644", new)}, f"-U{context}"))


def hunks_of(files: list[FileDiff]) -> list[Hunk]:
    return [hunk for file in files for hunk in file.hunks]


@GIT
@given(pair=tree_pairs(), context=st.sampled_from([0, 1, 3]), style=st.sampled_from(["-M", "-C", "--no-renames"]))
def test_files_and_hunks_joined_are_the_patch(
    pair: tuple[Files, Files], context: int, style: str, anywhere: Path
) -> None:
    patch = diff(anywhere, *pair, f"-U{context}", style)
    assert b"".join(file.text for file in parse_patch(patch)) == patch


@GIT
@given(pair=tree_pairs(), style=st.sampled_from(["-M", "-C", "--no-renames"]))
def test_paths_and_states_are_those_that_git_tells(pair: tuple[Files, Files], style: str, anywhere: Path) -> None:
    old, new = (write_tree(anywhere, files) for files in pair)
    files = parse_patch(git(anywhere, "diff", *AS_CAPTURED, style, old, new))
    told = iter(git(anywhere, "diff", "-z", "--name-status", style, old, new).split(b"\0")[:-1])
    expected = [(status[:1].decode(), next(told), next(told) if status[:1] in b"RC" else None) for status in told]
    found = [(f.status, *((f.old_path, f.path) if f.old_path is not None else (f.path, None))) for f in files]
    assert found == expected


def test_modes_are_those_that_git_tells(anywhere: Path) -> None:
    old: Files = {b"a": SOME_FILE, b"b": SOME_FILE, b"c": ("100644", b"x"), b"d": ("100755", b"other\n" * 9)}
    new: Files = {
        b"a": ("100755", SOME_FILE[1]),
        b"c": ("120000", b"x"),
        b"d": ("100755", b"changed\n"),
        b"e": ("100755", b""),
    }
    files = {
        file.path: (file.old_mode, file.new_mode, file.status)
        for file in parse_patch(diff(anywhere, old, new, "--no-renames"))
    }
    assert files == {
        b"a": ("100644", "100755", "M"),
        b"b": ("100644", "000000", "D"),
        b"c": ("100644", "120000", "T"),
        b"d": ("100755", "100755", "M"),
        b"e": ("000000", "100755", "A"),
    }  # fmt: skip


@GIT
@given(data=st.data(), old=texts, context=st.sampled_from([0, 1, 3]))
def test_all_hunks_make_the_new_content_and_none_the_old(
    data: st.DataObject, old: bytes, context: int, anywhere: Path
) -> None:
    new = data.draw(edited_texts(old))
    hunks = hunks_of(content_diff(anywhere, old, new, context))
    assert merge_hunks(old, hunks) == new
    assert merge_hunks(old, list(reversed(hunks))) == new
    assert merge_hunks(old, []) == old


@GIT
@given(data=st.data(), old=texts, context=st.sampled_from([0, 1]))
def test_some_hunks_and_later_the_others_make_the_new_content(
    data: st.DataObject, old: bytes, context: int, anywhere: Path
) -> None:
    new = data.draw(edited_texts(old))
    hunks = hunks_of(content_diff(anywhere, old, new, context))
    chosen = [hunk for hunk in hunks if data.draw(st.booleans())]
    between = merge_hunks(old, chosen)
    assert merge_hunks(between, hunks_of(content_diff(anywhere, between, new, context))) == new


@GIT
@given(data=st.data(), old=texts)
def test_the_chosen_hunks_are_what_git_applies(data: st.DataObject, old: bytes, anywhere: Path) -> None:
    (anywhere / "f").write_bytes(old)
    new = data.draw(edited_texts(old))
    files = content_diff(anywhere, old, new, 1)
    chosen = [hunk for hunk in hunks_of(files) if data.draw(st.booleans())]
    if chosen:
        patch = files[0].header + b"".join(hunk.text for hunk in chosen)
        git(anywhere, "apply", "--whitespace=nowarn", stdin=patch)
        assert merge_hunks(old, chosen) == (anywhere / "f").read_bytes()


def test_a_hunk_on_other_content_is_an_error(anywhere: Path) -> None:
    hunks = hunks_of(content_diff(anywhere, b"a\nb\nc\n", b"a\nx\nc\n"))
    with pytest.raises(ValueError, match="does not stand where it says"):
        merge_hunks(b"a\nother\nc\n", hunks)
    with pytest.raises(ValueError, match="does not stand where it says"):
        merge_hunks(b"a\nb\nc", hunks)
    with pytest.raises(ValueError, match="does not stand where it says"):
        merge_hunks(b"a\nb\nc\n", hunks * 2)


def test_a_file_without_hunks_is_one_item(anywhere: Path) -> None:
    old: Files = {
        b"a": ("100644", b"1\n" * 20),
        b"b": SOME_FILE,
        b"c": ("100644", b"\0"),
        b"d": ("100644", b"moved\n" * 9),
    }
    new: Files = {
        b"a": ("100644", b"0\n" + b"1\n" * 20 + b"2\n"), b"b": ("100755", SOME_FILE[1]), b"c": ("100644", b"\0\0"),
        b"e": ("100644", b""), b"f": ("100644", b"moved\n" * 9),
    }  # fmt: skip
    items = numbered(parse_patch(diff(anywhere, old, new)))
    assert [(number, file.path, hunk is not None) for number, file, hunk in items] == [
        (1, b"a", True), (2, b"a", True), (3, b"b", False), (4, b"c", False), (5, b"e", False), (6, b"f", False),
    ]  # fmt: skip
    assert [number for number, _, _ in numbered([items[1][1]])] == [1, 2]


@GIT
@given(data=st.data(), old=texts, context=st.sampled_from([0, 1, 3]))
def test_lines_have_the_numbers_of_the_two_files(data: st.DataObject, old: bytes, context: int, anywhere: Path) -> None:
    new = data.draw(edited_texts(old))
    old_lines, new_lines = old.split(b"\n"), new.split(b"\n")
    for file in content_diff(anywhere, old, new, context):
        for place in (place for places in line_places(file) for place in places):
            if place.old is not None:
                assert old_lines[place.old - 1] == place.line[1:-1]
            if place.new is not None:
                assert new_lines[place.new - 1] == place.line[1:-1]


def test_unidiff_numbers_lines_alike_where_it_can_read_them(anywhere: Path) -> None:
    files = content_diff(anywhere, b"a\nb\nc\xff\nd\n" * 5, b"a\nB\nc\xff\nd\n" * 3 + b"e")
    text = b"".join(file.text for file in files).decode("utf-8", "surrogateescape")
    theirs = [(line.source_line_no, line.target_line_no) for file in PatchSet(text) for hunk in file for line in hunk]
    ours = [(place.old, place.new) for file in files for places in line_places(file) for place in places]
    assert ours == theirs


MEETINGS = {
    "the same line": (b"a\nB\nc\nd\ne\n", b"a\nX\nc\nd\ne\n", True),
    "adjacent lines": (b"a\nB\nc\nd\ne\n", b"a\nb\nC\nd\ne\n", True),
    "a line apart": (b"a\nB\nc\nd\ne\n", b"a\nb\nc\nD\ne\n", False),
    "two insertions at one place": (b"a\nb\n1\nc\nd\ne\n", b"a\nb\n2\nc\nd\ne\n", True),
    "an insertion beside a deletion": (b"a\nb\n1\nc\nd\ne\n", b"a\nb\nd\ne\n", True),
    "insertions at both ends": (b"0\na\nb\nc\nd\ne\n", b"a\nb\nc\nd\ne\nf\n", False),
}


@pytest.mark.parametrize("name", MEETINGS)
@pytest.mark.parametrize("context", [0, 3])
def test_changes_meet_where_git_finds_a_conflict(name: str, context: int, anywhere: Path) -> None:
    base = b"a\nb\nc\nd\ne\n"
    ours, theirs, is_met = MEETINGS[name]
    trees = [write_tree(anywhere, {b"f": ("100644", text)}) for text in (base, ours, theirs)]
    commits = [git(anywhere, "commit-tree", "-m", "x", trees[0]).decode().strip()]
    commits += [git(anywhere, "commit-tree", "-m", "x", "-p", commits[0], tree).decode().strip() for tree in trees[1:]]
    merged = git(anywhere, "merge-tree", "--write-tree", commits[1], commits[2], check=False)
    assert (b"CONFLICT" in merged) == is_met
    overlaps = hunk_overlaps(content_diff(anywhere, base, ours, context), content_diff(anywhere, base, theirs, context))
    assert [overlap.path for overlap in overlaps] == [b"f"] * is_met


@GIT
@given(data=st.data(), base=texts)
def test_what_does_not_meet_merges_cleanly(data: st.DataObject, base: bytes, anywhere: Path) -> None:
    first, second = data.draw(edited_texts(base)), data.draw(edited_texts(base))
    if not hunk_overlaps(content_diff(anywhere, base, first), content_diff(anywhere, base, second)):
        for name, content in {"ours": first, "base": base, "theirs": second}.items():
            (anywhere / name).write_bytes(content)
        git(anywhere, "merge-file", "-p", "ours", "base", "theirs")


def test_whole_files_meet_any_other_change_of_them(anywhere: Path) -> None:
    base: Files = {b"f": SOME_FILE, b"g": SOME_FILE}
    edit = parse_patch(diff(anywhere, base, base | {b"f": ("100644", b"x\n" + SOME_FILE[1])}))
    gone = parse_patch(diff(anywhere, base, {b"g": SOME_FILE}))
    link = parse_patch(diff(anywhere, base, base | {b"f": ("120000", b"x")}))
    mode = parse_patch(diff(anywhere, base, base | {b"f": ("100755", SOME_FILE[1])}))
    other = parse_patch(diff(anywhere, base, base | {b"g": ("100644", b"")}))
    assert len(hunk_overlaps(edit, gone)) == 1
    assert hunk_overlaps(edit, link)[0][1:] == (None, None)
    assert len(hunk_overlaps(link, edit)) == 1
    assert len(hunk_overlaps(mode, mode)) == 1
    assert hunk_overlaps(mode, edit) == []
    moved = parse_patch(diff(anywhere, base, {b"moved": SOME_FILE, b"g": SOME_FILE}))
    there = parse_patch(diff(anywhere, base, base | {b"moved": SOME_FILE}))
    assert hunk_overlaps(moved, edit) == []
    assert len(hunk_overlaps(moved, gone)) == len(hunk_overlaps(there, moved)) == 1
    assert hunk_overlaps(edit, other) == []


@pytest.mark.parametrize(
    "patch", [b"text\n", b"diff --git a/f b/f\n@@ -1 +1 @@\n-a\n", b"diff --git a/f b/f\n@@ x\n", b"x"]
)
def test_what_we_did_not_write_is_refused(patch: bytes) -> None:
    with pytest.raises(ValueError):
        parse_patch(patch)
