"""What becomes of changes that meet: in which order they are taken, what is tried again, where everything ends."""

import json
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.lab import Ended, Repo

LINES = "".join(f"line {number}\n" for number in range(40))


def states(repo: Repo) -> dict[str, list[str]]:
    """The states of each step's patches, the newest first."""
    found: dict[str, list[str]] = {}
    for patch in repo.patches():
        found.setdefault(patch["step_id"], []).append(patch["state"])
    return found


# -- side by side ----------------------------------------------------------------------------------------


def random_shell(chance: random.Random, step: int) -> str:
    name, line = f"f{chance.randrange(4)}", chance.randrange(1, 40)
    deeds = [
        f"[ ! -f {name} ] || sed -i '{line}s/$/ by {step}/' {name}",
        f"echo {step} >> {name}",
        f"mkdir -p d{step}; echo {step} > d{step}/new",
        f"[ ! -f {name} ] || mv {name} {name}-moved-by-{step}",
        f"rm -f {name}",
        f"[ ! -f {name} ] || chmod +x {name}",
    ]
    return f"{chance.choice(deeds)}; sleep 0.{chance.randrange(3)}"


@pytest.mark.parametrize("seed", range(4))
def test_the_branch_is_what_the_steps_make_one_after_the_other_in_the_order_of_its_commits(
    seed: int, repo: Repo
) -> None:
    chance = random.Random(seed)
    base = repo.commit("files", **{f"f{number}": LINES for number in range(4)})
    shells = {f"s{number}": random_shell(chance, number) for number in range(6)}
    ended = repo.run(*({"id": name, "shell": shell, "critical": False} for name, shell in shells.items()))
    assert ended.code == 0, ended.out
    clone = repo.beside / "again"
    repo.git("clone", "--quiet", repo.path, clone)
    repo.git("checkout", "--quiet", base, cwd=clone)
    for line in repo.line("log", "--reverse", "--format=%H %s", f"{base}..main").splitlines():
        commit, _, subject = line.partition(" ")
        subprocess.run(["sh", "-c", shells[subject.rpartition(": ")[2]]], cwd=clone, check=True)
        repo.git("add", "--all", cwd=clone)
        assert repo.line("write-tree", cwd=clone) == repo.tree(commit)
    assert repo.git("status", "--porcelain") == b""
    assert repo.is_sound()


def test_a_step_whose_change_conflicts_is_told_and_makes_it_again_from_the_new_head(repo: Repo) -> None:
    first = {"id": "first", "shell": "echo first > a.txt"}
    second = {"id": "second", "shell": 'cat "$MINIPIPE_FEEDBACK" 2>/dev/null; sleep 0.4; echo second >> a.txt'}
    assert repo.run(first, second).code == 0
    assert repo.content("a.txt") == b"first\nsecond\n"
    assert states(repo) == {"first": ["committed"], "second": ["committed", "superseded"]}
    assert "conflict in a.txt" in repo.minipipe("logs", "last", "second").out


def test_a_change_that_follows_a_rename_elsewhere_is_quarantined(repo: Repo) -> None:
    repo.commit("long", long=LINES)
    rename = {"id": "rename", "shell": "mv long moved", "critical": False}
    edit = {"id": "edit", "shell": "sleep 0.4; sed -i 5s/$/x/ long", "critical": False}
    assert repo.run(rename, edit).code == 0
    assert states(repo) == {"rename": ["committed"], "edit": ["quarantined"]}
    assert "merge.strayed" in repo.patches()[0]["reason"]
    assert repo.content("moved") == LINES.encode()


def test_several_runs_bring_everything_to_one_branch(repo: Repo) -> None:
    gates = [{"id": "g", "type": "UNIT", "command": ["sleep", "0.2"]}]
    plans = [
        repo.plan({"id": "a", "shell": f"echo {number} > own{number}", "gates": ["g"]}, gates=gates)
        for number in range(5)
    ]
    running = [repo.start("run", plan, "--no-ui", "--json") for plan in plans]
    for process in running:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, (out, err)
    assert [name for name in repo.files() if name.startswith("own")] == [f"own{number}" for number in range(5)]
    assert repo.git("status", "--porcelain") == b""
    assert repo.is_sound()


# -- what a step is given and leaves -----------------------------------------------------------------------


