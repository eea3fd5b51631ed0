"""`minipipe patch`: the ledger, export, and what can be done with a patch."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

OWN = {"use_worktrees": True, "max_concurrent_steps": 1}


def git(repo: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=repo, capture_output=True, check=True).stdout


@pytest.fixture
def committed(here: Cli, plan: Cli) -> str:
    """A patch of all that is awkward, approved and committed, on the run's own branch alone."""
    shell = r"printf 'a\r\n\377\000b' > b.bin; echo one > a.txt; mkdir -p x; ln -s ../a.txt x/link; chmod +x a.txt"
    assert here("run", plan({"id": "one", "shell": shell}, globals=OWN), "--target", "none").code == 3
    here("review", "approve", "last")
    assert here("resume", "last").code == 0
    return str(here("patch", "list", "--json").document["patches"][0]["patch_id"])


@pytest.fixture
def quarantined(here: Cli, plan: Cli) -> str:
    """A patch whose gate failed; its run waits for somebody."""
    gates = [{"id": "unit", "type": "UNIT", "command": ["test", "-e", "never"]}]
    step = {"id": "one", "shell": "echo > a.txt", "gates": ["unit"]}
    assert here("run", plan(step, gates=gates, globals=OWN)).code == 4
    return str(here("patch", "list", "--json").document["patches"][0]["patch_id"])


# -- looking ---------------------------------------------------------------------------------------------


def test_patches_are_listed_newest_first_and_by_pages(here: Cli, plan: Cli) -> None:
    steps = [{"id": f"s{number}", "shell": f"echo > {number}.txt"} for number in range(5)]
    here("run", plan(*steps, globals=OWN))
    page = here("patch", "list", "--limit", "3", "--json").document
    rest = here("patch", "list", "--limit", "3", "--after", page["next"], "--json").document
    ids = [patch["patch_id"] for patch in (*page["patches"], *rest["patches"])]
    assert ids == sorted(ids, reverse=True)
    assert (len(ids), rest["next"]) == (5, None)
    assert here("patch", "list", "--ids").out.split() == ids
    assert "more: minipipe patch list --after" in here("patch", "list", "--limit", "3").err


def test_patches_are_filtered_by_run_step_and_state(quarantined: str, here: Cli, plan: Cli) -> None:
    steps = [{"id": name, "shell": f"echo > {name}"} for name in ("one", "two")]
    run_id = here("run", plan(*steps, name="other", globals=OWN), "--json").document["run_id"]

    def listed(*words: str) -> list[tuple[str, str]]:
        return [
            (each["step_id"], each["state"]) for each in here("patch", "list", *words, "--json").document["patches"]
        ]

    assert listed("--run", run_id) == [("two", "committed"), ("one", "committed")]
    assert listed("--step", "one") == [("one", "committed"), ("one", "quarantined")]
    assert listed("--state", "quarantined") == [("one", "quarantined")]
    assert len(listed("--state", "quarantined", "--state", "committed")) == 3
    assert here("patch", "list", "--state", "odd").code == 2


def test_no_patches_are_no_error(here: Cli) -> None:
    assert here("patch", "list").code == 0
    assert here("patch", "list", "--ids").out == ""
    assert here("patch", "list", "--json").document == {"patches": [], "next": None}


def test_a_quarantined_patch_shows_what_was_found_and_what_can_be_done(quarantined: str, here: Cli) -> None:
    out = here("patch", "show", quarantined).out
    assert "gate.unit: exit code 1" in out
    assert "unit failed" in out
    assert "A  a.txt  +1 -0" in out
    assert f"minipipe patch release {quarantined}" in out
    document = here("patch", "show", quarantined, "--json").document
    assert document["quarantine_reason"] == "gate.unit: exit code 1"
    assert "diff" not in document
    assert "hunks" in here("patch", "show", quarantined, "--diff", "--json").document


def test_stats_are_told_of_a_patch_and_of_a_run(committed: str, here: Cli) -> None:
    document = here("patch", "stats", committed, "--json").document
    assert document["diff_stats"] == {
        "files_added": 3,
        "files_modified": 0,
        "files_deleted": 0,
        "files_renamed": 0,
        "lines_added": 2,
        "lines_deleted": 0,
        "binary_files": 1,
    }
    assert document["display"] == "[+3 files, +2 -0 lines]"
    assert here("patch", "stats", "last").out.startswith("[+3 files, +2 -0 lines]\n")
    assert set(here("patch", "stats", "--run", "last", "--json").document["diff_stats"]) == set(document["diff_stats"])
    assert here("patch", "stats").code == 2
    assert here("patch", "stats", committed, "--run", "last").code == 2


