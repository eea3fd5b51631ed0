"""What is secret in a run reaches no branch, no record and no file of ours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.patches.decisions import Decision
from tests.engine.repository import NO_WAIT, Repo, outline

TOKEN = "super-secret-99"
KEY = "line-one-of-it\nline-two-is-a-longer-one"
VARIABLES: dict[str, Any] = {name: {"required": True, "secret": True} for name in ("TOK", "KEY")}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path, {".gitignore": "build/\n"})
    yield made
    made.close()


def drive(repo: Repo, *steps: dict[str, Any], **plan: Any) -> dict[str, Any]:
    document = {
        "version": "1.0",
        "plan_id": "plan",
        "variables": VARIABLES,
        "steps": [{"backoff": NO_WAIT, **step} for step in steps],
        **plan,
    }
    given = {"TOK": TOKEN, "KEY": KEY}
    run_id = repo.engine.create_run(document, variables=given)
    return repo.drive(run_id, variables=given)


def holders(repo: Repo, *needles: str) -> list[str]:
    """The files of ours that hold one of these."""
    files = [path for path in (repo.root / ".minipipe").rglob("*") if path.is_file()]
    return [str(path) for path in files if any(needle.encode() in path.read_bytes() for needle in needles)]


@pytest.mark.parametrize(
    "shell",
    [
        'printf "%s\\n" "${KEY}" > notes.txt',
        'printf "a\\0b%s" "${TOK}" > blob.bin',
        'ln -s "${TOK}" link',
        'echo > "f-${TOK}"',
        'mkdir -p "é-${TOK}"; echo > "é-${TOK}/x"',
    ],
)
def test_a_change_that_holds_one_is_quarantined_and_told_without_it(repo: Repo, shell: str) -> None:
    document = drive(repo, {"id": "s", "shell": shell, "scope": {"include": ["other/**"]}})
    assert document["state"] == "quarantined"
    assert "secret.leaked" in " ".join(repo.patch(document["run_id"], "s").findings)
    assert repo.git("rev-parse", "main") == repo.base
    assert holders(repo, TOKEN, "line-two") == []


def test_a_file_too_large_to_be_searched_is_not_trusted(repo: Repo) -> None:
    document = drive(repo, {"id": "s", "shell": "truncate -s 65M big.bin"})
    assert "secret.unsearched" in " ".join(repo.patch(document["run_id"], "s").findings)


def test_a_change_without_any_goes_on(repo: Repo) -> None:
    assert outline(drive(repo, {"id": "s", "shell": "echo x > b.txt; rm a.txt"})) == {"s": "completed"}


def test_logs_and_feedback_of_steps_that_find_one_do_not_hold_it(repo: Repo) -> None:
    """Neither gate nor second step is given the value: they find it in what was left."""
    gate = {"id": "g", "type": "UNIT", "shell": f"echo {TOKEN} | tr s s; false"}
    finds = f'echo {TOKEN} | tr s s; test -z "$MINIPIPE_FEEDBACK" || cat "$MINIPIPE_FEEDBACK"; echo x >> a.txt'
    document = drive(repo, {"id": "s", "shell": finds, "gates": ["g"], "retries": 1}, gates=[gate])
    assert "***" in "".join(path.read_text() for path in (repo.root / ".minipipe").rglob("feedback/*"))
    # The plan itself holds it, for once.
    kept = [path for path in holders(repo, TOKEN) if "/runs/" in path]
    assert (document["state"], kept) == ("quarantined", [])


def test_what_is_told_to_a_step_is_readable_by_its_owner_alone(repo: Repo) -> None:
    gate = {"id": "g", "type": "UNIT", "shell": "false"}
    run_id = drive(repo, {"id": "s", "shell": "echo x >> a.txt", "gates": ["g"], "retries": 1}, gates=[gate])["run_id"]
    folder = repo.root / ".minipipe" / "runs" / run_id
    for name in (".", "feedback", "logs", "values", "patches"):
        assert (folder / name).stat().st_mode & 0o077 == 0, name
    for path in (*(folder / "feedback").iterdir(), *(folder / "patches").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_a_reviewer_says_is_kept_without_it(repo: Repo) -> None:
    document = drive(repo, {"id": "s", "shell": "echo x > b.txt", "review": "always"})
    patch = repo.patch(document["run_id"], "s")
    repo.ledger.comment(patch.patch_id, f"why {TOKEN}?")
    repo.ledger.decide(Decision("request_changes", patch.patch_id, "Grace", f"not {TOKEN}"))
    assert holders(repo, TOKEN) == []
