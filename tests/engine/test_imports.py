"""Changes from outside: patch files of every kind, branches, and patches that were released after their run."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config.keys import config_from
from engine.errors import ActionRefused, MinipipeError, PatchConflict, PatchRefused, UsageError
from engine.executor.settings import RunSettings, settings_for
from engine.imports import ImportWishes, import_plan
from tests.engine.repository import Repo, outline

HOW = ImportWishes(RunSettings())


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path, {"folder/b.txt": "b\n"})
    yield made
    made.close()


def take(repo: Repo, text: bytes | str, **how: object) -> dict[str, object]:
    data = text if isinstance(text, bytes) else text.encode()
    run_id = repo.engine.import_patch(data, name="x.patch", how=HOW, **how)  # type: ignore[arg-type]
    return repo.drive(run_id)


def changed(repo: Repo) -> bytes:
    """A patch of a few changes, as git prints it; the repository is as before."""
    repo.write({"a.txt": "one\n2\nthree\n", "new.bin": bytes(range(256)), "folder/c.txt": "no newline"})
    (repo.root / "folder/b.txt").unlink()
    (repo.root / "link").symlink_to("a.txt")
    repo.git("add", "-A")
    done = subprocess.run(["git", "diff", "--binary", "--cached"], cwd=repo.root, capture_output=True, check=True)
    repo.git("reset", "-q", "--hard")
    return done.stdout


def test_a_git_patch_becomes_a_commit_on_the_target(repo: Repo) -> None:
    document = take(repo, changed(repo))
    assert (document["state"], document["promotion"]["state"]) == ("succeeded", "done")  # type: ignore[index]
    assert repo.git("status", "--porcelain") == ""
    assert (repo.root / "new.bin").read_bytes() == bytes(range(256))
    assert (repo.root / "folder/c.txt").read_text() == "no newline"
    assert (repo.root / "link").is_symlink()
    assert not (repo.root / "folder/b.txt").exists()


def test_a_mail_is_taken(repo: Repo) -> None:
    repo.write({"a.txt": "one\n2\nthree\n"})
    repo.commit("change")
    mail = repo.git("format-patch", "-1", "--stdout")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert take(repo, mail + "\n")["state"] == "succeeded"
    assert (repo.root / "a.txt").read_text() == "one\n2\nthree\n"


def test_a_mail_whose_words_hold_a_diff_is_refused(repo: Repo) -> None:
    """One reader would take the diff in the words for the change, another would not."""
    repo.write({"a.txt": "one\n2\nthree\n"})
    repo.commit("change\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+x")
    mail = repo.git("format-patch", "-1", "--stdout")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    with pytest.raises(PatchRefused):
        take(repo, mail + "\n")


def test_a_plain_diff_says_itself_or_is_told_what_to_strip(repo: Repo) -> None:
    plain = "--- {0}a.txt\n+++ {1}a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    with pytest.raises(UsageError, match="how many folders"):
        take(repo, plain.format("", ""))
    assert take(repo, plain.format("", ""), strip=0)["state"] == "succeeded"
    with pytest.raises(PatchConflict):
        take(repo, plain.format("a/", "b/"))


def test_what_is_applied_already_is_refused(repo: Repo) -> None:
    with pytest.raises((ActionRefused, MinipipeError)):
        take(repo, "diff --git a/a.txt b/a.txt\nold mode 100644\nnew mode 100644\n")


def test_text_that_is_no_patch_is_refused_and_nothing_is_written(repo: Repo) -> None:
    before = repo.belongings()
    with pytest.raises(PatchRefused):
        take(repo, "hello\n")
    assert repo.belongings() == before
    assert not repo.refs("refs/minipipe/")


def new_file(path: str, text: str = "x", mode: str = "100644") -> str:
    """A patch that adds a file of one line; a link's target is a line without a newline."""
    end = "\n\\ No newline at end of file\n" if mode == "120000" else "\n"
    head = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1 @@\n+{text}{end}"


