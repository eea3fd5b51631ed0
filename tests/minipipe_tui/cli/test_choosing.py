"""Files, hunks and lines as people write them."""

import pytest

from engine.errors import UsageError
from engine.patches.unified import parse_patch
from engine.store.records import PatchFileRecord
from minipipe_tui.cli.choosing import check_line, hunk_numbers, path_called

DIFF = b"""\
diff --git a/a.txt b/a.txt
index 1..2 100644
--- a/a.txt
+++ b/a.txt
@@ -10,3 +10,4 @@
 ten
-eleven
+ELEVEN
+more
 twelve
\\ No newline at end of file
"""


def file(path: str, old_path: str | None = None) -> PatchFileRecord:
    return PatchFileRecord("pat_1", "c", 0, path, old_path, "M", "100644", "100644", 1, 1, is_binary=False)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1", (1,)), ("1,3-5", (1, 3, 4, 5)), ("5,1", (1, 5)), ("2-3, 3 ,2", (2, 3)), ("007", (7,))],
)
def test_hunks_are_numbers_and_ranges(text: str, numbers: tuple[int, ...]) -> None:
    assert hunk_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "-1", "1-", "3-2", "a", "1,,2", "1-2-3", "1-999999999", "\u0661", "9" * 30])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        hunk_numbers(text)


FILES = [file("src/a.txt"), file('"odd\\nname"'), file('"caf\\351"'), file("new.txt", "old.txt"), file('"\\"q\\""')]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("src/a.txt", "src/a.txt"),
        ("./src/a.txt", "src/a.txt"),
        ("odd\nname", '"odd\\nname"'),
        ('"odd\\nname"', '"odd\\nname"'),
        ("caf\udce9", '"caf\\351"'),
        ("old.txt", "new.txt"),
        ('"q"', '"\\"q\\""'),
    ],
)
def test_a_file_is_found_by_its_name_as_it_is_or_as_it_is_shown(given: str, path: str) -> None:
    assert path_called(FILES, given, patch_id="pat_1") == path


@pytest.mark.parametrize("given", ["a.txt", "src", "", "*", '"odd', '"\\9"'])
def test_a_file_that_is_not_changed_is_wrong_usage(given: str) -> None:
    with pytest.raises(UsageError):
        path_called(FILES, given, patch_id="pat_1")


@pytest.mark.parametrize(
    ("line", "side", "is_shown"),
    [
        (9, "new", False),
        (10, "new", True),
        (11, "old", True),
        (13, "new", True),
        (13, "old", False),
        (14, "new", False),
    ],
)
def test_a_comment_is_on_a_line_that_the_diff_shows(line: int, side: str, *, is_shown: bool) -> None:
    files = parse_patch(DIFF)
    if is_shown:
        check_line(files, "a.txt", line, side)
    else:
        with pytest.raises(UsageError):
            check_line(files, "a.txt", line, side)
    with pytest.raises(UsageError):
        check_line(files, "b.txt", line, side)