# -- export ----------------------------------------------------------------------------------------------


def test_a_diff_is_exported_byte_for_byte_and_applies_again(committed: str, there: Cli, here: Cli, repo: Path) -> None:
    document = here("patch", "show", committed, "--json").document
    wanted = git(repo, "diff", "--binary", "--full-index", document["base_commit"], document["commit"])
    assert here("patch", "export", committed, "out.diff").code == 0
    assert (repo / "out.diff").read_bytes() == wanted
    with (repo / "piped.diff").open("wb") as file:
        assert there("patch", "export", "last", stdout=file).code == 0
    assert (repo / "piped.diff").read_bytes() == wanted
    git(repo, "apply", "out.diff")
    assert (repo / "b.bin").read_bytes() == b"a\r\n\xff\x00b"
    assert (repo / "x" / "link").is_symlink()
    assert os.access(repo / "a.txt", os.X_OK)


def test_a_mail_is_exported_that_git_makes_the_same_commit_of(committed: str, here: Cli, repo: Path) -> None:
    git(repo, "config", "format.subjectPrefix", "ODD")
    git(repo, "config", "format.headers", "X-Odd: yes\n")
    assert here("patch", "export", "--format", "mail", committed, "one.mail").code == 0
    mail = (repo / "one.mail").read_bytes()
    assert b"\nSubject: [PATCH] plan: one\n" in mail
    assert f"Minipipe-Patch: {committed}".encode() in mail
    assert b"ODD" not in mail
    assert b"X-Odd" not in mail
    git(repo, "-c", "user.name=t", "-c", "user.email=t@t.invalid", "am", "-q", "--keep-cr", "one.mail")
    document = here("patch", "show", committed, "--json").document
    assert git(repo, "rev-parse", "HEAD^{tree}") == git(repo, "rev-parse", f"{document['committed_commit']}^{{tree}}")


def test_a_file_that_is_there_is_replaced_only_by_force(committed: str, here: Cli, repo: Path) -> None:
    (repo / "out.diff").write_text("mine")
    (repo / "link").symlink_to("out.diff")
    for name in ("out.diff", "link"):
        refused = here("patch", "export", committed, name)
        assert refused.code == 2
        assert "--force" in refused.err
    assert (repo / "out.diff").read_text() == "mine"
    assert here("patch", "export", committed, "link", "--force").code == 0
    assert not (repo / "link").is_symlink()
    assert (repo / "out.diff").read_text() == "mine"
    assert here("patch", "export", committed, "no/such/folder").code == 2
    assert here("patch", "export", committed, "--force", "x").code == 0
    assert not list(repo.glob(".*.new"))


