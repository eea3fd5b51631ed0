"""What people and programs do to the repository and the worktrees while runs with patches go on."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.git_inspection import belongings, git_violations
from tests.chaos.inspection import violations
from tests.chaos.workshop import Json, Running, Workshop, wait_until

OURS = "refs/minipipe/"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.close()


def step(shop: Workshop, shell: str, step_id: str = "s", **keys: object) -> Json:
    """A step that notes its start, and goes on when the gate is open where it says `WAIT`."""
    wait = f"while [ ! -e {shop.side}/gate ]; do sleep 0.01; done"
    note = f'echo "start $MINIPIPE_STEP_ID $MINIPIPE_ATTEMPT_ID" >> {shop.log}'
    return {"id": step_id, "shell": f"{note}; {shell.replace('WAIT', wait)}", **keys}


def plan(shop: Workshop, *steps: Json, **keys: object) -> Path:
    return shop.plan(*steps, isolation="step", **keys)


def begun(shop: Workshop, *steps: Json, words: tuple[str, ...] = (), **keys: object) -> Running:
    """A run whose first step waits at the gate."""
    running = shop.start("run", str(plan(shop, *steps, **keys)), *words)
    shop.wait_for_start(str(steps[0]["id"]))
    return running


def goes_on(shop: Workshop, running: Running) -> int:
    shop.open_gate()
    return running.finish()


def promotion(shop: Workshop) -> Json:
    found: Json = shop.document()["promotion"]
    return found


def is_told_in_a_line(running: Running) -> bool:
    return "minipipe: " in running.errors and "Traceback" not in running.errors and "unexpected" not in running.errors


def sound(shop: Workshop, *, target: str | None = "main", state: str | None = "succeeded", **steps: str) -> list[str]:
    """What is wrong with ledger, refs, worktrees and processes; the user's things are looked at by the tests."""
    return [
        *violations(shop, shop.run_id() or "", state, steps, has_patches=True),
        *git_violations(shop, belongings(shop), target=target),
    ]


CHANGE = "WAIT; echo new > new.txt"


# -- the worktree --------------------------------------------------------------------------------------------


def test_a_worktree_that_is_removed_under_a_step_fails_the_attempt_and_the_next_one_gets_another(
    shop: Workshop,
) -> None:
    running = begun(shop, step(shop, CHANGE, retries=1, backoff={"initial_seconds": 0.01}))
    (tree,) = (path for path in shop.worktrees.glob("*/pool/*") if path.is_dir())
    shutil.rmtree(tree)
    assert goes_on(shop, running) == 0, running.errors
    first, second = shop.rows("SELECT state, message FROM step_attempts ORDER BY number")
    assert first[0] == "failed"
    assert second[0] == "succeeded"
    assert (shop.root / "new.txt").exists()
    assert sound(shop) == []


@pytest.mark.parametrize(
    "harm",
    [
        "git gc --quiet --prune=now",
        "git worktree prune --expire=now",
        "git add -A; git stash --quiet; git stash pop --quiet",
        "git stash --quiet --include-untracked; git stash apply --quiet",
        "git checkout -q --orphan other; git rm -q --cached -r .",
        "git config core.bare false",
        "chmod 000 shared.txt; chmod 644 shared.txt",
    ],
)
def test_what_a_step_does_to_its_own_repository_does_no_harm(shop: Workshop, harm: str) -> None:
    before = belongings(shop)
    done = shop.minipipe("run", str(plan(shop, step(shop, f"echo new > new.txt; {harm}; true"))), "--target", "none")
    assert done.code == 0, done.errors
    assert sound(shop, target=None) == []
    after = belongings(shop)
    assert {**after.files, "config": b""} == {**before.files, "config": b""}
    head = shop.rows("SELECT head_commit FROM runs")[0][0]
    assert shop.git("show", f"{head}:new.txt") == "new"


def test_a_step_that_removes_its_git_file_fails_and_the_next_one_gets_another_worktree(shop: Workshop) -> None:
    harm = step(shop, "echo new > new.txt; rm -rf .git; git add -A 2>&1; true", critical=False)
    done = shop.minipipe("run", str(plan(shop, harm, step(shop, "echo t > t.txt", "t", depends_on=[], retries=0))))
    assert done.code == 0, done.errors
    assert "its .git file was removed" in shop.rows("SELECT message FROM step_attempts WHERE step_id = 's'")[0][0]
    assert {(shop.root / name).exists() for name in ("new.txt", "t.txt")} == {False, True}
    assert sound(shop, s="failed") == []


