"""What becomes of a run whose steps or checks reach for the repository around them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EnvironmentUnfit
from engine.executor.own_moves import is_move_of_ours
from engine.executor.strays import Strays
from engine.git.program import Git
from tests.engine.repository import Repo, outline

COMMON = "$(git rev-parse --git-common-dir)"


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path)
    yield made
    made.close()


def warnings(repo: Repo, run_id: str) -> list[str | None]:
    return [event.reason for event in repo.events(run_id) if event.event_type == "warning"]


@pytest.mark.parametrize(("name", "text"), [("config", "["), ("HEAD", "nonsense"), ("packed-refs", "nonsense")])
def test_a_step_that_breaks_the_repository_fails_and_the_run_goes_on_after_a_repair(
    repo: Repo, name: str, text: str
) -> None:
    path = repo.root / ".git" / name
    before = path.read_bytes() if path.exists() else None
    shell = f'test "$MINIPIPE_ATTEMPT" = 2 || echo "{text}" >> "{COMMON}/{name}"; echo x > x.txt'
    if name == "HEAD":
        shell = shell.replace(">>", ">")
    run_id = repo.create({"id": "s", "shell": shell, "retries": 1}, {"id": "t", "shell": "true", "depends_on": ["s"]})
    with pytest.raises(EnvironmentUnfit, match="cannot be read any more") as raised:
        repo.drive(run_id)
    assert "minipipe resume" in raised.value.hint
    document = repo.document(run_id)
    (attempt,) = document["tasks"][0]["attempts"]
    assert (document["state"], attempt["state"]) == ("running", "failed")
    assert "cannot be read" in attempt["message"]
    assert "cannot be read" in str(warnings(repo, run_id))
    assert repo.patches(run_id) == []
    with pytest.raises(EnvironmentUnfit):
        repo.drive(run_id)
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)
    document = repo.drive(run_id)
    assert outline(document) == {"s": "completed", "t": "completed"}
    assert document["promotion"]["state"] == "refused"


def test_a_branch_that_a_step_makes_keeps_the_target_where_it_is(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "git branch mine; echo x > x.txt"})
    assert warnings(repo, document["run_id"]) == ["refs/heads/mine was made while s ran"]
    assert document["promotion"]["state"] == "refused"


def test_a_branch_that_a_check_moves_keeps_the_target_where_it_is(repo: Repo) -> None:
    repo.commit("second")
    repo.git("branch", "theirs")
    gate = {"id": "g", "type": "UNIT", "shell": "git update-ref refs/heads/theirs HEAD~2"}
    document = repo.play({"id": "s", "shell": "echo x > x.txt", "gates": ["g"]}, gates=[gate])
    assert warnings(repo, document["run_id"]) == ["refs/heads/theirs was moved while a check ran"]
    assert document["promotion"]["state"] == "refused"


def test_a_step_that_writes_into_the_users_head_moves_nothing(repo: Repo) -> None:
    shell = f'echo "ref: refs/heads/zzz" > "{COMMON}/HEAD"; echo x > x.txt'
    document = repo.play({"id": "s", "shell": shell})
    assert warnings(repo, document["run_id"]) == [f"HEAD of {repo.root} was changed while s ran"]
    assert document["promotion"]["state"] == "refused"
    # Not even if somebody insists, as long as the tree is on nothing.
    repo.engine.promote_run(document["run_id"])
    refused = repo.document(document["run_id"])["promotion"]
    assert "names a branch that does not exist" in refused["reason"]
    assert repo.refs()["refs/heads/main"] == repo.base
    repo.git("symbolic-ref", "HEAD", "refs/heads/main")
    repo.engine.promote_run(document["run_id"])
    assert (repo.root / "x.txt").read_text() == "x\n"
    assert repo.git("status", "--porcelain") == ""


def test_what_was_changed_while_nobody_looked_is_told_by_whoever_goes_on(repo: Repo) -> None:
    repo.git("branch", "theirs")
    run_id = repo.create({"id": "s", "shell": "echo x > x.txt"})
    folder = repo.engine.workspace.run_folder(run_id)
    Strays(Git(repo.root / ".git"), kept=folder / "strays.json")
    repo.git("branch", "-D", "theirs")
    document = repo.drive(run_id)
    assert warnings(repo, run_id) == ["refs/heads/theirs was deleted while the run was interrupted"]
    assert document["promotion"]["state"] == "refused"
    assert not (folder / "strays.json").exists()


def test_what_other_runs_have_moved_is_known_from_their_records(repo: Repo) -> None:
    repo.git("branch", "other")
    run_id = repo.create({"id": "i", "shell": "echo i > i.txt"}, target="other")
    head = repo.drive(run_id)["head_commit"]
    database = repo.engine.database
    assert is_move_of_ours(database, "refs/heads/other", head)
    assert is_move_of_ours(database, f"refs/heads/minipipe/{run_id}", None)
    for name, commit in (
        ("refs/heads/main", head),
        ("refs/heads/other", repo.base),
        ("refs/heads/other", None),
        (f"refs/heads/minipipe/{run_id}", repo.base),
        ("refs/heads/minipipe/x", None),
    ):
        assert not is_move_of_ours(database, name, commit), name
    repo.engine.rollback_run(run_id)
    assert is_move_of_ours(database, "refs/heads/other", repo.refs()["refs/heads/other"])
