"""What would become of a patch, tried in real repositories."""

import subprocess
from pathlib import Path

import pytest

from engine.git.diffs import patch_identity, patch_text
from engine.git.program import Git
from engine.patches.foresight import foresee
from engine.store.records import PatchRecord

TEXT = "".join(f"line {number}\n" for number in range(60))


class Repo:
    """A repository in which commits are made with plain git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plain("init", "-q", "--template=", ".")
        self.git = Git(folder / ".git")

    def plain(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@t.invalid", "-c", "commit.gpgSign=false")
        return subprocess.run(
            ["git", *who, *words], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, files: dict[str, str | None], *, on: str | None = None) -> str:
        """A commit that writes (or, for None, removes) files on top of another commit."""
        if on is not None:
            self.plain("checkout", "-q", "--detach", on)
        for name, content in files.items():
            if content is None:
                self.plain("rm", "-q", name)
            else:
                (self.folder / name).write_text(content)
        self.plain("add", "-A")
        self.plain("commit", "-q", "-m", "c")
        return self.plain("rev-parse", "HEAD")

    def patch(self, name: str, base: str, files: dict[str, str | None]) -> PatchRecord:
        commit = self.commit(files, on=base)
        return PatchRecord(
            patch_id=f"pat_{name}", run_id="run_1", task_id="task_1", step_id=name, attempt_id=None, origin="step",
            parent_patch_id=None, created_at="", base_commit=base, commit_id=commit,
            stable_id=patch_identity(self.git, patch_text(self.git, base, commit)),
        )  # fmt: skip


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


@pytest.fixture
def base(repo: Repo) -> str:
    return repo.commit({"a.txt": TEXT, "b.txt": "b\n"})


def changed(**lines: str) -> str:
    """The text with some lines put otherwise: `changed(l5="new")`."""
    text = TEXT.splitlines()
    for name, content in lines.items():
        text[int(name[1:])] = content
    return "\n".join(text) + "\n"


def test_on_its_own_base_a_patch_applies_cleanly(repo: Repo, base: str) -> None:
    found = foresee(repo.git, repo.patch("p", base, {"a.txt": changed(l5="new")}), base)
    assert (found.applies, found.conflicts, found.overlaps, found.is_there_already) == ("cleanly", (), {}, False)


@pytest.mark.parametrize(
    ("meanwhile", "applies"),
    [
        ({"b.txt": "other\n"}, "cleanly"),
        ({"a.txt": changed(l40="far away")}, "cleanly"),
        ({"a.txt": changed(l7="in its context")}, "three-way"),
        ({"a.txt": changed(l5="the same line")}, "conflicts"),
        ({"a.txt": None}, "conflicts"),
    ],
    ids=["another file", "far away", "in the context", "the same line", "the file is gone"],
)
def test_a_head_that_moved_decides_how_it_applies(
    repo: Repo, base: str, meanwhile: dict[str, str | None], applies: str
) -> None:
    patch = repo.patch("p", base, {"a.txt": changed(l5="new")})
    found = foresee(repo.git, patch, repo.commit(meanwhile, on=base))
    assert found.applies == applies
    assert found.conflicts == (("a.txt",) if applies == "conflicts" else ())


def test_a_change_that_is_there_already_is_told(repo: Repo, base: str) -> None:
    patch = repo.patch("p", base, {"a.txt": changed(l5="new")})
    found = foresee(repo.git, patch, repo.commit({"a.txt": changed(l5="new", l40="more")}, on=base))
    assert (found.applies, found.is_there_already) == ("cleanly", True)


def test_other_patches_overlap_only_where_they_cannot_both_go(repo: Repo, base: str) -> None:
    patch = repo.patch("p", base, {"a.txt": changed(l5="mine"), "new.txt": "mine\n"})
    far = repo.patch("far", base, {"a.txt": changed(l40="theirs")})
    same = repo.patch("same", base, {"a.txt": changed(l5="theirs")})
    both = repo.patch("both", base, {"a.txt": changed(l5="theirs"), "new.txt": "theirs\n"})
    twin = repo.patch("twin", base, {"a.txt": changed(l5="mine")})
    found = foresee(repo.git, patch, base, [patch, far, same, both, twin])
    assert found.overlaps == {"pat_same": ("a.txt",), "pat_both": ("a.txt", "new.txt")}


def test_names_of_conflicts_are_shown_as_git_quotes_them(repo: Repo, base: str) -> None:
    patch = repo.patch("p", base, {"odd\nname": "mine\n"})
    head = repo.commit({"odd\nname": "theirs\n"}, on=base)
    assert foresee(repo.git, patch, head).conflicts == ('"odd\\nname"',)


def test_nothing_is_moved(repo: Repo, base: str) -> None:
    patch = repo.patch("p", base, {"a.txt": changed(l5="new")})
    other = repo.patch("q", base, {"a.txt": changed(l5="newer")})
    looks = ("show-ref", "--head"), ("status", "--porcelain"), ("ls-files", "-s")
    before = [repo.plain(*words) for words in looks]
    foresee(repo.git, patch, base, [other])
    assert [repo.plain(*words) for words in looks] == before