@pytest.mark.parametrize(
    ("patch", "rule"),
    [
        (new_file(".git/hooks/x", mode="100755"), ""),
        (new_file(".GIT/x"), ""),
        (new_file("l", "/etc/passwd", mode="120000"), "link."),
        (new_file("l", "../../x", mode="120000"), "link."),
        (new_file("minipipe.toml"), "scope.protected"),
        (new_file("A.txt"), "path.twin"),
    ],
)
def test_a_hostile_patch_is_refused_or_quarantined_with_its_reason(repo: Repo, patch: str, rule: str) -> None:
    before = repo.belongings()
    try:
        document = take(repo, patch)
    except MinipipeError:
        assert not rule, "it was to be quarantined, not refused"
    else:
        assert (document["state"], document["exit_code"]) == ("quarantined", 4)
        assert repo.patch(str(document["run_id"]), "import").findings[0].startswith(rule)
    assert repo.belongings() == before


def test_a_branch_is_taken_in_as_one_change(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "feature")
    repo.write({"one.txt": "1\n"})
    repo.commit("one")
    repo.write({"two.txt": "2\n"})
    repo.commit("two")
    repo.git("checkout", "-q", "main")
    repo.write({"three.txt": "3\n"})
    repo.commit("three")
    document = repo.drive(repo.engine.import_branch("feature", how=HOW))
    assert document["state"] == "succeeded"
    assert sorted(path.name for path in repo.root.glob("*.txt")) == ["a.txt", "one.txt", "three.txt", "two.txt"]
    with pytest.raises(ActionRefused):
        repo.engine.import_branch("main", how=HOW)
    with pytest.raises(UsageError):
        repo.engine.import_branch("nobody", how=HOW)


def test_an_import_is_held_to_the_limits_that_the_user_has_set(repo: Repo) -> None:
    how = ImportWishes(RunSettings(max_files=2))
    document = repo.drive(repo.engine.import_patch(changed(repo), name="x", how=how))
    assert document["state"] == "quarantined"
    assert "limit.files" in repo.patch(document["run_id"], "import").findings[0]


def test_an_import_has_a_place_of_its_own_where_steps_have_none(repo: Repo) -> None:
    settings = settings_for(import_plan("x", review="auto"), config_from({"worktrees.enabled": False}))
    gate = {"id": "there", "type": "CUSTOM", "command": ["test", "-e", "new.bin"]}
    how = ImportWishes(settings, gates=(gate,), wanted=("there",))
    assert repo.drive(repo.engine.import_patch(changed(repo), name="x", how=how))["state"] == "succeeded"


def test_gates_and_review_of_an_import_are_the_users_wish(repo: Repo) -> None:
    gate = {"id": "no", "type": "CUSTOM", "command": ["false"]}
    how = ImportWishes(RunSettings(), gates=(gate,), wanted=("no",), review="always")
    run_id = repo.engine.import_patch(changed(repo), name="x", how=how)
    assert repo.drive(run_id)["state"] == "paused"
    repo.ledger.approve_patch(repo.patch(run_id, "import").patch_id, "Grace", None)
    assert repo.drive(run_id)["state"] == "quarantined"


def test_a_patch_that_is_released_after_its_run_becomes_a_run_of_its_own(repo: Repo) -> None:
    flag = repo.root.parent / "flag"
    gate = {"id": "moody", "type": "UNIT", "shell": f"test -e {flag}"}
    step = {"id": "s", "shell": "echo x > x.txt", "gates": ["moody"], "critical": False}
    document = repo.play(step, gates=[gate])
    assert document["state"] == "succeeded"
    old = repo.patch(document["run_id"], "s")
    flag.touch()
    new_id = repo.engine.release_into_new_run(old.patch_id, operator="Grace")
    assert repo.patch(document["run_id"], "s").state == "superseded"
    assert outline(repo.drive(new_id)) == {"import": "completed"}
    assert (repo.root / "x.txt").read_text() == "x\n"
    assert repo.patch(new_id, "import").parent_patch_id == old.patch_id