def test_ignored_outputs_are_there_for_later_steps_as_they_were_made(repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "build/\n*.o\n"})
    make = (
        "mkdir -p build/bin build/empty out; echo 1 > build/tool; ln -s ../tool build/bin/tool; chmod +x build/tool; "
    )
    make += "echo o > out/x.o; echo t > out/t.txt"
    look = (
        "[ -L build/bin/tool ] && [ -x build/bin/tool ] && [ -d build/empty ] && cat out/x.o out/t.txt && echo ok > ok"
    )
    ended = repo.run(
        {"id": "make", "shell": make, "outputs": ["build", "out"]},
        {"id": "look", "shell": look, "depends_on": ["make"]},
        {"id": "apart", "shell": "[ ! -e build ]"},
    )
    assert ended.code == 0, ended.out
    assert repo.files() == [".gitignore", "a.txt", "lib/b.txt", "ok", "out/t.txt"]


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        ("true", "missing"),
        ("mkdir build; dd if=/dev/zero of=build/big bs=1M count=257 2>/dev/null", "larger than 256 MiB"),
    ],
)
def test_outputs_that_are_missing_or_too_large_fail_their_step(shell: str, told: str, repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "build/\n"})
    assert repo.run({"id": "a", "shell": shell, "outputs": ["build"]}).code == 1
    assert told in repo.minipipe("show", "last").out


def test_a_plan_copies_sets_up_and_leaves_out(repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": ".env\nmodules/\nready\n", "big/x": "x\n"})
    repo.write({".env": "E=1\n", "modules/tool/main": "#!/bin/sh\n"})
    (repo.path / "modules" / "bin").symlink_to("tool/main")
    wishes = {"copy": [".env", "modules"], "setup": "cp .env ready", "sparse": ["/lib/"]}
    look = "cat ready && [ -L modules/bin ] && [ ! -e big ] && echo z >> lib/b.txt"
    ended = repo.run(look, globals={"worktree": wishes})
    assert ended.code == 0, ended.out
    assert repo.git("diff", "--name-only", "HEAD~1", "HEAD") == b"lib/b.txt\n"
    for broken in ({"copy": ["missing"]}, {"setup": "exit 3"}):
        assert repo.run("echo never > never", globals={"worktree": broken}).code == 1
    assert "never" not in repo.files()


def test_one_worktree_for_a_run_keeps_what_git_ignores(repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "cache\n"})
    ended = repo.run(
        {"id": "a", "shell": "echo c > cache; echo 1 > t"},
        {"id": "b", "shell": "cat cache t; git status --porcelain > st", "depends_on": ["a"]},
        {"id": "c", "shell": "echo lost > lost; rm t; exit 1", "depends_on": ["b"], "critical": False},
        {"id": "d", "shell": "cat cache t; echo d > d", "depends_on": ["c"], "run_if": "always"},
        globals={"isolation": "run"},
    )
    assert ended.code == 0, ended.out
    assert repo.files() == [".gitignore", "a.txt", "d", "lib/b.txt", "st", "t"]
    assert repo.content("st") == b"?? st\n"


def test_in_the_folder_itself_nothing_is_captured_and_differences_are_told(repo: Repo) -> None:
    in_place = {"isolation": "none"}
    assert repo.run("echo new > new", globals=in_place).code == 0
    assert repo.warnings() == []
    assert repo.run("echo x >> a.txt", globals=in_place).code == 0
    assert [warning.partition(" while")[0] for warning in repo.warnings()] == ["tracked files were changed: a.txt"]
    head = repo.head()
    assert repo.run("git tag t; git checkout -q -b b; git commit -qam x", globals=in_place).code == 0
    told = " ".join(repo.warnings())
    for text in ("HEAD was at refs/heads/main and is at refs/heads/b", "refs/heads/b was made", "refs/tags/t was made"):
        assert text in told
    assert repo.patches() == []
    assert repo.head("main") == head


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"expect_change": True}, 1),
        ({"kind": "code_edit"}, 1),
        ({"kind": "code_edit", "expect_change": False}, 0),
        ({}, 0),
    ],
)
def test_a_step_that_changes_nothing(step: dict[str, Any], code: int, repo: Repo) -> None:
    ended = repo.run({"id": "a", "shell": "touch a.txt", **step})
    assert ended.code == code
    assert repo.patches() == []
    assert [task["reason"] for task in ended.document["tasks"]] == ["no_change" if code else None]


def test_a_failed_gate_is_told_to_the_next_attempt(repo: Repo) -> None:
    shell = 'cat "$MINIPIPE_FEEDBACK" 2>/dev/null; echo "try $MINIPIPE_ATTEMPT" > x'
    gates = [{"id": "three", "type": "UNIT", "command": ["sh", "-c", "cat x; echo want 3; grep -q 3 x"]}]
    assert repo.run({"id": "a", "shell": shell, "gates": ["three"], "retries": 2}, gates=gates).code == 0
    assert repo.content("x") == b"try 3\n"
    assert states(repo) == {"a": ["committed", "superseded", "superseded"]}
    assert "try 2\nwant 3" in repo.minipipe("logs", "last", "a").out


