"""Patches that git reads, each with something about it that a counter or a parser could get wrong."""
# ruff: noqa: E501
# fmt: off

EDIT = b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n"
PLAIN = b"--- f\t2020-01-01 00:00:00.0 +0000\n+++ f\t2020-01-02 00:00:00.0 +0000\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n"
SIGNATURE = b"-- \n2.39.5\n\n"
MAIL = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\nSubject: [PATCH] x\n\n---\n f | 2 +-\n\n"

# Each is read by git as it stands.
READ_BY_GIT: dict[str, bytes] = {
    "edit": EDIT,
    "plain": PLAIN,
    "two edits": EDIT + EDIT,
    "git, then plain in one text": EDIT + PLAIN + EDIT,
    "plain, then git": PLAIN + PLAIN + EDIT + PLAIN,
    "mails": MAIL + EDIT + SIGNATURE + MAIL + EDIT + EDIT + SIGNATURE,
    "text before, between and after": b"hello\n+++ not\n" + EDIT + b"and\n+so\n+on\n" + EDIT + b"-x\n-y\n",
    "garbage that looks like lines": EDIT + b"+one\n+two\n" + EDIT + b"-one\n" + EDIT + b" one\n",
    "garbage of both kinds": EDIT + b"+one\n-two\n\\ x\n" + EDIT,
    "new": b"diff --git a/f b/f\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n",
    "new, garbage after": b"diff --git a/f b/f\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n+b\n",
    "deleted": b"diff --git a/f b/f\ndeleted file mode 100644\nindex 1..0\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
    "empty files": b"diff --git a/f b/f\nnew file mode 100755\nindex 0..1\ndiff --git a/g b/g\ndeleted file mode 100644\nindex 1..0\n",
    "renamed": b"diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n",
    "renamed the old way": b"diff --git a/f b/g\nsimilarity index 100%\nrename old f\nrename new g\n",
    "renamed, edited, of another mode": b"diff --git a/f b/g\nold mode 100644\nnew mode 100755\nsimilarity index 60%\n"
    b"rename from f\nrename to g\nindex 1..2\n--- a/f\n+++ b/g\n@@ -1,3 +1,4 @@\n a\n-b\n+c\n+e\n d\n",
    "copied": b"diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n",
    "mode": b"diff --git a/f b/f\nold mode 100644\nnew mode 100755\n",
    "binary told": b"diff --git a/f b/f\nindex 1..2 100644\nBinary files a/f and b/f differ\n" + EDIT,
    "binary new": b"diff --git a/f b/f\nnew file mode 100644\nindex 0..1\nBinary files /dev/null and b/f differ\n",
    "plain new": b"--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n",
    "plain new by its time": b"--- a/f\t1970-01-01 00:00:00.000000000 +0000\n+++ b/f\t2020-01-01 00:00:00.0 +0000\n@@ -0,0 +1 @@\n+a\n",
    "plain new by its time, west": b"--- a/f\t1969-12-31 19:00:00 -0500\n+++ b/f\t2020-01-01 00:00:00.0 +0000\n@@ -0,0 +1 @@\n+a\n",
    "plain deleted by its time": b"--- a/f\t2020-01-01 00:00:00 +0000\n+++ b/f\t1970-01-01 01:00:00 +0100\n@@ -1 +0,0 @@\n-a\n",
    "plain, not quite that time": b"--- a/f\t1970-01-01 00:00:01 +0000\n+++ b/f\t2020-01-01 00:00:00.0 +0000\n@@ -1 +1,2 @@\n a\n+b\n",
    "plain without context, added": b"--- a/f\n+++ b/f\n@@ -3,0 +4 @@\n+a\n",
    "plain without context, deleted": b"--- a/f\n+++ b/f\n@@ -4 +3,0 @@\n-a\n",
    "plain without context, twice": b"--- a/f\n+++ b/f\n@@ -3,0 +4 @@\n+a\n@@ -7,0 +9 @@\n+a\n",
    "header inside a hunk, at its end": b"--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n--- x\n+++ y\n@@ -7 +7 @@\n-a\n+b\n",
    "a look-alike and a signature": b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n--- x\n+++ y\n@@ -7 +7 @@\n-a\n+b\n"
    + SIGNATURE + EDIT,
    "diff inside a hunk": b"--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n a\n-diff --git a/x b/x\n+diff --git a/y b/y\n+@@ -1 +1 @@\n",
    "blank lines that lost their blank": b"--- a/f\n+++ b/f\n@@ -1,5 +1,5 @@\n\n\n-a\n+b\n\n\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n",
    "no newline at the end": EDIT + b"\\ No newline at end of file\n" + EDIT,
    "no newline before and after": b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    b"\\ No newline at end of file\n" + EDIT,
    "no newline in the middle": b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-b\n\\ No newline at end of file\n+c\n@@ -7 +7 @@\n-a\n+b\n",
    "a marker after a garbage line": EDIT + b"+x\n\\ No newline at end of file\n" + EDIT,
    "carriage returns": EDIT.replace(b"\n", b"\r\n"),
    "carriage returns, new": b"--- /dev/null\r\n+++ b/f\r\n@@ -0,0 +1 @@\r\n+a\r\n",
    "quoted": b'diff --git "a/\\303\\274\\n" "b/\\303\\274\\n"\nindex 1..2 100644\n--- "a/\\303\\274\\n"\n+++ "b/\\303\\274\\n"\n@@ -1 +1 @@\n-a\n+b\n',
    "a title without anything": b"diff --git a/f b/f\nnothing follows\n" + EDIT,
    "a diff in a message": b"Subject: x\n\n" + EDIT + b"that was it\n---\n f | 2\n\n" + EDIT,
    "index lines of another tool": b"Index: f\n=====\n" + PLAIN + b"\nIndex: g\n=====\n" + PLAIN,
    "only in": b"diff -ru a/f b/f\n" + PLAIN + b"Only in a: x\ndiff -ru a/f b/f\n" + PLAIN,
}

HEADERS_AND_LINES = [
    b"diff --git a/f b/f\n", b"index 1..2\n", b"--- a/f\n", b"+++ b/f\n", b"@@ -1,2 +1,2 @@\n", b"@@ -1 +1 @@\n", b"@@ -0,0 +1,2 @@\n",
    b" a\n", b"-a\n", b"+a\n", b"\\ No newline at end of file\n", b"\n", b"-- \n", b"text\n",
]
