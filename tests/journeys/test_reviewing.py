"""Decisions about patches, through the command line alone, and what the run makes of them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.lab import Repo

LINES = "".join(f"line {number}\n" for number in range(40))
EDIT = 'sed -i "3s/$/ X/;30s/$/ Y/" f g; echo n > new'

Review = Callable[..., str]


@pytest.fixture
def reviewed(repo: Repo) -> Review:
    """Runs one step whose change waits for review; the id of its patch."""
    repo.commit("files", f=LINES, g=LINES)

    def run(shell: str = EDIT, **more: Any) -> str:
        ended = repo.run({"id": "a", "shell": shell, "review": "always", **more})
        assert ended.code == 3, (ended.out, ended.err)
        return str(repo.patches()[0]["patch_id"])

    return run


def said(repo: Repo, code: int, *words: str, env: dict[str, str] | None = None) -> str:
    """What a command line says, in which nothing is said twice where it refuses."""
    ended = repo.minipipe(*words, env=env)
    assert ended.code == code, (words, ended.out, ended.err)
    if code in (1, 2) and words[0] != "resume":
        assert len(ended.complaint) == 1
    return ended.out + ended.err


def changed_lines(repo: Repo) -> list[str]:
    diff = repo.git("diff", "--no-prefix", "--unified=0", "HEAD~1", "HEAD").decode().splitlines()
    return [line for line in diff if line[:1] in "+-" and not line.startswith(("+++", "---"))]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (),
            ["-line 2", "+line 2 X", "-line 29", "+line 29 Y", "-line 2", "+line 2 X", "-line 29", "+line 29 Y", "+n"],
        ),
        (("--file", "new"), ["+n"]),
        (("--file", "g", "--hunks", "2"), ["-line 29", "+line 29 Y"]),
        (("--hunks", "1,4-5"), ["-line 2", "+line 2 X", "-line 29", "+line 29 Y", "+n"]),
    ],
)
def test_what_is_approved_is_what_is_committed(
    words: tuple[str, ...], expected: list[str], repo: Repo, reviewed: Review
) -> None:
    patch = reviewed()
    assert "[5] @@ -0,0 +1 @@" in said(repo, 0, "review", "show", patch)
    said(repo, 0, "review", "approve", patch, *words, "--comment", "fine", "--reviewer", "grace")
    said(repo, 0, "resume", "last")
    assert changed_lines(repo) == expected
    assert "Reviewed-by: grace" in repo.line("log", "-1", "--format=%B")
    assert [each["state"] for each in repo.patches()] == (["committed", "superseded"] if words else ["committed"])


@pytest.mark.parametrize(
    "words",
    [
        ("--hunks", "9"),
        ("--hunks", "0"),
        ("--hunks", "x"),
        ("--file", "nope"),
        ("--file", "f", "--hunks", "3"),
        ("--file", "f", "--file", "g", "--hunks", "1"),
    ],
)
def test_an_approval_of_what_is_not_there_decides_nothing(words: tuple[str, ...], repo: Repo, reviewed: Review) -> None:
    patch = reviewed()
    said(repo, 2, "review", "approve", patch, *words)
    assert repo.patches()[0]["state"] == "awaiting_review"
    assert "undo" in said(repo, 1, "review", "undo", patch)


def test_what_was_not_approved_can_be_sent_back(repo: Repo, reviewed: Review) -> None:
    shell = f'if [ "$MINIPIPE_ATTEMPT" = 1 ]; then {EDIT}; else git diff --name-only > seen; git checkout -q -- g; fi'
    patch = reviewed(shell)
    said(repo, 0, "review", "approve", patch, "--file", "f", "--send-back")
    said(repo, 3, "resume", "last")
    rest = repo.patches()[0]["patch_id"]
    assert repo.content("seen", f"refs/minipipe/patches/{rest}") == b"g\n"
    said(repo, 0, "review", "approve", rest)
    said(repo, 0, "resume", "last")
    assert repo.content("f") == LINES.replace("line 2\n", "line 2 X\n").replace("line 29\n", "line 29 Y\n").encode()
    assert repo.content("g") == LINES.encode()


def editor(repo: Repo, script: str) -> dict[str, str]:
    path = repo.beside / f"editor{len(list(repo.beside.iterdir()))}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"EDITOR": str(path), "VISUAL": ""}


def test_an_edited_patch_is_committed_as_it_was_edited(repo: Repo, reviewed: Review) -> None:
    patch = reviewed()
    said(repo, 0, "review", "approve", patch, "--edit", env=editor(repo, 'sed -i "s/2 X/2 edited/" "$1"'))
    said(repo, 0, "resume", "last")
    assert b"line 2 edited\n" in repo.content("f")
    assert [each["state"] for each in repo.patches()] == ["committed", "superseded"]


@pytest.mark.parametrize(
    "script", ["exit 1", "true", 'echo garbage > "$1"', ': > "$1"', 'sed -i "s/line 1$/line one/" "$1"']
)
def test_an_edit_that_is_none_or_does_not_fit_decides_nothing(script: str, repo: Repo, reviewed: Review) -> None:
    patch = reviewed()
    said(repo, 1, "review", "approve", patch, "--edit", env=editor(repo, script))
    assert repo.patches()[0]["state"] == "awaiting_review"
    assert "undo" in said(repo, 1, "review", "undo", patch)


def test_an_edited_patch_is_judged_again(repo: Repo, reviewed: Review) -> None:
    patch = reviewed("sed -i 3d f", scope={"include": ["f"]})
    outside = r"diff --git a/z b/z\nnew file mode 100644\n--- /dev/null\n+++ b/z\n@@ -0,0 +1 @@\n+q\n"
    said(repo, 0, "review", "approve", patch, "--edit", env=editor(repo, f"printf '{outside}' >> \"$1\""))
    said(repo, 4, "resume", "last")
    assert "scope.outside" in repo.patches()[0]["reason"]
    assert repo.content("f") == LINES.encode()


def test_a_rejected_step_has_failed_and_is_not_tried_again(repo: Repo, reviewed: Review) -> None:
    patch = reviewed(retries=2)
    said(repo, 2, "review", "reject", patch)
    said(repo, 0, "review", "reject", patch, "--reason", "no")
    assert "review undo" in said(repo, 1, "review", "approve", patch)
    said(repo, 0, "review", "undo", patch)
    said(repo, 0, "review", "reject", patch, "--reason", "still no")
    said(repo, 1, "resume", "last")
    assert [(each["state"], each["reason"]) for each in repo.patches()] == [("dropped", "rejected")]


def test_what_is_settled_cannot_be_decided_again(repo: Repo, reviewed: Review) -> None:
    patch = reviewed()
    said(repo, 0, "review", "approve", "--ledger-id", patch)
    said(repo, 0, "resume", "last")
    head = repo.head()
    for words in (
        ("review", "approve", patch),
        ("review", "reject", patch, "--reason", "late"),
        ("review", "request-changes", patch, "--comment", "late"),
        ("review", "comment", patch, "late"),
        ("review", "undo", patch),
        ("patch", "release", patch),
        ("patch", "drop", patch),
    ):
        said(repo, 1, *words)
    assert repo.head() == head


@pytest.mark.parametrize(
    "words",
    [
        ("review", "show", "pat_nope"),
        ("review", "approve", "nope"),
        ("review", "reject", "pat_nope", "--reason", "x"),
        ("review", "undo", "pat_nope"),
        ("review", "comment", "pat_nope", "x"),
        ("patch", "show", "pat_nope"),
        ("patch", "release", "pat_nope"),
        ("patch", "rollback", "pat_nope"),
        ("review", "approve"),
    ],
)
def test_an_id_that_names_nothing_is_a_mistake(words: tuple[str, ...], repo: Repo, reviewed: Review) -> None:
    reviewed("echo x > x")
    said(repo, 2, *words)


def test_changes_are_requested_until_they_are_fine(repo: Repo, reviewed: Review) -> None:
    patch = reviewed('cat "$MINIPIPE_FEEDBACK" 2>/dev/null; cat x 2>/dev/null; echo "$MINIPIPE_ATTEMPT" >> x')
    said(repo, 0, "review", "comment", patch, "--file", "x", "--line", "1", "why one?")
    said(repo, 2, "review", "comment", patch, "--file", "x", "--line", "99", "nowhere")
    for number, comment in enumerate(("do better", "and better"), 2):
        said(repo, 0, "review", "request-changes", patch, "--comment", comment)
        said(repo, 3, "resume", "last")
        patch = repo.patches()[0]["patch_id"]
        log = said(repo, 0, "logs", "last", "a")
        assert comment in log
        assert ("why one?" in log) == (number == 2)
    said(repo, 0, "review", "approve", patch)
    said(repo, 0, "resume", "last")
    assert repo.content("x") == b"1\n2\n3\n"
    assert [each["state"] for each in repo.patches()] == ["committed", "superseded", "superseded"]


def test_a_file_whose_name_is_no_text_is_approved_by_the_name_that_is_shown(repo: Repo, reviewed: Review) -> None:
    patch = reviewed(r'printf x > "$(printf "n\377")"; echo y > y')
    assert r'"n\377"' in said(repo, 0, "review", "list")
    said(repo, 0, "review", "approve", patch, "--file", r'"n\377"')
    said(repo, 0, "resume", "last")
    assert repo.git("diff", "--name-only", "-z", "HEAD~1", "HEAD") == b"n\xff\0"


OWNER = """
import sys
from pathlib import Path
from engine.api import open_engine
from engine.plan.load import load_plan

