"""`minipipe review`: the queue, what one patch shows, and every decision, on real runs in real repositories."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

ONE = "printf 'one\\ntwo\\nthree\\n' > a.txt; echo new > 'n w.txt'"


def git(repo: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=repo, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def patch_id(reviewed: Cli) -> str:
    """A patch of two files that waits."""
    return str(reviewed(one=ONE)["one"])


# -- the queue -------------------------------------------------------------------------------------------


def test_what_waits_is_listed_oldest_first(reviewed: Cli, here: Cli) -> None:
    ids = reviewed(one="echo 1 > 1.txt", two="echo 2 > 2.txt")
    document = here("review", "list", "--json").document
    assert document["next"] is None
    assert [patch["patch_id"] for patch in document["patches"]] == sorted(ids.values())
    lines = here("review", "list").out.splitlines()
    assert lines[0].split() == ["PATCH", "STEP", "RUN", "WAITS", "CHANGES", "RISK", "FILES"]
    assert [line.split()[0] for line in lines[1:]] == sorted(ids.values())
    assert "[+1 files, +1 -0 lines]" in lines[1]


def test_an_empty_queue_is_no_error(here: Cli) -> None:
    ended = here("review", "list")
    assert (ended.code, ended.out) == (0, "")
    assert "nothing waits" in ended.err
    assert here("review", "list", "--json").document == {"patches": [], "next": None}


def test_the_queue_can_be_filtered_by_run_and_workstream(here: Cli, plan: Cli) -> None:
    steps = [{"id": name, "shell": f"echo > {name}", "review": "always", "workstream": name} for name in ("x", "y")]
    runs = [
        here("run", plan(*steps, name=name, globals={"use_worktrees": True}), "--json").document["run_id"]
        for name in ("first", "second")
    ]

    def listed(*words: str) -> list[tuple[str, str]]:
        patches = here("review", "list", *words, "--json").document["patches"]
        return [(patch["run_id"], patch["step_id"]) for patch in patches]

    assert len(listed()) == 4
    assert {run_id for run_id, _ in listed("--run", runs[0])} == {runs[0]}
    assert listed("--run", "last", "--workstream", "x") == [(runs[1], "x")]
    assert here("review", "list", "--run", "run_ZZ").code == 2


def test_what_is_decided_is_listed_only_on_demand(patch_id: str, here: Cli) -> None:
    here("review", "approve", patch_id)
    assert here("review", "list", "--json").document["patches"] == []
    assert "approved" in here("review", "list", "--all").out


# -- one patch -------------------------------------------------------------------------------------------


def test_a_patch_shows_why_it_waits_whether_it_applies_and_its_numbered_diff(patch_id: str, here: Cli) -> None:
    out = here("review", "show", patch_id).out
    for text in (
        "the plan asks for review",
        "cleanly on the run's head",
        "[1] @@ -0,0 +1,3 @@",
        "[2] @@ -0,0 +1 @@",
        "+++ b/n w.txt",
        "+three",
        f"minipipe review approve {patch_id}",
    ):
        assert text in out
    assert "\x1b" not in out


def test_the_document_of_a_patch_holds_its_hunks_and_its_diff(patch_id: str, here: Cli, repo: Path) -> None:
    document = here("review", "show", patch_id, "--json").document
    assert document["hunks"] == [
        {"number": 1, "path": "a.txt", "header": "@@ -0,0 +1,3 @@", "lines_added": 3, "lines_deleted": 0},
        {"number": 2, "path": "n w.txt", "header": "@@ -0,0 +1 @@", "lines_added": 1, "lines_deleted": 0},
    ]
    text = git(repo, "diff", "--binary", "--full-index", document["base_commit"], document["commit"])
    assert document["diff"] == text + "\n"
    assert document["trial"] == {"applies": "cleanly", "is_there_already": False, "conflicts": [], "overlaps": {}}
    assert document["review"]["review_status"] == "pending"
    assert set(document["available_actions"]) >= {"approve", "reject", "request-changes", "comment"}


def test_stat_shows_files_instead_of_the_diff(patch_id: str, here: Cli) -> None:
    out = here("review", "show", patch_id, "--stat").out
    assert "A  n w.txt  +1 -0" in out
    assert "@@" not in out


def test_last_is_the_newest_that_waits(reviewed: Cli, here: Cli, plan: Cli) -> None:
    patch_id = reviewed(one=ONE)["one"]
    here("run", plan({"id": "free", "shell": "echo > f.txt"}, globals={"use_worktrees": True}))
    assert here("review", "show", "last", "--json").document["patch_id"] == patch_id
    assert here("patch", "show", "last", "--json").document["step_id"] == "free"


def test_patches_that_are_in_each_others_way_are_told(reviewed: Cli, here: Cli) -> None:
    ids = reviewed(one="echo 1 > same.txt", two="echo 2 > same.txt")
    assert f"{ids['two']} in same.txt" in here("review", "show", ids["one"]).out
    assert here("review", "show", ids["one"], "--json").document["trial"]["overlaps"] == {ids["two"]: ["same.txt"]}
    here("review", "approve", ids["one"])
    here("resume", "last")
    assert "conflicts with the run's head in same.txt" in here("review", "show", ids["two"]).out


def test_a_binary_file_is_named_and_its_body_is_not_shown(reviewed: Cli, here: Cli) -> None:
    patch_id = reviewed(one="head -c 3000 /dev/urandom > b.bin; echo x > z.txt")["one"]
    lines = here("review", "show", patch_id).out.splitlines()
    assert "[1] a binary change" in lines
    assert "[2] @@ -0,0 +1 @@" in lines
    assert len(lines) < 40


def test_nothing_of_a_patch_reaches_the_terminal_as_it_is(reviewed: Cli, here: Cli) -> None:
    evil = r"""printf 'a\033]0;owned\007\233\342\200\256b\r\n' > "$(printf 'odd\033[2Jname\nx')" """
    patch_id = reviewed(one=evil)["one"]
    here("review", "comment", patch_id, "look: \x1b[31m\u202e")
    for words in (
        ("review", "show", patch_id),
        ("review", "show", patch_id, "--stat"),
        ("review", "list"),
        ("patch", "list"),
        ("patch", "show", patch_id, "--diff"),
    ):
        ended = here(*words)
        assert ended.code == 0
        assert not set(ended.out) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}, words
    assert "^[]0;owned^G" in here("review", "show", patch_id).out
    for words in (("review", "show", patch_id), ("review", "list"), ("patch", "show", patch_id, "--diff")):
        assert here(*words, "--json").out.isascii()
    assert here("review", "show", patch_id, "--json").document["diff"].endswith("+a\x1b]0;owned\x07\udc9b\u202eb\r\n")


# -- deciding --------------------------------------------------------------------------------------------


def test_an_approved_patch_goes_on_with_the_next_resume(patch_id: str, here: Cli, repo: Path) -> None:
    ended = here("review", "approve", patch_id, "--comment", "fine", "--reviewer", "Grace")
    assert ended.code == 0
    run_id = here("runs", "--json").document["runs"][0]["run_id"]
    assert ended.out.splitlines() == [f"{patch_id} (one) is approved", f"minipipe resume {run_id}"]
    review = here("patch", "show", patch_id, "--json").document["review"]
    assert (review["review_status"], review["reviewed_by"], review["review_comment"]) == ("approved", "Grace", "fine")
    assert here("resume", "last", "--json").code == 0
    committed = here("patch", "show", patch_id, "--json").document
    assert committed["state"] == "committed"
    assert "Reviewed-by: Grace" in git(repo, "show", "-s", "--format=%B", committed["committed_commit"])


def test_a_decision_answers_with_the_patch(patch_id: str, here: Cli) -> None:
    document = here("review", "approve", "--ledger-id", patch_id, "--json").document
    assert document["patch_id"] == document["ledger_id"] == patch_id
    assert document["review"]["review_status"] == "approved"
    assert document["available_actions"][0] == "undo"


def test_a_rejected_patch_fails_its_step(patch_id: str, here: Cli) -> None:
    assert "rejected" in here("review", "reject", patch_id, "--reason", "no").out
    assert here("resume", "last", "--json").code == 1
    task = here("show", "--json").document["tasks"][0]
    assert (task["state"], task["reason"]) == ("failed", "rejected")


def test_requested_changes_reach_the_step_with_all_comments(reviewed: Cli, here: Cli) -> None:
    shell = 'if [ -n "$MINIPIPE_FEEDBACK" ]; then cp "$MINIPIPE_FEEDBACK" said.txt; else echo 1 > a.txt; fi'
    first = reviewed(one=shell)["one"]
    here("review", "comment", first, "--file", "a.txt", "--line", "1", "not one", "--reviewer", "Grace")
    assert here("review", "request-changes", first, "--comment", "make it two").code == 0
    assert here("resume", "last").code == 3
    second = here("review", "show", "last", "--json").document
    assert here("patch", "show", first, "--json").document["superseded_by"] == second["patch_id"]
    assert "make it two" in second["diff"]
    assert "a.txt:1: not one" in second["diff"]


def test_a_decision_can_be_taken_back_until_the_run_goes_on(patch_id: str, here: Cli) -> None:
    assert here("review", "undo", patch_id).code == 1
    here("review", "reject", patch_id, "--reason", "no")
    refused = here("review", "approve", patch_id)
    assert refused.code == 1
    assert f"minipipe review undo {patch_id}" in refused.err
    assert "undecided" in here("review", "undo", "last").out
    assert here("review", "approve", patch_id).code == 0
    assert here("resume", "last").code == 0
    assert here("review", "undo", patch_id).code == 1


def test_an_approval_counts_for_the_commit_that_was_looked_at(patch_id: str, here: Cli) -> None:
    commit = here("review", "show", patch_id, "--json").document["commit"]
    refused = here("review", "approve", patch_id, "--commit", "0" * 40, "--json")
    assert refused.code == 1
    assert "review show" in refused.document["error"]["hint"]
    assert here("review", "approve", patch_id, "--commit", commit[:10]).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("approve", "{}", "--hunks", "3"), "3"),
        (("approve", "{}", "--hunks", "0"), "no number"),
        (("approve", "{}", "--hunks", "2-1"), "no number"),
        (("approve", "{}", "--hunks", "one"), "no number"),
        (("approve", "{}", "--hunks", ""), "no number"),
        (("approve", "{}", "--file", "nowhere.txt"), "nowhere.txt"),
        (("approve", "{}", "--file", "a.txt", "--file", "n w.txt", "--hunks", "1"), "several --file"),
        (("approve", "{}", "--edit", "--hunks", "1"), "--edit"),
        (("approve", "{}", "--send-back"), "--send-back"),
        (("approve", "{}", "--ledger-id", "{}"), "name one patch"),
        (("approve",), "name one patch"),
        (("approve", "pat_ZZ"), "pat_ZZ"),
        (("reject", "{}"), "--reason"),
        (("reject", "{}", "--reason", " "), "words"),
        (("request-changes", "{}"), "otherwise"),
        (("comment", "{}"), "name one patch"),
        (("comment", "{}", "--line", "1", "text"), "--file"),
        (("comment", "{}", "--file", "a.txt", "--side", "old", "text"), "--line"),
        (("comment", "{}", "--file", "a.txt", "--line", "4", "text"), "line 4 of a.txt"),
        (("comment", "{}", "--file", "a.txt", "--line", "1", "--side", "old", "text"), "line 1 of a.txt"),
        (("comment", "{}", "--file", "b.txt", "text"), "b.txt"),
        (("show", "pat_ZZ"), "pat_ZZ"),
        (("undo",), "name one patch"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage_and_changes_nothing(
    patch_id: str, here: Cli, words: tuple[str, ...], says: str
) -> None:
    before = here("patch", "show", patch_id, "--json").document
    ended = here("review", *(word.format(patch_id) for word in words))
    assert ended.code == 2, ended
    assert says in ended.err
    assert here("patch", "show", patch_id, "--json").document == before


@pytest.mark.parametrize(
    "words",
    [("approve",), ("reject", "--reason", "x"), ("request-changes", "--comment", "x"), ("comment", "x"), ("undo",)],
    ids=lambda words: words[0],
)
def test_what_is_not_waiting_can_be_decided_no_more(patch_id: str, here: Cli, words: tuple[str, ...]) -> None:
    here("review", "approve", patch_id)
    here("resume", "last")
    refused = here("review", words[0], "--ledger-id", patch_id, *words[1:], "--json")
    assert refused.code == 1
    assert "it is committed" in refused.document["error"]["message"]
    assert refused.document["error"]["hint"].startswith("minipipe patch rollback")


def test_whoever_runs_the_run_goes_on_by_itself(
    started: Cli, here: Cli, plan: Cli, repo: Path, tmp_path: Path, eventually: Cli
) -> None:
    go = tmp_path / "go"
    slow = {"id": "slow", "shell": f"while ! test -e {go}; do sleep 0.02; done"}
    step = {"id": "one", "shell": ONE, "review": "always"}
    process = started("run", plan(slow, step, globals={"use_worktrees": True}))
    eventually(lambda: here("review", "list", "--json").document.get("patches"), "a patch that waits")
    ended = here("review", "approve", "last")
    assert "goes on by itself" in ended.out
    eventually(lambda: here("patch", "show", "last", "--json").document["state"] == "committed", "the commit")
    go.touch()
    process.communicate(timeout=20)
    assert process.returncode == 0


# -- comments --------------------------------------------------------------------------------------------


def test_comments_are_shown_with_their_place(patch_id: str, here: Cli) -> None:
    assert (
        here("review", "comment", patch_id, "--file", "n w.txt", "--line", "1", "why?", "--reviewer", "Grace").code == 0
    )
    assert here("review", "comment", "--file", "./a.txt", patch_id, "all of it\nis odd").code == 0
    assert here("review", "comment", "in general", "--ledger-id", patch_id).code == 0
    comments = here("review", "show", patch_id, "--json").document["review"]["comments"]
    places = [(each["author"] == "Grace", each["path"], each["line"], each["side"]) for each in comments]
    assert places == [(True, "n w.txt", 1, "new"), (False, "a.txt", None, "new"), (False, None, None, "new")]
    out = here("review", "show", patch_id).out
    assert "Grace on n w.txt:1:\n  why?\n" in out
    assert "  all of it\n  is odd\n" in out


def test_a_comment_may_look_like_an_option(patch_id: str, here: Cli) -> None:
    assert here("review", "comment", patch_id, "--", "--verbose").code == 0
    assert here("review", "comment", "--reviewer", "Grace", patch_id, "--", "-1 for this").code == 0
    assert here("review", "comment", "--ledger-id", patch_id, "--", "-x").code == 0
    assert here("review", "comment", patch_id, "-x").code == 2
    said = here("review", "show", patch_id, "--json").document["review"]["comments"]
    assert [each["text"] for each in said] == ["--verbose", "-1 for this", "-x"]


def test_what_was_decided_is_told_with_who_decided(patch_id: str, here: Cli) -> None:
    here("review", "request-changes", patch_id, "--comment", "smaller", "--reviewer", "Grace")
    assert "sent back by Grace: smaller" in here("review", "show", patch_id).out
    assert "sent back" in here("review", "list", "--all").out
    here("review", "undo", patch_id)
    here("review", "reject", patch_id, "--reason", "no", "--reviewer", "Grace")
    assert "rejected by Grace: no" in here("review", "show", patch_id).out
