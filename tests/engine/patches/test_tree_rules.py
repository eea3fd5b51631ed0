"""What a patch must not do to a tree, told from its changes and the tree that results."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.git.changes import EXECUTABLE, GITLINK, NO_MODE, REGULAR, SYMLINK, Change
from engine.patches.finding import Finding
from engine.patches.tree_rules import tree_findings

Tree = Mapping[bytes, tuple[str, bytes]]
"""Paths with their mode and content."""


def file(content: bytes = b"", mode: str = REGULAR) -> tuple[str, bytes]:
    return mode, content


def link(target: bytes) -> tuple[str, bytes]:
    return SYMLINK, target


SUBMODULE = (GITLINK, b"")


def changes_between(before: Tree, after: Tree) -> list[Change]:
    """As git tells them, without renames; the content itself stands for the name of the blob."""
    changes = []
    for path in sorted({*before, *after}):
        (old_mode, old), (new_mode, new) = before.get(path, (NO_MODE, b"")), after.get(path, (NO_MODE, b""))
        if (old_mode, old) != (new_mode, new):
            status = "A" if old_mode == NO_MODE else "D" if new_mode == NO_MODE else "M"
            status = "T" if status == "M" and old_mode[:3] != new_mode[:3] else status
            changes.append(Change(status, path, None, old_mode, new_mode, old.hex(), new.hex()))
    return changes


def judged(changes: list[Change], before: Tree, after: Tree) -> list[Finding]:
    links_before = frozenset(path for path, (mode, _) in before.items() if mode == SYMLINK)
    paths_after = {path: mode for path, (mode, _) in after.items()}
    findings = tree_findings(
        changes, read_link=bytes.fromhex, read_blob=bytes.fromhex, paths_after=paths_after, links_before=links_before
    )
    return list(findings)


def found(before: Tree, added: Tree, removed: tuple[bytes, ...] = ()) -> list[Finding]:
    after = {path: entry for path, entry in before.items() if path not in removed} | dict(added)
    return judged(changes_between(before, after), before, after)


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


BASE: Tree = {
    b"README": file(b"hello"),
    b"src/a.py": file(b"a"),
    b"Docs/x": file(b"x"),
    b"current": link(b"src"),
    b"nested/deep/up": link(b"../.."),
    "caf\u00e9".encode(): file(b"c"),
}

HOSTILE: list[tuple[str, Tree, str]] = [
    ("a link to an absolute path", {b"l": link(b"/etc/passwd")}, "link.absolute"),
    ("a link to a drive", {b"l": link(b"C:\\Windows")}, "link.absolute"),
    ("a link to a server", {b"l": link(b"\\\\server\\share")}, "link.absolute"),
    ("a link above the top", {b"l": link(b"..")}, "link.outside"),
    ("a link above the top from a folder", {b"a/b/l": link(b"../../../x")}, "link.outside"),
    ("a link out and in again", {b"l": link(b"../repository/x")}, "link.outside"),
    ("a link that climbs later", {b"a/l": link(b"b/../../../x")}, "link.outside"),
    ("a link with backslashes", {b"a/l": link(b"..\\..\\x")}, "link.outside"),
    ("a link that climbs out of another", {b"l": link(b"nested/deep/up/../x")}, "link.outside"),
    ("the same in other letters", {b"l": link(b"Nested/DEEP/up/../x")}, "link.outside"),
    ("a link that climbs out of a new one", {b"k": link(b"src"), b"l": link(b"k/../../x")}, "link.outside"),
    ("a link to nothing", {b"l": link(b"")}, "link.outside"),
    ("a link with a NUL", {b"l": link(b"a\0/../../..")}, "link.outside"),
    ("an endless link", {b"l": link(b"a/" * 5000)}, "link.outside"),
    ("a link to .git", {b"l": link(b".git")}, "link.git"),
    ("a link to the hooks", {b"a/l": link(b"../.git/hooks")}, "link.git"),
    ("a link to .git in other letters", {b"l": link(b".GIT/config")}, "link.git"),
    ("a link to .git by its short name", {b"l": link(b"git~1/config")}, "link.git"),
    ("a link to .git behind backslashes", {b"l": link(b"a\\..\\.git")}, "link.git"),
    ("a link to .git with an invisible mark", {b"l": link(".g\u200cit".encode())}, "link.git"),
    ("an edited link", {b"current": link(b"../elsewhere")}, "link.outside"),
    ("a file that becomes a link", {b"README": link(b"/etc/passwd")}, "link.absolute"),
    ("a file behind a link of the base", {b"current/x": file()}, "link.through"),
    ("a file behind a new link", {b"l": link(b"src"), b"l/x": file()}, "link.through"),
    ("a file behind a link in other letters", {b"CURRENT/x": file()}, "link.through"),
    ("a file deep behind a link", {b"nested/deep/up/a/b": file()}, "link.through"),
    ("a path into .git", {b".git/config": file()}, "path.git"),
    ("a path into a folder's .git", {b"a/.GIT/hooks/x": file(mode=EXECUTABLE)}, "path.git"),
    ("a path upwards", {b"a/../../x": file()}, "path.dots"),
    ("an absolute path", {b"/x": file()}, "path.absolute"),
    ("a path with backslashes", {b"a\\..\\x": file()}, "path.backslash"),
    ("a path with a drive", {b"C:x": file()}, "path.drive"),
    ("a very long name", {b"a" * 300: file()}, "path.long"),
    ("a twin in other letters", {b"readme": file()}, "path.twin"),
    ("a twin of a folder", {b"docs/y": file()}, "path.twin"),
    ("a twin in a folder", {b"src/A.py": file()}, "path.twin"),
    ("a twin composed otherwise", {"cafe\u0301".encode(): file()}, "path.twin"),
    ("two new twins", {b"new/x": file(), b"new/X": file()}, "path.twin"),
    ("a folder and a link as twins", {b"A/x": file(), b"a": link(b"src")}, "path.twin"),
    ("a bare repository", {b"r/HEAD": file(), b"r/objects/x": file(), b"r/refs/x": file()}, "repository.embedded"),
    ("a bare repository at the top", {b"HEAD": file(), b"objects/x": file(), b"refs/x": file()}, "repository.embedded"),
    ("one in other letters", {b"r/head": file(), b"r/Objects/x": file(), b"r/REFS/x": file()}, "repository.embedded"),
    ("one of links", {b"r/HEAD": file(), b"r/objects": link(b"../src"), b"r/refs": link(b".")}, "repository.embedded"),
    ("one with its objects elsewhere", {b"r/HEAD": file(), b"r/commondir": file(b"../src")}, "repository.embedded"),
    ("a new submodule", {b"lib": SUBMODULE}, "submodule.changed"),
    ("a file that becomes a submodule", {b"README": SUBMODULE}, "submodule.changed"),
    ("a new .gitmodules", {b".gitmodules": file()}, "submodule.changed"),
    ("a .gitmodules in other letters", {b".GITMODULES": file()}, "submodule.hostile"),
    ("a .gitmodules by its short name", {b"GITMOD~1": file()}, "submodule.hostile"),
    ("a .gitmodules that is a link", {b".gitmodules": link(b"README")}, "submodule.hostile"),
    ("a command in .gitmodules", {b".gitmodules": file(b'[submodule "a"]\nupdate = !x')}, "submodule.hostile"),
    ("a dash in .gitmodules", {b".gitmodules": file(b'[submodule "a"]\nurl = -x')}, "submodule.hostile"),
    ("a hostile one in a folder", {b"a/.gitmodules": file(b'[submodule "../x"]\npath = x')}, "submodule.hostile"),
    ("a folder as a file", {b"x": file(mode="040000")}, "mode.strange"),
    ("a fifo", {b"x": file(mode="010644")}, "mode.strange"),
    ("a file for everybody", {b"x": file(mode="100666")}, "mode.strange"),
]  # fmt: skip


@pytest.mark.parametrize(("added", "rule"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_hostile_tree_is_refused(added: Tree, rule: str) -> None:
    assert rule in rules(found(BASE, added))


HARMLESS: list[tuple[str, Tree, tuple[bytes, ...]]] = [
    ("a new file", {b"src/b.py": file()}, ()),
    ("a new program", {b"run": file(mode=EXECUTABLE)}, ()),
    ("an edited file", {b"README": file(b"bye")}, ()),
    ("a deleted file", {}, (b"README",)),
    ("a link beside its target", {b"src/l": link(b"a.py")}, ()),
    ("a link upwards within the tree", {b"a/b/l": link(b"../../README")}, ()),
    ("a link to the top", {b"a/l": link(b"..")}, ()),
    ("a link through a link", {b"l": link(b"current/a.py")}, ()),
    ("a link to a name with a backslash", {b"l": link(b"a\\b")}, ()),
    ("a deleted link", {}, (b"current",)),
    ("a link that becomes a file", {b"current": file()}, ()),
    ("a rename in case only", {b"readme": file(b"hello")}, (b"README",)),
    ("a folder renamed in case only", {b"docs/x": file(b"x")}, (b"Docs/x",)),
    ("half a repository", {b"r/HEAD": file(), b"r/refs/x": file()}, ()),
    ("a folder called HEAD", {b"r/HEAD/x": file(), b"r/objects/x": file(), b"r/refs/x": file()}, ()),
    ("a .gitmodules in a folder", {b"a/.gitmodules": file(b'[submodule "b"]\npath = b\nurl = ../b')}, ()),
    ("names that begin with dots", {b".github/x": file(), b"..a": file()}, ()),
]


@pytest.mark.parametrize(("added", "removed"), [case[1:] for case in HARMLESS], ids=[case[0] for case in HARMLESS])
def test_a_harmless_tree_is_not_refused(added: Tree, removed: tuple[bytes, ...]) -> None:
    assert found(BASE, added, removed) == []


def test_a_folder_in_the_place_of_a_link_is_said_to_be_that() -> None:
    (finding,) = found(BASE, {b"current/x": file()}, (b"current",))
    assert str(finding) == "link.through: a folder takes the place of the link current (current/x)"


def test_a_link_in_the_place_of_a_folder_is_said_to_be_that() -> None:
    (finding,) = found(BASE, {b"Docs": link(b"src")}, (b"Docs/x",))
    assert str(finding) == "link.through: the link Docs takes the place of a folder (Docs/x)"


def test_a_renamed_link_is_judged_where_it_is_now() -> None:
    before: Tree = {b"a/b/l": link(b"../../x")}
    after: Tree = {b"l": link(b"../../x")}
    change = Change("R", b"l", b"a/b/l", SYMLINK, SYMLINK, b"../../x".hex(), b"../../x".hex())
    assert rules(judged([change], before, after)) == {"link.outside"}


def test_a_renamed_folder_of_a_twin_is_none() -> None:
    before: Tree = {b"Docs/x": file(b"x")}
    after: Tree = {b"docs/x": file(b"x")}
    assert judged([Change("R", b"docs/x", b"Docs/x", REGULAR, REGULAR)], before, after) == []


def test_twins_of_the_base_are_not_the_patchs_doing() -> None:
    base: Tree = {b"a/x": file(b"1"), b"a/X": file(b"2"), b"A/y": file(b"3")}
    assert found(base, {b"a/x": file(b"new"), b"A/z": file()}) == []


def test_both_twins_are_named() -> None:
    (finding,) = found(BASE, {b"docs/y": file(), b"docs/z": file()})
    assert (finding.path, finding.rule) == (b"docs", "path.twin")
    assert "Docs" in finding.message


def test_removing_a_submodule_or_gitmodules_is_a_change_of_submodules() -> None:
    base: Tree = {b"lib": SUBMODULE, b".gitmodules": file(b"x")}
    findings = found(base, {}, (b"lib", b".gitmodules"))
    assert [(finding.rule, finding.path) for finding in findings] == [
        ("submodule.changed", b".gitmodules"),
        ("submodule.changed", b"lib"),
    ]


def test_a_change_in_a_repository_of_the_base_is_refused_and_one_beside_it_is_not() -> None:
    base: Tree = {b"r/HEAD": file(), b"r/objects/x": file(), b"r/refs/x": file()}
    assert rules(found(base, {b"r/config": file(b"[core]\nfsmonitor = x")})) == {"repository.embedded"}
    assert found(base, {b"s": file()}) == []


def test_many_hostile_things_in_gitmodules_are_counted() -> None:
    text = b'[submodule "a"]\n' + b"update = !x\n" * 20
    (finding,) = (found_one for found_one in found({}, {b".gitmodules": file(text)}) if "hostile" in found_one.rule)
    assert finding.message.endswith("; and 15 more")


@pytest.mark.parametrize(
    "tree",
    [
        {"HEAD": "ref: refs/heads/x\n", "objects/x": "", "refs/x": ""},
        {"HEAD": "ref: refs/heads/x\n", "commondir": "../c\n", "../c/objects/x": "", "../c/refs/x": ""},
        {"HEAD": "ref: refs/heads/x\n", "objects/x": ""},
        {"objects/x": "", "refs/x": ""},
    ],
)
def test_what_git_takes_for_a_repository_is_one(tmp_path: Path, tree: dict[str, str]) -> None:
    for name, content in tree.items():
        (tmp_path / "r" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "r" / name).write_text(content)
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    command = ["git", "rev-parse", "--git-dir"]
    asked = subprocess.run(command, cwd=tmp_path / "r", env=environment, capture_output=True, check=False)
    added = {os.path.normpath(f"r/{name}").encode(): file(content.encode()) for name, content in tree.items()}
    assert ("repository.embedded" in rules(found({}, added))) is (asked.returncode == 0)


names = st.sampled_from(
    [b"a", b"A", b"b", b"..", b".", b"", b".git", b"HEAD", b"objects", b"refs", b"l", b"\xff", "é".encode()]
)
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
trees = st.dictionaries(paths, st.one_of(st.builds(file, st.binary(max_size=3)), st.builds(link, paths)), max_size=8)


def leaves(path: bytes, target: bytes) -> bool:
    """Whether a link leaves the tree if nothing else is a link, by the arithmetic of another library."""
    whole = os.path.normpath(os.path.join(b"/root/tree", path, b"..", target))
    return whole.split(b"/")[1:3] != [b"root", b"tree"]


@given(trees, trees)
def test_judging_is_deterministic_and_misses_no_link_that_leaves(before: Tree, after: Tree) -> None:
    changes = changes_between(before, after)
    findings = judged(changes, before, after)
    assert findings == judged(changes, before, after)
    outside = {finding.path for finding in findings if finding.rule in ("link.outside", "link.absolute")}
    bad = {finding.path for finding in findings if finding.rule.startswith("path.")}
    for change in changes:
        if change.new_mode == SYMLINK and leaves(change.path, bytes.fromhex(change.new_blob)):
            assert change.path in outside | bad


@pytest.mark.parametrize(
    "added",
    [
        {b"/".join([b"%d" % number, *[b"a"] * 254]): file() for number in range(400)},
        {b"a/" * 250 + b"%d" % number: link(b"a/../" * 49 + b"x") for number in range(1000)},
        {b"%d" % number: link(b"a/" * 255 + b"x") for number in range(1000)},
        {b"/".join([b"aA"[number % 2 :][:1], b"%d" % number] * 100): file() for number in range(500)},
        {b"%d/%s" % (number, name): file() for number in range(1000) for name in (b"HEAD", b"objects", b"refs", b"X")},
        {b"a/" * 30_000 + b"%d" % number: file() for number in range(100)},
    ],
)  # fmt: skip
def test_a_hostile_tree_is_judged_in_linear_time(added: Tree) -> None:
    base: Tree = {b"src/%d/%d.py" % (number % 300, number): file() for number in range(20_000)}
    started = time.process_time()
    found(base, added)
    assert time.process_time() - started < 10
