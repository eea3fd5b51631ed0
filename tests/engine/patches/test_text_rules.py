"""Texts of patches from outside: which are refused, where and why, and that what git writes is not."""

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import PatchRefused, UserError
from engine.patches.limits import PatchLimits
from engine.patches.text_rules import scan_patch_text
from tests.engine.patches.edits import Files, tree_pairs
from tests.engine.patches.hostile_texts import BODY, EDIT, HOSTILE_TEXTS, MAIL, NEW
from tests.engine.patches.judge import AS_CAPTURED, accepts, git, new_repository, write_tree
from tests.engine.patches.samples import READ_BY_GIT

GIT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SIGNED = EDIT + b"-- \n2.39.5\n\n"
SCRAPS = [
    *(EDIT + NEW + MAIL).splitlines(keepends=True),
    *(
        b"---\n",
        b"-- \n",
        b"\n",
        b"\r\n",
        b"\xff",
        b"\0",
        b'"',
        b"rename from f\n",
        b"GIT binary patch\n",
        b"literal 3\n",
    ),
]
REPEATED = [
    *(
        b"\n",
        b"--- a\n",
        b"--- a\n+++ b\n",
        b"diff --git a/x b/x\n",
        b'"',
        b"\\",
        b" ",
        b"\r",
        b"@@ -1 +1 @@\n",
        b"1a\n",
    ),
    *(b"=", b"From 0123456789012345678901234567890123456789 \n", b"rename from x\n", b"diff --git " + b"a b " * 9),
]


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_repository(tmp_path_factory.mktemp("text"))


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_a_hostile_text_is_refused_with_its_line_and_reason(name: str) -> None:
    text, line, words = HOSTILE_TEXTS[name]
    with pytest.raises(PatchRefused) as caught:
        scan_patch_text(text, source="x.patch")
    assert (caught.value.source, caught.value.line) == ("x.patch", line)
    assert words in caught.value.reason
    assert isinstance(caught.value, UserError)


def test_git_alone_would_take_a_good_part_of_them(anywhere: Path) -> None:
    taken = [name for name, (text, _, _) in HOSTILE_TEXTS.items() if text.strip() and accepts(anywhere, text)]
    assert {"too many lines", "a diff in the message of a mail", "an odd mode", "a NUL in +++"} <= set(taken)


@GIT
@given(pair=tree_pairs(), context=st.sampled_from([0, 1, 3]), style=st.sampled_from(["-M", "-C", "--no-renames"]))
def test_what_git_writes_is_taken(pair: tuple[Files, Files], context: int, style: str, anywhere: Path) -> None:
    pair = tuple({path: entry for path, entry in files.items() if b"\n" not in path} for files in pair)  # type: ignore[assignment]
    old, new = (write_tree(anywhere, files) for files in pair)
    patch = git(anywhere, "diff", *AS_CAPTURED, style, f"-U{context}", old, new)
    if patch:
        text = scan_patch_text(patch)
        assert (text.kind, text.strip, text.diff(patch)) == ("git", 1, patch)


@GIT
@given(pair=tree_pairs(), subject=st.text(string.ascii_letters + " \n-+@", max_size=40))
def test_mails_that_git_writes_are_taken(pair: tuple[Files, Files], subject: str, anywhere: Path) -> None:
    pair = tuple({path: entry for path, entry in files.items() if b"\n" not in path} for files in pair)  # type: ignore[assignment]
    old, new = (write_tree(anywhere, files) for files in pair)
    if old == new:
        return
    commit = git(anywhere, "commit-tree", old, stdin=b"base").strip().decode()
    commit = git(anywhere, "commit-tree", "-p", commit, new, stdin=b"x " + subject.encode()).strip().decode()
    mail = git(anywhere, "format-patch", "--stdout", "--binary", "--full-index", "-1", commit)
    text = scan_patch_text(mail)
    assert (text.kind, text.strip) == ("mail", 1)
    assert text.diff(mail) == git(anywhere, "diff", *AS_CAPTURED, old, new)


