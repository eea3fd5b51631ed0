"""Kills between any two of the operations of a move: whoever comes next brings files, index, refs and ledger together.

A `git` of ours stands before the real one on the PATH. It plays what a killed git leaves behind, and kills.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.orchestrator import Orchestrator
from engine.ownership import owner_of
from engine.patches.promotion import Intent, Outcome, finish
from tests.engine.conftest import wait_until
from tests.engine.landing import LINES, Landing, Result, refusal, step

pytestmark = pytest.mark.usefixtures("own_home")

REAL = shutil.which("git") or "git"

EVERYTHING = step(
    "everything",
    "seq 1 5000 > a.txt; rm b.txt; echo new > new.txt; mkdir -p deep/er; echo d > deep/er/d; rm was; mkdir was; "
    "echo w > was/w; rm -r dir; echo f > dir; ln -sf elsewhere link; chmod +x run.sh; rm -r gone",
)

WRAPPER = f"""#!/bin/sh
case "$*" in
*"$WHEN"*)
    test -e "$ONCE" || {{ touch "$ONCE"; REAL={REAL}; . "$HALF"; test -z "$SPARE" && kill -9 $PPID; kill -9 $$; }};;
esac
exec {REAL} "$@"
"""

COUNTER = f"""#!/bin/sh
number=$(cat "$COUNT" 2>/dev/null || echo 0); number=$((number + 1)); echo $number > "$COUNT"
if test $number = "$LETHAL" && test "$SIDE" = before; then kill -9 $PPID; exit 1; fi
if test $number = "$LETHAL"; then {REAL} "$@"; kill -9 $PPID; exit 1; fi
exec {REAL} "$@"
"""

ALL_NEW = "$REAL --work-tree=. read-tree -m -u $OLD $NEW"
"""As git leaves it between the index and the ref."""

HALVES = {
    "nothing": "",
    "an empty lock": ": > .git/index.lock",
    "a full lock": "cp .git/index .git/index.lock",
    "one file": ": > .git/index.lock; $REAL show $NEW:a.txt > a.txt",
    "a file halfway": ": > .git/index.lock; $REAL show $NEW:a.txt | head -c 4097 > a.txt",
    "an empty file": ": > .git/index.lock; : > a.txt",
    "an unlinked file": ": > .git/index.lock; rm a.txt",
    "a deletion": ": > .git/index.lock; rm b.txt",
    "deletions with their folders": ": > .git/index.lock; rm -r b.txt gone dir was",
    "an added file halfway": ": > .git/index.lock; printf ne > new.txt",
    "a new folder": ": > .git/index.lock; mkdir -p deep/er",
    "a file in a new folder": ": > .git/index.lock; mkdir -p deep/er; echo d > deep/er/d",
    "a file that became a folder": ": > .git/index.lock; rm was; mkdir was; printf w > was/w",
    "a folder that became a file": ": > .git/index.lock; rm -r dir; : > dir",
    "a link": ": > .git/index.lock; ln -sf elsewhere link",
    "a mode": ": > .git/index.lock; rm run.sh; $REAL show $NEW:run.sh > run.sh; chmod +x run.sh",
    "all files and a full lock": f"cp .git/index old; {ALL_NEW}; mv .git/index .git/index.lock; mv old .git/index",
    "all but the ref": ALL_NEW,
    "all but the ref, which is locked": f"{ALL_NEW}; : > .git/refs/heads/main.lock; : > .git/HEAD.lock",
    "everything": '$REAL merge -q --ff-only $NEW',
    "everything, and a lock on HEAD": '$REAL merge -q --ff-only $NEW; : > .git/HEAD.lock',
}  # fmt: skip


class Trap:
    """A refused run, clean by now, whose promotion somebody is going to kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = site = Landing(folder / "repo")
        root = site.root
        (root / "was").write_text("file")
        (root / "dir").mkdir()
        (root / "dir" / "y").write_text("y")
        (root / "gone" / "far").mkdir(parents=True)
        (root / "gone" / "far" / "z").write_text("z")
        (root / "link").symlink_to("a.txt")
        (root / "run.sh").write_text("echo\n")
        site.git("add", "-A")
        site.git("commit", "-qm", "second")
        self.old = site.at("main")
        engine = site.engine()
        run_id = site.make(engine, EVERYTHING)
        (root / "c.txt").write_text("mine")
        site.git("add", "c.txt")
        engine.execute_run(run_id)
        site.git("rm", "-qf", "c.txt")
        self.result = Result(site, engine, run_id)
        assert self.result.promotion["state"] == "refused"
        self.new = self.result.head

    def command(self, *words: str, script: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """A command line of ours, with a git before the real one."""
        program = self.folder / "bin" / "git"
        program.parent.mkdir(exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
        return subprocess.run(
            [sys.executable, "-m", "minipipe_tui", *words],
            cwd=self.site.root,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PATH": f"{program.parent}:{os.environ['PATH']}",
                "OLD": self.old,
                "NEW": self.new,
                **env,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    def kill(self, half: str, *, when: str = "merge --ff-only", spare: str = "") -> "subprocess.CompletedProcess[str]":
        """Promote, and be killed: the git that matches `when` leaves a half state; `spare` lets minipipe live."""
        path = self.folder / "half.sh"
        path.write_text(half)
        once = self.folder / "once"
        once.unlink(missing_ok=True)
        done = self.command("promote", "last", script=WRAPPER, HALF=str(path), WHEN=when, ONCE=str(once), SPARE=spare)
        assert once.exists(), done
        assert spare or done.returncode == -signal.SIGKILL, done
        return done

    def go_on(self) -> Result:
        """The next start, in this process."""
        engine: Orchestrator = self.site.engine()
        # The git that killed us holds the run's lock until it has ended too.
        wait_until(engine.interrupted_runs)
        assert [run.run_id for run in engine.interrupted_runs()] == [self.result.run_id]
        engine.execute_run(self.result.run_id)
        assert engine.interrupted_runs() == []
        return Result(self.site, engine, self.result.run_id)

    def assert_arrived(self, result: Result) -> None:
        assert result.promotion["state"] == "done", result.promotion
        assert self.site.at("main") == self.new == result.promotion["commit"]
        assert self.site.at("HEAD") == self.new
        assert (self.site.root / "dir").read_text() == "f\n"
        assert not (self.site.root / "gone").exists()
        assert os.access(self.site.root / "run.sh", os.X_OK)
        self.site.assert_sound()


def has_owner(engine: Orchestrator, run_id: str) -> bool:
    return owner_of(engine.workspace.run_folder(run_id)) is not None


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    made = Trap(tmp_path)
    yield made
    made.site.close()


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
def test_a_killed_move_is_finished_by_the_next_start(trap: Trap, half: str) -> None:
    trap.kill(half)
    trap.assert_arrived(trap.go_on())


@pytest.mark.parametrize("half", ["nothing", "a file halfway", "all but the ref, which is locked", "everything"])
def test_a_git_that_is_killed_alone_is_finished_at_once(trap: Trap, half: str) -> None:
    done = trap.kill(HALVES[half], spare="yes")
    if half == "nothing":
        # Nothing had begun, so it was simply tried again.
        assert done.returncode == 0
    assert done.returncode == 0, done
    trap.assert_arrived(trap.result)


def test_a_kill_at_every_call_of_git_is_finished_by_the_next_start(trap: Trap) -> None:
    """Before each, and after each; the repository is put back to where it was in between."""
    kept = trap.folder / "kept"
    shutil.copytree(trap.site.root, kept, symlinks=True)
    count = trap.folder / "count"
    trap.site.close()
    assert trap.command("promote", "last", script=COUNTER, COUNT=str(count), LETHAL="0", SIDE="").returncode == 0
    calls = int(count.read_text())
    assert calls > 15
    for lethal in range(1, calls + 1):
        for side in ("before", "after"):
            shutil.rmtree(trap.site.root)
            shutil.copytree(kept, trap.site.root, symlinks=True)
            trap.site.git("update-index", "-q", "--refresh")
            count.unlink()
            done = trap.command("promote", "last", script=COUNTER, COUNT=str(count), LETHAL=str(lethal), SIDE=side)
            assert done.returncode == -signal.SIGKILL, (lethal, done)
            take_up(trap)


def take_up(trap: Trap) -> None:
    """Whatever a kill has left, going on leads to the same end."""
    engine = trap.site.engine()
    result = Result(trap.site, engine, trap.result.run_id)
    wait_until(lambda: not has_owner(engine, result.run_id))
    if engine.interrupted_runs():
        engine.execute_run(result.run_id)
    elif result.promotion["state"] == "refused":
        result.promote()
    trap.assert_arrived(result)
    engine.close()


def test_a_sparse_tree_is_finished_sparse(trap: Trap) -> None:
    trap.site.git("sparse-checkout", "set", "--no-cone", "/*", "!/b.txt", "!/gone/", "!/deep/")
    trap.kill(HALVES["a file halfway"])
    result = trap.go_on()
    assert result.promotion["state"] == "done"
    assert trap.site.at("main") == trap.new
    trap.site.git("sparse-checkout", "reapply")
    trap.site.assert_sound()


def test_an_interrupted_promotion_is_told_of_and_goes_on_with_run(trap: Trap) -> None:
    trap.kill(HALVES["a file halfway"])
    wait_until(lambda: not has_owner(trap.result.engine, trap.result.run_id))
    plain = f'#!/bin/sh\nexec {REAL} "$@"\n'
    assert trap.result.run_id in trap.command("status", script=plain).stdout
    doctor = trap.command("doctor", "--json", script=plain).stdout
    assert f"minipipe resume {trap.result.run_id}" in doctor
    assert trap.result.document["available_actions"][0] == "resume"
    assert trap.command("run", script=plain).returncode == 0
    trap.assert_arrived(trap.result)


# -- what the user did in between


def test_later_work_in_other_files_is_kept(trap: Trap) -> None:
    trap.kill(HALVES["a file halfway"])
    (trap.site.root / ".gitignore").write_text("mine\n")
    (trap.site.root / "mine.txt").write_text("mine")
    result = trap.go_on()
    assert result.promotion["state"] == "done"
    assert trap.site.status() == " M .gitignore\n?? mine.txt"
    assert (trap.site.root / ".gitignore").read_text() == "mine\n"


@pytest.mark.parametrize(
    "work",
    [
        "echo mine > a.txt",
        "echo mine > new.txt",
        "echo mine > dir/y",
        "rm -rf deep; echo mine > deep",
        "rm -rf deep; ln -s /nonexistent deep",
        "rm -f new.txt; mkdir new.txt; echo mine > new.txt/x",
        "rm -f .git/index.lock; echo mine > b.txt; git add b.txt",
    ],
)
def test_later_work_in_the_same_files_is_left_and_everything_else_too(trap: Trap, work: str) -> None:
    trap.kill(": > .git/index.lock; chmod +x run.sh; ln -sf elsewhere link")
    subprocess.run(["sh", "-c", work], cwd=trap.site.root, check=True)
    before = trap.site.snapshot()
    result = trap.go_on()
    assert result.promotion["state"] == "refused"
    assert "changed since" in result.promotion["reason"]
    after = trap.site.snapshot()
    after["state"].pop("index.lock")
    before["state"].pop("index.lock")
    assert after == before
    assert trap.site.at("main") == trap.old


def test_a_commit_of_the_users_on_top_of_a_half_moved_tree_stays(trap: Trap) -> None:
    trap.kill("$REAL show $NEW:a.txt > a.txt")
    by_hand = trap.site.commit("mine.txt", "mine")
    result = trap.go_on()
    assert result.promotion["state"] in ("done", "refused")
    assert trap.site.git("merge-base", "--is-ancestor", by_hand, "main") == ""
    assert trap.site.status() == ""


def test_a_user_who_went_on_from_the_moved_branch_keeps_everything(trap: Trap) -> None:
    trap.kill(HALVES["everything"])
    by_hand = trap.site.commit("mine.txt", "mine")
    result = trap.go_on()
    assert result.promotion["state"] == "done"
    assert trap.site.at("main") == by_hand
    trap.site.assert_sound()


def test_a_user_who_switched_to_another_branch_is_not_followed(trap: Trap) -> None:
    trap.kill("")
    trap.site.git("switch", "-q", "-c", "aside")
    before = trap.site.snapshot()["files"]
    result = trap.go_on()
    assert result.promotion["state"] == "done"
    assert trap.site.at("main") == trap.new
    assert trap.site.snapshot()["files"] == before
    trap.site.assert_sound()


def test_a_lock_of_a_git_that_is_still_at_work_is_not_removed(trap: Trap) -> None:
    trap.kill("")
    editor = trap.folder / "editor"
    fifo = trap.folder / "fifo"
    os.mkfifo(fifo)
    editor.write_text(f"#!/bin/sh\ncat {fifo} >/dev/null\n")
    editor.chmod(0o755)
    (trap.site.root / ".gitignore").write_text("mine\n")
    env = {**os.environ, "GIT_EDITOR": str(editor)}
    user = subprocess.Popen([REAL, "commit", "-q", "-a"], cwd=trap.site.root, env=env, stderr=subprocess.DEVNULL)
    lock = trap.site.root / ".git" / "index.lock"
    try:
        wait_until(lock.exists)
        engine = trap.site.engine()
        error = refusal(lambda: engine.execute_run(trap.result.run_id))
        assert "another git is at work" in error.message
        assert lock.exists()
        assert engine.interrupted_runs()
    finally:
        fifo.write_text("")
        user.wait(10)
    trap.site.git("checkout", "-q", ".gitignore")
    trap.assert_arrived(trap.go_on())


# -- where no tree has the branch; rolling back


def test_a_kill_after_the_ref_has_moved_is_noted_by_the_next_start(trap: Trap) -> None:
    trap.site.git("switch", "-q", "-c", "aside")
    trap.kill("$REAL update-ref refs/heads/main $NEW $OLD; : > refs/heads/main.lock", when="update-ref -m")
    result = trap.go_on()
    assert result.promotion["state"] == "done"
    assert trap.site.at("main") == trap.new
    trap.site.assert_sound()


def test_a_branch_that_somebody_checks_out_in_the_same_moment_never_looks_reverted(trap: Trap) -> None:
    trap.site.git("switch", "-q", "-c", "aside")
    done = trap.kill(
        f'cd .. && $REAL switch -q main; cd .git; exec {REAL} "$@"',
        when="update-ref -m minipipe: promote",
        spare="yes",
    )
    assert done.returncode == 0, done
    trap.assert_arrived(trap.result)


def test_a_killed_roll_back_is_finished_or_has_not_happened(trap: Trap) -> None:
    assert trap.result.promote()["state"] == "done"
    patch = trap.result.patch("everything")
    once, half = trap.folder / "once", trap.folder / "half.sh"
    for script in ("", ": > .git/index.lock; rm a.txt; echo keep > b.txt; rm b.txt"):
        once.unlink(missing_ok=True)
        half.write_text(script)
        done = trap.command(
            "rollback", "last", script=WRAPPER, HALF=str(half), WHEN="merge --ff-only", ONCE=str(once), SPARE=""
        )
        assert done.returncode == -signal.SIGKILL
        result = trap.go_on()
        state = result.patch("everything").state
        if not script:
            assert (state, trap.site.at("main")) == (patch.state, trap.new)
            trap.site.assert_sound()
    assert state == "rolled_back"
    assert (trap.site.root / "a.txt").read_text() == LINES
    assert trap.site.git("diff", "--stat", trap.old, "main") == ""
    assert result.document["promotion"]["state"] == "done"
    trap.site.assert_sound()


def test_a_roll_back_on_the_runs_own_ref_is_noted_by_the_next_start(trap: Trap) -> None:
    once, half = trap.folder / "once", trap.folder / "half.sh"
    half.write_text(f'{REAL} "$@"')
    done = trap.command(
        "rollback", "last", script=WRAPPER, HALF=str(half), WHEN="update-ref -m minipipe: roll back", ONCE=str(once),
        SPARE="",
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    result = trap.go_on()
    assert result.patch("everything").state == "rolled_back"
    assert result.head == trap.site.at(f"refs/minipipe/runs/{result.run_id}") == trap.site.at(result.own)
    trap.site.assert_sound()


def test_finishing_twice_is_the_same_as_once(trap: Trap) -> None:
    trap.kill(HALVES["a file halfway"])
    git = trap.result.engine
    from engine.git.program import Git

    intent = Intent("refs/heads/main", trap.old, trap.new, "why", str(trap.site.root), str(trap.site.root / ".git"))
    assert git is not None
    for _ in range(2):
        assert finish(Git(trap.site.root / ".git"), intent) is Outcome.MOVED
    trap.assert_arrived(trap.go_on())