def test_a_step_that_floods_twenty_thousand_files_is_set_aside_and_does_not_slow_the_others(shop: Workshop) -> None:
    flood = "mkdir many; cd many; seq 20000 | xargs touch"
    done = shop.minipipe(
        "run", str(plan(shop, step(shop, flood, critical=False), step(shop, "echo x > x.txt", "t"))), seconds=120
    )
    assert done.code == 0, done.errors
    ((state, findings),) = shop.rows("SELECT state, findings FROM patches WHERE step_id = 's'")
    assert (state, "limit" in findings) == ("quarantined", True)
    assert (shop.root / "x.txt").exists()
    assert not (shop.root / "many").exists()


# -- the user, meanwhile -------------------------------------------------------------------------------------


def test_a_commit_of_the_users_on_the_target_is_merged_with_the_change(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE))
    theirs = shop.commit("meanwhile", theirs="mine")
    assert goes_on(shop, running) == 0, running.errors
    assert promotion(shop)["state"] == "done"
    assert shop.git("merge-base", "--is-ancestor", theirs, "main") == ""
    assert {(shop.root / name).exists() for name in ("new.txt", "theirs.txt")} == {True}
    assert shop.git("status", "--porcelain") == ""
    assert sound(shop) == []


def test_a_user_who_checks_out_another_branch_keeps_it_and_the_target_moves_without_them(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE))
    shop.git("switch", "-qc", "aside")
    before = belongings(shop)
    assert goes_on(shop, running) == 0, running.errors
    assert shop.git("show", "main:new.txt") == "new"
    assert belongings(shop).files == before.files
    assert sound(shop) == []


def test_a_user_who_detaches_their_head_keeps_it(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE))
    shop.git("checkout", "-q", "--detach")
    before = belongings(shop)
    assert goes_on(shop, running) == 0, running.errors
    assert belongings(shop).files == before.files
    assert shop.git("show", "main:new.txt") == "new"


@pytest.mark.parametrize("deed", ["edit", "stage", "in the way", "merge"])
def test_a_working_tree_that_is_in_the_middle_of_something_is_left_as_it_is(shop: Workshop, deed: str) -> None:
    running = begun(shop, step(shop, CHANGE))
    if deed == "merge":
        shop.git("switch", "-qc", "other")
        shop.commit("other", shared="theirs\n")
        shop.git("switch", "-q", "main")
        shop.commit("ours", shared="ours\n")
        shop.git("merge", "other", check=False)
    else:
        (shop.root / ("new.txt" if deed == "in the way" else "shared.txt")).write_text("mine\n")
    if deed == "stage":
        shop.git("add", "shared.txt")
    before, at = belongings(shop), shop.git("rev-parse", "main")
    assert goes_on(shop, running) == 1
    assert promotion(shop)["state"] == "refused"
    assert belongings(shop).files == before.files
    assert shop.git("rev-parse", "main") == at
    assert sound(shop) == []


def test_a_target_that_two_working_trees_have_is_left_as_it_is(shop: Workshop, tmp_path: Path) -> None:
    running = begun(shop, step(shop, CHANGE))
    shop.git("worktree", "add", "--force", str(tmp_path / "second"), "main")
    assert goes_on(shop, running) == 1
    assert "checked out in" in promotion(shop)["reason"]
    assert not (shop.root / "new.txt").exists()


def test_git_gc_that_prunes_everything_at_once_loses_nothing(shop: Workshop) -> None:
    gc = f"git -C {shop.root} reflog expire --expire=now --all; git -C {shop.root} gc --quiet --prune=now"
    gates = [{"id": "gc", "type": "CUSTOM", "shell": gc}]
    first = step(shop, f"echo 1 > 1.txt; {gc}", "first", gates=["gc"])
    second = step(shop, f"{gc}; echo 2 > 2.txt", "second", depends_on=["first"], review="always", gates=["gc"])
    done = shop.minipipe("run", str(plan(shop, first, second, gates=gates)))
    assert done.code == 3, done.errors
    subprocess.run(["/bin/sh", "-c", gc], check=True)
    assert shop.minipipe("review", "approve", "last").code == 0
    subprocess.run(["/bin/sh", "-c", gc], check=True)
    resumed = shop.minipipe("resume", "last")
    assert resumed.code == 0, resumed.errors
    assert {(shop.root / f"{number}.txt").read_text() for number in (1, 2)} == {"1\n", "2\n"}
    assert sound(shop) == []