def test_a_terminal_never_obeys_an_exported_diff(reviewed: Cli, started: Cli) -> None:
    reviewed(one=r"printf '\033]0;owned\007\n' > a.txt")
    master, slave = os.openpty()
    process = started("patch", "export", "last", stdout=slave)
    process.wait(timeout=20)
    os.close(slave)
    shown = b""
    with os.fdopen(master, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:
            pass  # how a terminal says that nobody writes to it any more
    assert b"^[]0;owned^G" in shown
    assert b"\x1b" not in shown
    assert b"\x07" not in shown


# -- acting ----------------------------------------------------------------------------------------------


def test_a_waiting_patch_is_quarantined_and_dropped_by_hand(reviewed: Cli, here: Cli) -> None:
    patch_id = reviewed(one="echo > a.txt")["one"]
    assert here("patch", "quarantine", patch_id).code == 2
    ended = here("patch", "quarantine", patch_id, "--reason", "odd\x1b[2J")
    assert ended.code == 0
    assert "minipipe resume" in ended.out
    assert "by hand: odd^[[2J" in here("patch", "show", patch_id).out
    document = here("patch", "drop", patch_id, "--reason", "never", "--reviewer", "Grace", "--json").document
    assert (document["state"], document["reason"]) == ("dropped", "never")
    assert here("resume", "last").code == 1
    assert here("show", "--json").document["tasks"][0]["reason"] == "rejected"


def test_a_quarantined_patch_is_released_and_checked_again(here: Cli, plan: Cli, tmp_path: Path) -> None:
    switch = tmp_path / "mended"
    gates = [{"id": "unit", "type": "UNIT", "command": ["test", "-e", str(switch)]}]
    step = {"id": "one", "shell": "echo > a.txt", "gates": ["unit"]}
    assert here("run", plan(step, gates=gates, globals=OWN)).code == 4
    assert here("patch", "release", "last", "--comment", "again").code == 0
    assert here("resume", "last").code == 4
    switch.touch()
    assert here("patch", "release", "last").code == 0
    assert here("resume", "last").code == 0
    document = here("patch", "show", "last", "--json").document
    assert document["state"] == "committed"
    assert [gate["state"] for gate in document["gates"]] == ["failed", "failed", "passed"]


@pytest.mark.parametrize(
    "words",
    [("quarantine", "--reason", "x"), ("release",), ("drop",)],
    ids=lambda words: words[0],
)
def test_what_is_committed_is_neither_set_aside_nor_dropped(committed: str, here: Cli, words: tuple[str, ...]) -> None:
    refused = here("patch", words[0], committed, *words[1:], "--json")
    assert refused.code == 1
    error = refused.document["error"]
    assert error["message"] == f"cannot {words[0]} {committed}: it is committed"
    assert error["hint"] == f"minipipe patch rollback {committed}"


def test_a_patch_is_never_left_readable_by_others(committed: str, here: Cli, repo: Path) -> None:
    path = Path(here("patch", "show", committed, "--json").document["diff_path"])
    assert not stat.S_IMODE(path.parent.stat().st_mode) & 0o077


def test_a_committed_patch_is_rolled_back(committed: str, here: Cli, repo: Path) -> None:
    ended = here("patch", "rollback", committed, "--reviewer", "Grace")
    assert ended.code == 0, ended.err
    assert "rolled back" in ended.out
    assert here("patch", "show", committed, "--json").document["state"] == "rolled_back"
    head = here("show", "--json").document["head_commit"]
    assert git(repo, "ls-tree", "--name-only", head) == b""
    refused = here("patch", "rollback", committed, "--json")
    assert refused.code == 1
    assert "it is rolled_back" in refused.document["error"]["message"]


def test_a_patch_that_is_not_committed_cannot_be_rolled_back(quarantined: str, here: Cli) -> None:
    refused = here("patch", "rollback", quarantined)
    assert refused.code == 1
    assert "it is quarantined" in refused.err


def test_a_patch_released_after_its_run_ended_becomes_a_run_of_its_own(here: Cli, plan: Cli, tmp_path: Path) -> None:
    switch = tmp_path / "mended"
    gates = [{"id": "unit", "type": "UNIT", "command": ["test", "-e", str(switch)]}]
    step = {"id": "one", "shell": "echo > a.txt", "gates": ["unit"], "critical": False}
    assert here("run", plan(step, gates=gates, globals=OWN)).code == 0
    first = here("patch", "list", "--json").document["patches"][0]
    assert (first["state"], first["available_actions"]) == ("quarantined", ["release", "drop"])
    switch.touch()
    document = here("patch", "release", first["patch_id"], "--json").document
    assert document["run_id"] != first["run_id"]
    assert (document["state"], document["patches"][0]["state"]) == ("succeeded", "committed")


def test_a_patch_that_holds_a_secret_is_shown_without_its_text(here: Cli, plan: Cli) -> None:
    step = {"id": "leak", "shell": 'printf "%s\\n" "$TOKEN" > a.txt'}
    name = plan(step, globals=OWN, variables={"TOKEN": {"required": True, "secret": True}})
    assert here("run", name, "--var", "TOKEN=hunter2-hunter2").code == 4
    for words in (("patch", "show", "last", "--diff"), ("review", "show", "last"), ("patch", "list"), ("show",)):
        for more in ((), ("--json",)):
            ended = here(*words, *more)
            assert ended.code == 0
            assert "hunter2" not in ended.out
    assert "secret" in here("review", "show", "last").out
    document = here("review", "show", "last", "--json").document
    assert (document["diff"], document["hunks"]) == (None, [])
    refused = here("patch", "export", "last")
    assert refused.code == 1
    assert "secret" in refused.err


def test_words_that_are_not_utf8_are_kept_as_far_as_they_can_be(reviewed: Cli, there: Cli, here: Cli) -> None:
    patch_id = reviewed(one="echo > a.txt")["one"]
    ended = there("review", "reject", patch_id, "--reason", "caf\udce9", "--reviewer", "\udcff")
    assert ended.code == 0, ended.err
    review = here("patch", "show", patch_id, "--json").document["review"]
    assert (review["review_comment"], review["reviewed_by"]) == ("caf\ufffd", "\ufffd")
