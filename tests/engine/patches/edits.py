"""Random trees and what becomes of them, for properties that git is asked about."""

from hypothesis import strategies as st

Files = dict[bytes, tuple[str, bytes]]

NASTY_LINES = [
    b"",
    b" ",
    b"a",
    b"b",
    b"-- a/file",
    b"++ b/file",
    b"-- /dev/null",
    b"@@ -1,3 +1,4 @@",
    b"diff --git a/x b/x",
    b"\r",
    b"x\r",
    b"\\ No newline at end of file",
    b"\\",
    b"index 0..1",
    b"rename from a",
    b"GIT binary patch",
    b"-- ",
    b"--",
    b"++",
    b"\xff\xfe",
    b"\t",
    b"new file mode 100644",
    b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    b"\x0c",
    b"\xc2\x85",
]
PATHS = [
    b"a",
    b"b.txt",
    b"dir/c",
    b"dir/with blank",
    b'quo"te',
    b"tab\there",
    b"new\nline",
    b"\xff",
    "ü".encode(),
    b"--",
    b"a b/a b",
]

texts = st.builds(
    lambda lines, is_closed: b"\n".join(lines) + (b"\n" if is_closed and lines else b""),
    st.lists(st.sampled_from(NASTY_LINES), max_size=25),
    st.booleans(),
)
contents = st.one_of(
    texts, texts, st.binary(max_size=40), st.just(b""), st.builds(lambda n: b"\0" + b"x" * n, st.integers(0, 90))
)
entries = st.tuples(st.sampled_from(["100644", "100644", "100755", "120000"]), contents)
trees = st.dictionaries(st.sampled_from(PATHS), entries, max_size=5)


@st.composite
def edited_texts(draw: st.DrawFn, old: bytes) -> bytes:
    """The text with some lines deleted, changed or added."""
    lines = old.split(b"\n")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(NASTY_LINES), max_size=2))
    return b"\n".join(lines)


@st.composite
def tree_pairs(draw: st.DrawFn) -> tuple[Files, Files]:
    """A tree, and what it became: some files edited, renamed, of another mode, removed, new."""
    old = draw(trees)
    new = dict(draw(st.dictionaries(st.sampled_from(PATHS), entries, max_size=2)))
    for path, (mode, content) in old.items():
        match draw(st.sampled_from(["keep", "edit", "edit", "rename", "mode", "remove"])):
            case "keep":
                new[path] = mode, content
            case "edit":
                new[path] = mode, draw(edited_texts(content))
            case "rename":
                new[draw(st.sampled_from(PATHS))] = mode, draw(st.one_of(st.just(content), edited_texts(content)))
            case "mode":
                new[path] = draw(st.sampled_from(["100644", "100755", "120000"])), content
    return {path: entry for path, entry in old.items() if _is_possible(entry)}, {
        path: entry for path, entry in new.items() if _is_possible(entry)
    }


def _is_possible(entry: tuple[str, bytes]) -> bool:
    return entry[0] != "120000" or (entry[1] != b"" and b"\0" not in entry[1])