def test_what_a_gate_writes_is_thrown_away_and_what_it_does_to_the_repository_is_told(repo: Repo) -> None:
    evil = "echo evil > x; echo z > z; git add -A; git commit -qm evil; git update-ref refs/heads/evil HEAD"
    gates = [
        {"id": "evil", "type": "UNIT", "command": ["sh", "-c", evil]},
        {
            "id": "after",
            "type": "LINT",
            "command": ["sh", "-c", "[ ! -e z ] && grep -q fine x"],
            "depends_on": ["evil"],
        },
    ]
    ended = repo.run({"id": "a", "shell": "echo fine > x", "gates": ["after"]}, gates=gates)
    assert ended.code == 1
    assert ended.document["promotion"]["state"] == "refused"
    assert "refs/heads/evil was made while a check ran" in repo.warnings()
    assert repo.content("x", ended.document["promotion"]["branch"]) == b"fine\n"


def test_finally_steps_change_files_like_others(repo: Repo) -> None:
    last = [{"id": "last", "shell": "echo last > last"}]
    ended = repo.run("echo x > x", **{"finally": last})
    assert ended.code == 0, ended.out
    assert repo.files() == ["a.txt", "last", "lib/b.txt", "x"]
    head = repo.head()
    ended = repo.run("exit 1", **{"finally": [{"id": "last", "shell": "echo again > last"}]})
    assert ended.code == 1
    assert states(repo)["last"] == ["committed", "committed"]
    assert repo.head() == head


def test_with_fail_fast_nothing_reaches_the_branch(repo: Repo) -> None:
    ended = repo.run(
        {"id": "quick", "shell": "echo b > b"},
        {"id": "bad", "shell": "sleep 0.3; exit 1"},
        {"id": "slow", "shell": "echo c > c; sleep 30"},
        globals={"fail_fast": True},
    )
    assert ended.code == 1
    assert {task["step_id"]: task["state"] for task in ended.document["tasks"]}["slow"] == "canceled"
    assert repo.files() == ["a.txt", "lib/b.txt"]


# -- modes -----------------------------------------------------------------------------------------------


def test_in_shadow_mode_nothing_is_kept_but_the_patches(repo: Repo) -> None:
    steps = ("echo x > x", {"id": "b", "shell": "cat x; echo y >> x", "depends_on": ["s1"]})
    assert repo.run(*steps, words=("--mode", "shadow")).code == 0
    assert states(repo) == {"s1": ["dropped"], "b": ["dropped"]}
    assert {patch["reason"] for patch in repo.patches()} == {"shadow"}
    assert repo.files() == ["a.txt", "lib/b.txt"]
    assert repo.line("for-each-ref", "--format=%(refname)", "refs/heads", "refs/minipipe/runs") == "refs/heads/main"


def set_share(repo: Repo, share: int) -> None:
    path = Path(repo.environ["XDG_CONFIG_HOME"], "minipipe", "config.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[patches]\npilot_share = {share}\n")


@pytest.mark.parametrize(("share", "expected"), [(0, {"awaiting_review"}), (100, {"committed"})])
def test_in_pilot_mode_a_share_goes_on_by_itself(share: int, expected: set[str], repo: Repo) -> None:
    set_share(repo, share)
    ended = repo.run(*(f"echo {number} > p{number}" for number in range(5)), words=("--mode", "pilot"))
    assert ended.code == (3 if share == 0 else 0)
    assert {patch["state"] for patch in repo.patches()} == expected


def test_a_pilot_in_which_a_gate_has_failed_asks_about_everything_after_it(repo: Repo) -> None:
    set_share(repo, 100)
    gates = [{"id": "no", "type": "UNIT", "command": ["false"]}]
    bad = {"id": "bad", "shell": "echo q > q", "gates": ["no"], "critical": False}
    good = {"id": "good", "shell": "echo z > z", "depends_on": ["bad"], "run_if": "always"}
    assert repo.run(bad, good, gates=gates, words=("--mode", "pilot")).code == 3
    assert states(repo) == {"bad": ["quarantined"], "good": ["awaiting_review"]}