# -- locks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.lock", "refs/heads/main.lock", "HEAD.lock"])
def test_a_lock_of_somebody_elses_is_never_removed_and_the_target_left(shop: Workshop, name: str) -> None:
    running = begun(shop, step(shop, CHANGE))
    lock = shop.root / ".git" / name
    lock.touch()
    assert goes_on(shop, running) == 1
    assert (promotion(shop)["state"], lock.exists()) == ("refused", True)
    assert str(lock) in promotion(shop)["reason"]
    assert not (shop.root / "new.txt").exists()
    lock.unlink()
    assert shop.minipipe("promote", "last").code == 0
    assert sound(shop) == []


def test_a_stale_lock_on_a_ref_of_ours_stops_the_run_where_it_is(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE))
    lock = shop.root / ".git" / OURS / "runs" / f"{shop.run_id()}.lock"
    lock.touch()
    assert goes_on(shop, running) == 1
    assert is_told_in_a_line(running), running.errors
    assert str(lock) in running.errors or lock.name in running.errors
    lock.unlink()
    resumed = shop.minipipe("resume", "last")
    assert resumed.code == 0, resumed.errors
    assert sound(shop) == []


# -- refs of ours that are removed ---------------------------------------------------------------------------


def removed(shop: Workshop, kind: str) -> list[str]:
    found = shop.git("for-each-ref", "--format=%(refname)", f"{OURS}{kind}").splitlines()
    for name in found:
        shop.git("update-ref", "-d", name)
    return found


def prune(shop: Workshop) -> None:
    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "--quiet", "--prune=now")


def waiting(shop: Workshop) -> None:
    """A run with one patch that is committed and one that waits for review."""
    first = step(shop, "echo 1 > 1.txt", "first")
    second = step(shop, "echo 2 > 2.txt", "second", depends_on=["first"], review="always")
    assert shop.minipipe("run", str(plan(shop, first, second))).code == 3


@pytest.mark.parametrize("kind", ["runs", "patches", ""])
def test_refs_of_ours_that_somebody_removes_are_made_again(shop: Workshop, kind: str) -> None:
    waiting(shop)
    assert removed(shop, kind)
    assert shop.minipipe("review", "approve", "last").code == 0
    resumed = shop.minipipe("resume", "last")
    assert resumed.code == 0, resumed.errors
    assert {(shop.root / f"{number}.txt").read_text() for number in (1, 2)} == {"1\n", "2\n"}
    assert sound(shop) == []


def test_a_patch_whose_commit_is_gone_is_set_aside_and_never_applied(shop: Workshop) -> None:
    waiting(shop)
    assert removed(shop, "patches")
    prune(shop)
    resumed = shop.minipipe("resume", "last")
    assert resumed.code == 4, (resumed.output, resumed.errors)
    assert shop.minipipe("patch", "release", "last").code == 1
    assert shop.minipipe("patch", "drop", "last").code == 0
    assert shop.minipipe("resume", "last").code == 1
    assert shop.run_state() == "failed"


def test_a_run_whose_commits_are_gone_says_so_and_can_be_canceled(shop: Workshop) -> None:
    waiting(shop)
    assert removed(shop, "")
    for tree in shop.worktrees.glob("*/pool/*/.git"):
        shop.git("worktree", "remove", "--force", "--force", str(tree.parent))
    prune(shop)
    resumed = shop.minipipe("resume", "last")
    assert (resumed.code, "gone" in resumed.errors, is_told_in_a_line(resumed)) == (1, True, True), resumed.errors
    canceled = shop.minipipe("cancel", "last")
    assert shop.run_state() == "canceled", canceled.errors
    assert shop.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""


def test_a_run_whose_ref_is_removed_under_it_sets_the_change_aside(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE))
    removed(shop, "runs")
    assert goes_on(shop, running) == 4, (running.output, running.errors)
    assert "ref.moved" in shop.rows("SELECT findings FROM patches")[0][0]
    assert shop.minipipe("patch", "release", "last").code == 0
    assert shop.minipipe("resume", "last").code == 0
    assert (shop.root / "new.txt").exists()
    assert sound(shop) == []


def test_a_step_that_removes_refs_of_ours_does_no_harm(shop: Workshop) -> None:
    harm = f"git for-each-ref --format='delete %(refname)' {OURS} | git update-ref --stdin"
    first = step(shop, f"echo 1 > 1.txt; {harm}", "first", retries=1, backoff={"initial_seconds": 0.01})
    done = shop.minipipe("run", str(plan(shop, first)))
    assert done.code in (1, 4), done.errors
    for _ in range(2):
        shop.minipipe("patch", "release", "last")
        shop.minipipe("resume", "last")
    assert [line for line in sound(shop, state=None) if "ref" in line or "fsck" in line] == []


