"""Texts that must not be applied, each with the line and the words of the refusal that must name it."""
# ruff: noqa: E501
# fmt: off

BODY = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"
EDIT = b"diff --git a/f b/f\nindex 1..2 100644\n" + BODY
NEW = b"diff --git a/f b/f\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
MAIL = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] x\n\n"
BINARY = b"diff --git a/f b/f\nnew file mode 100644\nindex 0..1\nGIT binary patch\n"
ZEROS = b"literal 3\nKcmZQzU}OLQ00aO4\n\nliteral 0\nHcmV?d00001\n\n"


def edited(old: bytes, new: bytes, text: bytes = EDIT) -> bytes:
    assert old in text
    return text.replace(old, new)


HOSTILE_TEXTS: dict[str, tuple[bytes, int, str]] = {
    # nothing to apply
    "nothing": (b"", 1, "there is no diff"),
    "blank lines": (b"\n\n\n", 1, "there is no diff"),
    "only words": (b"hello\nworld\n", 1, "there is no diff"),
    "an ed script": (b"1d\n0a\n!touch /tmp/x\n.\nw\n", 1, "an ed script"),
    "an ed script behind names": (b"--- /dev/null\n+++ b/f\n0a\n!id>x\n.\nw\n", 3, "not followed by a hunk"),
    "an ed script behind a diff": (EDIT + b"\n1337a\n!id\n.\nw\n", 9, "an ed command"),
    "a context diff": (b"*** a/f\n--- b/f\n***************\n*** 1 ****\n! a\n--- 1 ----\n! b\n", 1, "a context diff"),
    "a diff without names": (b"1c1\n< a\n---\n> b\n", 1, "without names"),
    "a hunk without names": (b"@@ -1 +1 @@\n-a\n+b\n", 1, "without the names"),
    "a title and nothing": (b"diff --git a/f b/f\n", 1, "says nothing"),
    "only blobs": (b"diff --git a/f b/f\nindex 1..2 100644\n", 1, "says nothing"),
    "names without a hunk": (b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n", 5, "not followed by a hunk"),
    "a binary change that is not there": (b"diff --git a/f b/f\nindex 1..2 100644\nBinary files a/f and b/f differ\n", 3, "not contained"),
    # names that disagree
    "another name in ---": (edited(b"--- a/f", b"--- a/g"), 3, "the title says"),
    "another name in +++": (edited(b"+++ b/f", b"+++ b/.git/hooks/x"), 4, "the title says"),
    "another name in both": (edited(b"--- a/f\n+++ b/f", b"--- a/g\n+++ b/g"), 3, "the title says"),
    "another name in rename to": (b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to h\n", 1, "disagree"),
    "another name in copy from": (b"diff --git a/f b/g\nsimilarity index 100%\ncopy from e\ncopy to g\n", 1, "disagree"),
    "a longer name in rename to": (b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to x/b/g\n", 1, "disagree"),
    "two paths and no rename": (b"diff --git a/f b/g\nold mode 100644\nnew mode 100755\n", 1, "two paths"),
    "two paths, --- and +++": (b"diff --git a/f b/g\nindex 1..2 100644\n--- a/f\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n", 1, "two paths"),
    "two paths in a plain diff": (b"--- a/f\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n", 2, "two paths"),
    "a backup's name in a plain diff": (b"--- f.orig\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", 2, "two paths"),
    "a title with blanks that fits nothing": (b"diff --git a/f b/f b/f\nold mode 100644\nnew mode 100755\n", 1, "disagree"),
    "nowhere twice": (b"--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", 2, "nowhere"),
    "new without saying so": (edited(b"new file mode 100644\n", b"", NEW), 3, "new or deleted"),
    "new, and yet it was": (edited(b"--- /dev/null", b"--- a/f", NEW), 4, "new or deleted"),
    "deleted without saying so": (edited(b"+++ b/f", b"+++ /dev/null"), 4, "new or deleted"),
    # words that do not go together
    "rename from twice": (b"diff --git a/f b/g\nrename from f\nrename from e\nrename to g\n", 3, "said twice"),
    "rename to nothing": (b"diff --git a/f b/g\nrename from f\n", 2, "without rename to"),
    "--- alone": (edited(b"+++ b/f\n", b""), 3, "without +++"),
    "new and deleted": (b"diff --git a/f b/f\nnew file mode 100644\ndeleted file mode 100644\n", 2, "another fate"),
    "new and of another mode": (b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\nnew file mode 100644\n", 4, "another fate"),
    "renamed and copied": (b"diff --git a/f b/g\nrename from f\nrename to g\ncopy from f\ncopy to g\n", 2, "another fate"),
    "half a change of mode": (b"diff --git a/f b/f\nnew mode 100755\n", 2, "without old mode"),
    # modes
    "a folder's mode": (edited(b"mode 100644", b"mode 040000", NEW), 2, "no mode"),
    "an odd mode": (edited(b"mode 100644", b"mode 010644", NEW), 2, "no mode"),
    "a setuid mode": (edited(b"mode 100644", b"mode 104755", NEW), 2, "no mode"),
    "a group's mode": (edited(b"1..2 100644", b"1..2 100664"), 2, "no mode"),
    "a mode with something behind": (edited(b"mode 100644", b"mode 100644x", NEW), 2, "no mode"),
    # hunks that lie
    "too few lines": (edited(b"@@ -1 +1 @@", b"@@ -1,2 +1,2 @@"), 8, "fewer lines"),
    "too many lines": (EDIT + b"+c\n", 8, "more lines"),
    "too many lines, deleted": (EDIT + b"-c\n", 8, "more lines"),
    "too few lines, then another file": (edited(b"@@ -1 +1 @@", b"@@ -1,2 +1,2 @@") + EDIT, 8, "fewer lines"),
    "a line that is none": (edited(b"-a\n", b"a\n"), 6, "fewer lines"),
    "a carriage return between lines": (edited(b"-a\n", b"\r-a\n"), 6, "fewer lines"),
    "numbers that are none": (edited(b"@@ -1 +1 @@", b"@@ -1,x +1 @@"), 5, "cannot be read"),
    "numbers beyond all measure": (edited(b"@@ -1 +1 @@", b"@@ -1,99999999999999999999 +1 @@"), 5, "cannot be read"),
    "an old side of a new file": (edited(b"@@ -0,0 +1 @@\n", b"@@ -1 +1,2 @@\n x\n", NEW), 6, "lines of both"),
    "hunks that overlap": (EDIT + b"@@ -1 +1 @@\n-a\n+b\n", 8, "overlaps"),
    "hunks in the wrong order": (edited(b"@@ -1 +1 @@", b"@@ -9 +9 @@") + b"@@ -1 +1 @@\n-a\n+b\n", 8, "wrong order"),
    "cut off": (EDIT[:-1], 7, "no newline"),
    # a second diff where none belongs
    "words between two files": (EDIT + b"words\n" + EDIT, 9, "another diff begins"),
    "a plain diff behind words": (BODY + b"words\n" + BODY, 7, "another diff begins"),
    "a hunk behind words": (EDIT + b"words\n@@ -9 +9 @@\n-a\n+b\n", 9, "another diff begins"),
    "a plain diff behind git's": (EDIT + BODY, 8, "mixed"),
    "a diff in the message of a mail": (MAIL + EDIT + b"\n---\n f | 2\n\n" + EDIT, 5, "in the message"),
    "a mail without its line": (MAIL + EDIT, 5, "in the message"),
    "a diff behind the signature": (MAIL + b"---\n" + EDIT + b"-- \n2.39.5\n\n" + EDIT, 16, "another diff begins"),
    "an encoded mail": (edited(b"\n\n", b"\nContent-Transfer-Encoding: base64\n\n", MAIL) + b"---\n" + EDIT, 4, "encoded"),
    # names that cannot be
    "a NUL in a title": (edited(b"diff --git a/f b/f", b"diff --git a/f\0x b/f\0x"), 1, "a NUL"),
    "a NUL in +++": (edited(b"+++ b/f", b"+++ b/f\0/../x"), 4, "a NUL"),
    "a NUL in quotes": (edited(b"a/f", b'"a/f\\000"').replace(b"b/f", b'"b/f\\000"'), 3, "a NUL or a newline"),
    "a newline in quotes": (edited(b"a/f", b'"a/f\\n"').replace(b"b/f", b'"b/f\\n"'), 3, "a NUL or a newline"),
    "quotes that do not end": (edited(b"+++ b/f", b'+++ "b/f'), 4, "quoting"),
    "an escape that is none": (edited(b"+++ b/f", b'+++ "b/\\q"'), 4, "quoting"),
    "an escape beyond a byte": (edited(b"+++ b/f", b'+++ "b/\\777"'), 4, "quoting"),
    "something behind the quotes": (edited(b"+++ b/f", b'+++ "b/f"/../../x'), 4, "behind a quoted name"),
    "one name in a title": (b'diff --git "a/f"\nold mode 100644\nnew mode 100755\n', 1, "two names"),
    "three names in a title": (b'diff --git "a/f" "b/f" c\nold mode 100644\nnew mode 100755\n', 1, "behind the names"),
    # binary bodies
    "a binary change of nothing": (BINARY + b"\n", 5, "neither literal nor delta"),
    "a binary change that claims too much": (BINARY + edited(b"literal 3", b"literal 99999999999", ZEROS), 5, "would unpack to"),
    "a binary change of another size": (BINARY + edited(b"literal 3", b"literal 4", ZEROS), 5, "does not unpack to the size"),
    "a broken line": (BINARY + edited(b"KcmZ", b"KcmZ\"", ZEROS), 6, "broken"),
    "a line of another length": (BINARY + edited(b"KcmZ", b"ZcmZ", ZEROS), 6, "broken"),
    "a body that was not packed": (BINARY + b"literal 3\nDabcde\n\n", 5, "cannot be unpacked"),
    "a body without an end": (BINARY + b"literal 3\nKcmZQzU}OLQ00aO4\n", 6, "blank line"),
}
