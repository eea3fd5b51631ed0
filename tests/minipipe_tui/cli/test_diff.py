"""Diffs as people read them: numbered, inert, coloured only where asked."""

import re
import subprocess
from pathlib import Path

import pytest

from engine.git.diffs import patch_text
from engine.git.program import Git
from engine.patches.unified import FileDiff, parse_patch
from minipipe_tui.cli.diff import diff_lines, hunk_documents
from minipipe_tui.cli.theme import load_theme

TEXT = "".join(f"{number}\n" for number in range(40))


@pytest.fixture
def files(tmp_path: Path) -> list[FileDiff]:
    """Changes of every kind."""

    def git(*words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "--template=", ".")
    for name in ("edited", "moved", "mode", "kind", "gone"):
        (tmp_path / name).write_text(name + TEXT)
    (tmp_path / "bin").write_bytes(b"\0" * 10)
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    (tmp_path / "edited").write_text(("edited" + TEXT).replace("\n5\n", "\nfive\x1b[2J\n").replace("\n35\n", "\n"))
    (tmp_path / "moved").rename(tmp_path / "there")
    (tmp_path / "mode").chmod(0o755)
    (tmp_path / "kind").unlink()
    (tmp_path / "kind").symlink_to("edited")
    (tmp_path / "gone").unlink()
    (tmp_path / "bin").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "empty").touch()
    (tmp_path / "last").write_text("no newline")
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    repository = Git(tmp_path / ".git")
    old, new = (repository.line("rev-parse", name) for name in ("HEAD^", "HEAD"))
    return parse_patch(patch_text(repository, old, new))


def test_hunks_are_numbered_over_the_whole_patch_and_so_are_files_without_any(files: list[FileDiff]) -> None:
    lines = [line for line in diff_lines(files) if line.startswith("[")]
    assert [line.partition(" ")[0] for line in lines] == [f"[{number}]" for number in range(1, len(lines) + 1)]
    assert "[1] a binary change" in lines
    assert any(line.endswith("] an empty file") for line in lines)
    assert any(line.endswith("] the file becomes something else") for line in lines)
    assert sum(line.endswith("] no line changes") for line in lines) == 2
    assert [entry["number"] for entry in hunk_documents(files)] == list(range(1, len(lines) + 1))


def test_a_document_of_hunks_counts_their_lines(files: list[FileDiff]) -> None:
    found = [entry for entry in hunk_documents(files) if entry["path"] == "edited"]
    assert [(entry["lines_added"], entry["lines_deleted"]) for entry in found] == [(1, 1), (0, 1)]
    assert found[0]["header"].startswith("@@ -3,7 +3,7 @@")
    assert [entry["header"] for entry in hunk_documents(files) if entry["path"] == "bin"] == [None]


def test_nothing_but_the_change_is_shown(files: list[FileDiff]) -> None:
    text = "\n".join(diff_lines(files))
    assert "+five^[[2J" in text
    assert "\x1b" not in text
    assert "rename to there" in text
    assert "\\ No newline at end of file" in text
    assert "index " not in text.replace("similarity index", "")
    assert text.count("GIT binary patch") == 1
    assert len(text.splitlines()) < 180


def test_colours_come_from_the_theme_and_change_no_text(files: list[FileDiff]) -> None:
    plain = list(diff_lines(files))
    for name in ("dark", "monochrome", "colour-blind"):
        coloured = list(diff_lines(files, load_theme(name)))
        assert coloured != plain
        assert [_bare(line) for line in coloured] == plain
    added = next(line for line in diff_lines(files, load_theme("dark")) if "+five" in line)
    assert added == "\x1b[32m+five^[[2J\x1b[0m"


def _bare(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)