# -- the disk ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_repository(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop whose repository is a disk of 6 MB; the worktrees are elsewhere."""
    (tmp_path / "repo").mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", str(tmp_path / "repo")],
        capture_output=True,
        check=False,
    )
    if mounting.returncode != 0:
        pytest.skip("a disk can only be mounted by root")
    made = Workshop(tmp_path)
    yield made
    made.close()
    subprocess.run(["umount", "--lazy", str(made.root)], check=True)


def test_a_change_that_does_not_fit_on_the_disk_fails_its_step_and_nothing_else(small_repository: Workshop) -> None:
    shop = small_repository
    big = step(shop, "head -c 20000000 /dev/urandom > big.bin", "big", critical=False)
    done = shop.minipipe("run", str(plan(shop, big, step(shop, "echo x > x.txt", "t"))), "--target", "none")
    assert done.code == 0, done.errors
    ((state, message),) = shop.rows("SELECT state, message FROM step_attempts WHERE step_id = 'big'")
    assert state == "failed"
    assert "space" in message
    assert sound(shop, target=None, big="failed") == []


def test_a_disk_that_is_full_when_a_change_is_committed_ends_the_run_and_a_resume_commits_it(
    small_repository: Workshop,
) -> None:
    shop = small_repository
    filler = shop.root / ".git" / "filler"
    gates = [
        {
            "id": "fill",
            "type": "CUSTOM",
            "shell": f"test -e {shop.side}/once || {{ touch {shop.side}/once; cat /dev/zero > {filler}; }}",
        }
    ]
    done = shop.minipipe("run", str(plan(shop, step(shop, "echo x > x.txt", gates=["fill"]), gates=gates)))
    assert done.code in (1, 5), (done.output, done.errors)
    assert is_told_in_a_line(done), done.errors
    assert shop.rows("SELECT count(*) FROM patches WHERE state = 'committed'") == [(0,)]
    filler.unlink()
    resumed = shop.minipipe("resume", "last")
    assert resumed.code == 0, resumed.errors
    assert (shop.root / "x.txt").exists()
    assert sound(shop) == []


def test_a_read_only_repository_is_refused_and_can_still_be_looked_at(small_repository: Workshop) -> None:
    shop = small_repository
    path = plan(shop, step(shop, "echo x > x.txt"))
    assert shop.minipipe("run", str(path)).code == 0
    subprocess.run(["mount", "-o", "remount,ro", str(shop.root)], check=True)
    refused = shop.minipipe("run", str(path))
    assert (refused.code, is_told_in_a_line(refused)) == (5, True), refused.errors
    for words in (["show", "last"], ["patch", "list"], ["patch", "show", "last", "--diff"], ["review", "list"]):
        looked = shop.minipipe(*words)
        assert looked.code == 0, (words, looked.errors)


def test_a_git_folder_that_becomes_read_only_stops_the_run_where_it_is(small_repository: Workshop) -> None:
    shop = small_repository
    running = begun(shop, step(shop, CHANGE, retries=0, critical=False), words=("--target", "none"))
    objects = shop.root / ".git" / "objects"
    subprocess.run(["mount", "--bind", str(objects), str(objects)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(objects)], check=True)
    try:
        code = goes_on(shop, running)
    finally:
        subprocess.run(["umount", str(objects)], check=True)
    assert code in (0, 1), running.errors
    assert shop.rows("SELECT state FROM step_attempts") == [("failed",)]
    assert sound(shop, target=None, state=None) == []


# -- owners --------------------------------------------------------------------------------------------------


def test_a_second_owner_that_a_removed_lock_lets_in_commits_nothing_twice(shop: Workshop) -> None:
    running = begun(shop, step(shop, CHANGE), step(shop, "echo t > t.txt", "t", depends_on=["s"]))
    (shop.state / "runs" / (shop.run_id() or "") / "owner.lock").unlink()
    second = shop.start("resume", "last")
    wait_until(lambda: len(shop.records("start")) >= 2 or second.has_ended())
    shop.open_gate()
    running.finish()
    second.finish()
    if shop.run_state() != "succeeded":
        shop.minipipe("resume", "last")
    assert sound(shop, state=None) == []
