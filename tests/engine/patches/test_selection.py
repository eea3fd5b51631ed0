"""Approval of files, of hunks, and of an edited patch: what is chosen goes on, what is not does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import GitFailed, UsageError
from engine.executor.ref_keeping import drop_needless_refs, keep_edits
from engine.git.program import Git
from engine.patches.decisions import Decision
from engine.patches.selection import check_choice, edited_commit
from engine.store.records import PatchRecord
from tests.engine.repository import Repo, outline

TEXT = "".join(f"line {number}\n" for number in range(1, 41))
EDIT = "sed -i 's/line 2$/LINE 2/; s/line 20$/LINE 20/; s/line 38$/LINE 38/' long.txt; echo new > new.txt; rm a.txt"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path, {"long.txt": TEXT, "keep.bin": b"\0\1\2"})
    yield made
    made.close()


@pytest.fixture
def run_id(repo: Repo) -> str:
    """A run that waits for review of a patch with five hunks: a.txt, three of long.txt, new.txt."""
    document = repo.play({"id": "s", "shell": EDIT, "review": "always"})
    assert document["state"] == "paused"
    found: str = document["run_id"]
    return found


def approve(repo: Repo, run_id: str, **how: object) -> dict[str, str]:
    patch = repo.patch(run_id, "s")
    assert repo.ledger.decide(Decision("approve", patch.patch_id, "Grace", "this", **how))  # type: ignore[arg-type]
    return outline(repo.drive(run_id))


def edit(repo: Repo, patch: PatchRecord, text: str) -> str:
    return edited_commit(Git(repo.root / ".git"), patch, text.encode(), source="edited")


def test_a_file_alone_is_taken(repo: Repo, run_id: str) -> None:
    assert approve(repo, run_id, files=("new.txt",)) == {"s": "completed"}
    head = repo.head(run_id)
    assert repo.git("diff", "--name-status", repo.base, head) == "A\tnew.txt"
    old, part = repo.patches(run_id, "s")
    assert (old.state, old.superseded_by) == ("superseded", part.patch_id)
    assert (part.parent_patch_id, part.origin, part.review_status, part.reviewed_by) == (
        *(old.patch_id, "part"),
        *("approved", "Grace"),
    )
    assert "Reviewed-by: Grace" in repo.git("show", "-s", "--format=%B", head)


def test_hunks_are_counted_over_the_whole_patch(repo: Repo, run_id: str) -> None:
    approve(repo, run_id, hunks=(3, 5))
    head = repo.head(run_id)
    assert repo.git("diff", "--name-status", repo.base, head).split() == ["M", "long.txt", "A", "new.txt"]
    assert repo.shown(head, "long.txt") == TEXT.replace("line 20\n", "LINE 20\n").rstrip("\n")


def test_hunks_of_a_named_file_are_counted_within_it(repo: Repo, run_id: str) -> None:
    approve(repo, run_id, files=("long.txt",), hunks=(1, 3))
    expected = TEXT.replace("line 2\n", "LINE 2\n").replace("line 38\n", "LINE 38\n").rstrip("\n")
    assert repo.shown(repo.head(run_id), "long.txt") == expected


def test_the_rest_is_sent_back_and_made_anew_after_the_part_is_committed(repo: Repo) -> None:
    shell = f'if [ -n "$MINIPIPE_FEEDBACK" ]; then echo better > better.txt; else {EDIT}; fi'
    run_id = repo.create({"id": "s", "shell": shell, "review": "always"})
    repo.drive(run_id)
    approve(repo, run_id, files=("new.txt",), sends_back=True)
    waiting = repo.patch(run_id, "s")
    assert waiting.state == "awaiting_review"
    names = repo.git("diff", "--name-only", waiting.base_commit, waiting.commit_id).split()
    assert names == ["a.txt", "better.txt", "long.txt"]
    assert repo.git("diff", "--name-only", repo.base, repo.head(run_id)) == "new.txt"
    repo.ledger.approve_patch(waiting.patch_id, "Grace", None)
    assert outline(repo.drive(run_id)) == {"s": "completed"}


def test_an_edited_patch_is_taken_instead(repo: Repo, run_id: str) -> None:
    patch = repo.patch(run_id, "s")
    text = repo.git("diff", "--binary", "--full-index", repo.base, patch.commit_id).replace("+new", "+edited") + "\n"
    assert approve(repo, run_id, edited_commit=edit(repo, patch, text)) == {"s": "completed"}
    assert repo.shown(repo.head(run_id), "new.txt") == "edited"
    assert repo.patch(run_id, "s").origin == "edit"


def test_an_edited_patch_is_judged_again(repo: Repo, run_id: str) -> None:
    text = (
        "diff --git a/minipipe.toml b/minipipe.toml\nnew file mode 100644\n--- /dev/null\n"
        "+++ b/minipipe.toml\n@@ -0,0 +1 @@\n+x\n"
    )
    approve(repo, run_id, edited_commit=edit(repo, repo.patch(run_id, "s"), text))
    assert repo.document(run_id)["state"] == "quarantined"
    assert "scope.protected" in repo.patch(run_id, "s").findings[0]


def test_an_edit_that_does_not_apply_is_refused_at_once(repo: Repo, run_id: str) -> None:
    with pytest.raises(GitFailed):
        edit(repo, repo.patch(run_id, "s"), "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-other\n+x\n")


def test_an_edit_on_another_base_decides_nothing(repo: Repo, run_id: str) -> None:
    elsewhere = repo.git("commit-tree", "-p", repo.patch(run_id, "s").commit_id, "-m", "x", f"{repo.base}^{{tree}}")
    for commit in (elsewhere, repo.base, "0" * 40):
        approve(repo, run_id, edited_commit=commit)
        patch = repo.patch(run_id, "s")
        assert (patch.state, patch.review_status) == ("awaiting_review", "pending")


def test_an_edit_is_kept_alive_until_somebody_has_acted_on_it(repo: Repo, run_id: str) -> None:
    patch = repo.patch(run_id, "s")
    text = repo.git("diff", "--binary", "--full-index", repo.base, patch.commit_id).replace("+new", "+edited") + "\n"
    commit = edit(repo, patch, text)
    repo.ledger.decide(Decision("approve", patch.patch_id, "Grace", None, edited_commit=commit))
    git, ref = Git(repo.root / ".git"), f"refs/minipipe/edits/{patch.patch_id}"
    keep_edits(git, repo.engine.database, run_id)
    drop_needless_refs(git, repo.engine.database)
    assert repo.refs("refs/minipipe/edits") == {ref: commit}
    repo.drive(run_id)
    assert repo.refs("refs/minipipe/edits") == {}


def test_a_part_of_a_rename_with_changes_keeps_the_rename(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {"long.txt": TEXT})
    edit = "git mv long.txt moved.txt; sed -i 's/line 2$/LINE 2/; s/line 38$/LINE 38/' moved.txt"
    run_id = repo.create({"id": "s", "shell": edit, "review": "always"})
    repo.drive(run_id)
    approve(repo, run_id, hunks=(2,))
    head = repo.head(run_id)
    assert repo.git("ls-tree", "--name-only", head).split() == ["a.txt", "moved.txt"]
    assert repo.shown(head, "moved.txt") == TEXT.replace("line 38\n", "LINE 38\n").rstrip("\n")
    repo.close()


def test_a_choice_that_is_not_there_is_refused(repo: Repo, run_id: str) -> None:
    patch, git = repo.patch(run_id, "s"), Git(repo.root / ".git")
    for files, hunks in ((("nope",), ()), ((), (9,)), (("new.txt", "a.txt"), (1,)), ((), (0,))):
        with pytest.raises(UsageError):
            check_choice(git, patch, files, hunks)