with open_engine(Path.cwd()) as engine:
    run_id = engine.create_run(load_plan(Path(sys.argv[1])), path=Path(sys.argv[1]))
    print(engine.execute_run(run_id, stays_when_paused=True).state)
"""


@pytest.mark.parametrize(("decision", "state"), [("approve", "succeeded"), ("reject", "failed")])
def test_a_run_that_somebody_keeps_goes_on_by_itself(decision: str, state: str, repo: Repo) -> None:
    waiting = {"id": "a", "shell": "echo x > x", "review": "always"}
    plan = repo.plan(waiting, {"id": "b", "shell": "cat x", "depends_on": ["a"]})
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, plan], cwd=repo.path, env=repo.environ, stdout=subprocess.PIPE, text=True
    )
    try:
        repo.wait_until(lambda: [each for each in repo.patches() if each["state"] == "awaiting_review"])
        repo.wait_until(lambda: json.loads(repo.minipipe("show", "last", "--json").out)["state"] == "paused")
        words = ("--reason", "no") if decision == "reject" else ()
        told = said(repo, 0, "review", decision, repo.patches()[0]["patch_id"], *words)
        assert "goes on by itself" in told
        assert owner.communicate(timeout=60)[0].strip() == state
    finally:
        owner.kill()
        owner.wait()
    assert Path(repo.path, "x").exists() == (decision == "approve")