def test_no_review_is_only_for_changes_without_risk(repo: Repo) -> None:
    workflow = "mkdir -p .github/workflows; echo x > .github/workflows/ci.yml"
    assert repo.run({"id": "a", "shell": workflow, "review": "never"}).code == 3
    assert repo.run({"id": "a", "shell": "echo x > x", "review": "never"}).code == 0


# -- stopped in the middle -------------------------------------------------------------------------------

Act = Callable[["Scene"], None]


class Scene:
    """A run that has come to a phase: it waits there until `go_on`."""

    def __init__(self, repo: Repo, phase: str) -> None:
        self.repo = repo
        self._mark, self._go = repo.beside / "mark", repo.beside / "go"
        wait = f"touch {self._mark}; while [ ! -e {self._go} ]; do sleep 0.02; done"
        steps, gate = _PHASES[phase](wait)
        gates = [{"id": "g", "type": "UNIT", "command": ["sh", "-c", gate]}]
        self.process = repo.start("run", repo.plan(*steps, gates=gates), "--no-ui", "--json")
        repo.wait_until(self._mark.exists)

    def go_on(self) -> None:
        self._go.touch()

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=60)
        return Ended(self.process.returncode, out, err)


def _in_step(wait: str) -> tuple[list[Any], str]:
    return [f"echo x > x; {wait}", {"id": "b", "shell": "echo y > y", "depends_on": ["s1"]}], "true"


def _in_gate(wait: str) -> tuple[list[Any], str]:
    step = {"id": "s1", "shell": "echo x > x", "gates": ["g"]}
    return [step, {"id": "b", "shell": "echo y > y", "depends_on": ["s1"]}], wait


def _after_commit(wait: str) -> tuple[list[Any], str]:
    return ["echo x > x", {"id": "b", "shell": f"{wait}; echo y > y", "depends_on": ["s1"]}], "true"


def _with_review(wait: str) -> tuple[list[Any], str]:
    return [{"id": "s1", "shell": "echo x > x", "review": "always"}, {"id": "b", "shell": f"sleep 0.5; {wait}"}], "true"


_PHASES = {"step": _in_step, "gate": _in_gate, "after a commit": _after_commit, "review": _with_review}


@pytest.mark.parametrize("by", ["command", "signal"])
@pytest.mark.parametrize("phase", _PHASES)
def test_a_canceled_run_reaches_nothing(phase: str, by: str, repo: Repo) -> None:
    scene, head = Scene(repo, phase), repo.head()
    if by == "command":
        assert repo.minipipe("cancel", "last").code == 0
    else:
        scene.process.send_signal(signal.SIGINT)
    ended = scene.end()
    assert ended.code == 130, ended.err
    assert ended.document["state"] == "canceled"
    assert {patch["state"] for patch in repo.patches()} <= {"dropped", "rolled_back", "committed"}
    assert repo.head() == head
    assert repo.git("status", "--porcelain") == b""
    assert repo.line("for-each-ref", "refs/minipipe/candidates") == ""


@pytest.mark.parametrize("phase", ["step", "gate", "after a commit"])
def test_a_paused_run_goes_on_where_it_was(phase: str, repo: Repo) -> None:
    scene, head = Scene(repo, phase), repo.head()
    assert repo.minipipe("pause", "last").code == 0
    scene.go_on()
    assert scene.end().code == 3
    assert repo.head() == head
    assert repo.minipipe("resume", "last").code == 0
    assert "x" in repo.files()
    assert {patch["state"] for patch in repo.patches()} == {"committed"}


def test_what_is_on_its_way_to_the_branch_can_no_longer_be_paused_or_canceled_from_elsewhere(repo: Repo) -> None:
    once, moved, mark, go = (repo.beside / name for name in ("once", "moved", "mark", "go"))
    first = f"touch {once}; while [ ! -e {moved} ]; do sleep 0.02; done"
    second = f"touch {mark}; while [ ! -e {go} ]; do sleep 0.02; done"
    gate = {"id": "g", "type": "UNIT", "command": ["sh", "-c", f"if [ -e {once} ]; then {second}; else {first}; fi"]}
    plan = repo.plan({"id": "a", "shell": "echo x > x", "gates": ["g"]}, gates=[gate])
    process = repo.start("run", plan, "--no-ui", "--json")
    repo.wait_until(once.exists)
    repo.commit("meanwhile", u="u")
    moved.touch()
    repo.wait_until(mark.exists)
    for verb in ("cancel", "pause"):
        ended = repo.minipipe(verb, "last")
        assert ended.code == 1
        assert "on their way to main" in ended.err
    go.touch()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["promotion"]["state"] == "done"
    assert repo.files() == ["a.txt", "lib/b.txt", "u", "x"]