KINDS = {
    "git": (EDIT, "git", 1),
    "plain": (BODY, "unified", 1),
    "plain without prefixes": (b"--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", "unified", None),
    "plain with the names of folders": (b"--- old/f\n+++ new/f\n@@ -1 +1 @@\n-a\n+b\n", "unified", None),
    "plain with times": (b"--- a/f\t2020-01-01\n+++ b/f\t2020-01-02\n@@ -1 +1 @@\n-a\n+b\n", "unified", 1),
    "plain new": (b"--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+b\n", "unified", 1),
    "plain new without prefixes": (b"--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+b\n", "unified", None),
    "git without prefixes": (b"diff --git f f\nindex 1..2\n--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", "git", None),
    "git with other prefixes": (
        b"diff --git i/f w/f\nindex 1..2\n--- i/f\n+++ w/f\n@@ -1 +1 @@\n-a\n+b\n",
        "git",
        None,
    ),
    "git, one of two without": (EDIT + b"diff --git f f\nold mode 100644\nnew mode 100755\n", "git", None),
    "mail": (MAIL + b"---\n f | 2 +-\n\n" + SIGNED, "mail", 1),
    "mails and a cover letter": (MAIL + b"words\n" + MAIL + b"---\n" + SIGNED + MAIL + b"---\n" + SIGNED, "mail", 1),
    "what GNU diff writes": (b"diff -ru a/f b/f\n" + BODY + b"Only in a: x\n", "unified", 1),
    "what GNU diff writes of folders": (
        b"Only in a: x\ndiff -ru a/f b/f\n" + BODY + b"Only in b: y\ndiff -u a/f b/f\n" + BODY,
        "unified",
        1,
    ),
    "what Subversion writes": (b"Index: f\n====\n" + BODY + b"\nIndex: f\n====\n" + BODY, "unified", 1),
    "carriage returns everywhere": (EDIT.replace(b"\n", b"\r\n"), "git", 1),
    "blanks in names": (b"diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n", "git", 1),
    "blanks in renamed names": (b"diff --git a/x y b/z a b/w\nrename from x y\nrename to z a b/w\n", "git", 1),
    "one quoted name": (b'diff --git a/x "b/\\303\\274"\nrename from x\nrename to "\\303\\274"\n', "git", 1),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind_and_strip_level_are_told_and_never_guessed(name: str) -> None:
    data, kind, strip = KINDS[name]
    text = scan_patch_text(data)
    assert (text.kind, text.strip) == (kind, strip)


@pytest.mark.parametrize("before", [b"", b"Here is the diff:\n\n", b"commit 123\nAuthor: A\n\n    subject\n\n"])
@pytest.mark.parametrize("after", [b"", b"\nDone.\n", b"```\n", b"-- \n2.39.5\n"])
def test_words_before_and_behind_are_not_part_of_the_diff(before: bytes, after: bytes) -> None:
    data = before + EDIT + NEW + after
    text = scan_patch_text(data)
    assert data[text.start : text.end] == text.diff(data) == EDIT + NEW
    assert text.file_count == 2


def test_words_between_mails_are_not_given_to_git() -> None:
    data = MAIL + b"---\n f | 2\n\n" + SIGNED + MAIL + b"---\n" + EDIT
    assert scan_patch_text(data).diff(data) == EDIT + EDIT


@pytest.mark.parametrize("name", READ_BY_GIT)
def test_whatever_is_taken_is_read_by_git_and_says_the_same(name: str, anywhere: Path) -> None:
    patch = READ_BY_GIT[name]
    try:
        text = scan_patch_text(patch)
    except PatchRefused:
        return
    assert git(anywhere, "apply", "--numstat", stdin=text.diff(patch)) == git(
        anywhere, "apply", "--numstat", stdin=patch
    )


LIMITS = PatchLimits(max_files=2, max_bytes=1000, max_line_bytes=100, max_binary_bytes=100)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (EDIT + b"\n" * 1000, 1, "1,000 are allowed"),
        (EDIT * 3, 15, "more than 2 files"),
        (EDIT + b"\n" + b"x" * 101, 9, "longer than 100"),
        (b"x" * 101 + b"\n" + EDIT, 1, "longer than 100"),
        (NEW.partition(b"---")[0] + b"GIT binary patch\nliteral 101\n", 5, "101 bytes"),
    ],
)
def test_what_is_too_large_is_refused(data: bytes, line: int, words: str) -> None:
    with pytest.raises(PatchRefused, match=words) as caught:
        scan_patch_text(data, limits=LIMITS)
    assert caught.value.line == line


def test_a_line_of_just_the_limit_is_taken() -> None:
    scan_patch_text(EDIT.replace(b"-a\n", b"-" + b"a" * 99 + b"\n"), limits=LIMITS)


def test_a_delta_that_would_unpack_to_too_much_is_refused(anywhere: Path) -> None:
    noise = bytes(range(256)) * 40
    old = write_tree(anywhere, {b"f": ("100644", noise)})
    new = write_tree(anywhere, {b"f": ("100644", noise + b"more")})
    patch = git(anywhere, "diff", *AS_CAPTURED, old, new)
    assert b"delta" in patch
    scan_patch_text(patch)
    with pytest.raises(PatchRefused, match="would unpack to"):
        scan_patch_text(patch, limits=PatchLimits(max_binary_bytes=5000))


@settings(max_examples=300, deadline=None)
@given(data=st.lists(st.sampled_from(SCRAPS), max_size=25))
def test_any_text_is_taken_or_refused_and_what_is_taken_git_reads(data: list[bytes], anywhere: Path) -> None:
    text = b"".join(data)
    try:
        scanned = scan_patch_text(text)
    except PatchRefused:
        return
    assert accepts(anywhere, scanned.diff(text))


@pytest.mark.parametrize("line", REPEATED)
@pytest.mark.parametrize(
    "head", [b"", EDIT, b"--- a/f\n+++ b/f\n@@ -1,999999999 +1,999999999 @@\n", b"diff --git ", MAIL]
)
def test_hostile_repetition_is_read_in_linear_time(head: bytes, line: bytes) -> None:
    try:
        scan_patch_text(head + line * (1_000_000 // len(line)))
    except PatchRefused:
        return
