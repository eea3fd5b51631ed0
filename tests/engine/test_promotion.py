"""Where a run's changes go at its end: each case with real git, and what is the user's compared byte for byte."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.keys import Config, PatchSettings
from engine.errors import ActionRefused, RunOwned
from engine.executor.control import Control
from engine.ownership import claim
from tests.engine.landing import LINES, Landing, Result, refusal, step

pytestmark = pytest.mark.usefixtures("own_home")

EDIT = step("edit", "sed -i 's/line 2$/two/' a.txt")
ADD = step("add", "echo new > new.txt")
LFS_LIKE = Config(patches=PatchSettings(allow_filters=("mine",)))


def aside(site: Landing, branch: str = "aside") -> None:
    """Nobody has main checked out."""
    site.git("switch", "-q", "-c", branch)


def moves_main(site: Landing, path: str, content: str) -> str:
    """A shell line by which the user moves main while the run goes on."""
    return (
        f"git --git-dir={site.root}/.git --work-tree={site.root} -C {site.root} status >/dev/null; "
        f"cd {site.root} && printf '{content}' > {path} && git add -A && "
        f"git -c user.name=U -c user.email=u@x commit -qm meanwhile"
    )


# -- fast-forward


def test_a_clean_checked_out_target_moves_with_its_files(site: Landing) -> None:
    (site.root / "notes.txt").write_text("mine")
    result = site.run(EDIT, ADD)
    assert result.promotion["state"] == "done"
    assert (result.promotion["target"], result.promotion["commit"]) == ("main", site.at("main"))
    assert site.at("main") == result.head == site.at("HEAD")
    assert (site.root / "new.txt").read_text() == "new\n"
    assert site.status() == "?? notes.txt"
    assert result.document["exit_code"] == 0
    assert "promotion_done" in result.events()
    assert site.at(result.own) == ""
    site.git("fsck", "--strict")


def test_a_target_that_is_checked_out_nowhere_moves_with_a_reflog_entry(site: Landing) -> None:
    aside(site)
    before = site.snapshot()
    result = site.run(EDIT, target="main")
    assert result.promotion["state"] == "done"
    assert site.git("reflog", "main", "-1", "--format=%gs") == f"minipipe: promote {result.run_id}"
    after = site.snapshot()
    assert after["files"] == before["files"]
    assert after["state"] == before["state"]


def test_a_bare_repository_is_promoted_into(tmp_path: Path) -> None:
    site = Landing(tmp_path / "bare.git", bare=True)
    result = site.run(EDIT)
    assert result.promotion["state"] == "done", result.promotion
    assert "two" in site.show("main", "a.txt")
    site.close()


def test_a_linked_working_tree_that_has_the_target_moves_and_the_main_one_does_not(
    site: Landing, tmp_path: Path
) -> None:
    site.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "linked"))
    before = site.snapshot()
    result = site.run(EDIT, target="topic")
    assert result.promotion["state"] == "done"
    assert "two" in (tmp_path / "linked" / "a.txt").read_text()
    site.assert_sound(tmp_path / "linked")
    assert site.snapshot()["files"] == before["files"]


def test_a_run_that_is_started_in_a_linked_working_tree_moves_its_branch(site: Landing, tmp_path: Path) -> None:
    site.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "linked"))
    result = site.run(EDIT, engine=site.engine(tmp_path / "linked"))
    assert (result.promotion["state"], result.promotion["target"]) == ("done", "topic")
    site.assert_sound(tmp_path / "linked")


def test_a_tree_whose_place_git_does_not_record_is_left_alone(site: Landing, tmp_path: Path) -> None:
    site.git("init", "-q", "--separate-git-dir", str(tmp_path / "apart"))
    before = site.snapshot()
    result = site.run(EDIT)
    assert result.promotion["state"] == "refused"
    assert "does not record where the files" in str(result.promotion)
    assert site.snapshot() == before


def test_users_merge_settings_and_hooks_have_no_say(site: Landing, tmp_path: Path) -> None:
    for name in ("post-merge", "reference-transaction", "post-checkout"):
        hook = site.root / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
        hook.chmod(0o755)
    site.git("config", "branch.main.mergeOptions", "--squash --no-ff")
    site.git("config", "merge.ff", "false")
    site.git("config", "merge.autoStash", "true")
    result = site.run(EDIT)
    assert result.promotion["state"] == "done", result.promotion
    assert site.at("HEAD") == result.head
    site.assert_sound()
    assert not (tmp_path / "hooked").exists()


def test_line_ends_that_the_user_has_configured_are_written(site: Landing) -> None:
    site.git("config", "core.autocrlf", "true")
    site.git("rm", "-q", "--cached", "-r", ".")
    site.git("reset", "-q", "--hard")
    assert b"\r\n" in (site.root / "a.txt").read_bytes()
    result = site.run(step("edit", "printf 'x\\ny\\n' > c.txt"))
    assert result.promotion["state"] == "done", result.promotion
    assert (site.root / "c.txt").read_bytes() == b"x\r\ny\r\n"
    assert site.status() == ""


# -- no target


def test_without_a_target_the_changes_stay_on_a_branch_of_their_own(site: Landing) -> None:
    before = site.snapshot()
    result = site.run(EDIT, target="none")
    assert result.promotion["state"] == "none"
    assert site.at(result.own) == result.head == result.promotion["commit"]
    assert result.own in result.promotion["reason"]
    assert result.document["exit_code"] == 0
    assert site.snapshot() == before


def test_with_a_detached_head_there_is_no_target(site: Landing) -> None:
    site.git("checkout", "-q", "--detach")
    result = site.run(EDIT)
    assert (result.promotion["state"], result.promotion["target"]) == ("none", None)
    assert site.at(result.own) == result.head
    site.assert_sound()


def test_a_users_branch_called_minipipe_leaves_the_changes_on_the_ref(site: Landing) -> None:
    site.git("branch", "minipipe")
    result = site.run(EDIT, target="none")
    assert result.promotion["branch"] == f"refs/minipipe/runs/{result.run_id}"
    assert result.promotion["branch"] in result.promotion["reason"]
    assert site.at(result.promotion["branch"]) == result.head


def test_a_run_without_a_target_is_promoted_to_the_branch_that_is_named(site: Landing) -> None:
    result = site.run(EDIT, target="none")
    assert "--target" in refusal(result.promote).hint
    assert result.promote(target="main")["state"] == "done"
    assert site.at("main") == result.head
    site.assert_sound()


def test_a_run_that_changes_nothing_has_nothing_to_promote(site: Landing) -> None:
    result = site.run(step("look", "true"))
    assert result.promotion["state"] == "none"
    assert site.at(f"refs/minipipe/runs/{result.run_id}") == ""
    assert "changed nothing" in refusal(result.promote).message


# -- the target has moved


def test_a_target_that_has_moved_is_merged_and_checked_again(site: Landing) -> None:
    gate = {"id": "both", "type": "UNIT", "shell": "grep -q two a.txt; echo $MINIPIPE_GATE >> /dev/null"}
    slow = step("edit", "sed -i 's/line 2$/two/' a.txt; " + moves_main(site, "c.txt", "c"), gates=["both"])
    result = site.run(slow, gates=[gate])
    assert result.promotion["state"] == "done", result.promotion
    assert site.git("rev-list", "--parents", "-1", "main").split()[2] == result.head
    assert (site.root / "c.txt").read_text() == "c"
    assert "two" in (site.root / "a.txt").read_text()
    assert f"Minipipe-Run: {result.run_id}" in site.git("log", "-1", "--format=%B", "main")
    purposes = [row[0] for row in result.engine.database.rows("SELECT purpose FROM gates ORDER BY gate_id")]
    assert purposes == ["verify", "promotion"]
    site.assert_sound()


def test_a_check_that_fails_on_the_merge_leaves_the_target(site: Landing) -> None:
    gate = {"id": "alone", "type": "UNIT", "shell": "test ! -e c.txt"}
    slow = step("edit", "sed -i 's/line 2$/two/' a.txt; " + moves_main(site, "c.txt", "c"), gates=["alone"])
    result = site.run(slow, gates=[gate])
    assert result.promotion["state"] == "refused"
    assert "alone" in result.promotion["reason"]
    assert result.promotion["hint"] == f"on main: git merge {result.own}"
    assert result.document["exit_code"] == 1
    assert result.document["state"] == "succeeded"
    assert site.at(result.own) == result.head
    site.assert_sound()


def test_a_conflict_leaves_the_target_and_names_the_paths(site: Landing) -> None:
    changed = LINES.replace("line 2\n", "zwei\n").replace("\n", "\\n")
    result = site.run(step("edit", "sed -i 's/line 2$/two/' a.txt; " + moves_main(site, "a.txt", changed)))
    assert result.promotion["state"] == "refused"
    assert "conflict in a.txt" in result.promotion["reason"]
    assert "zwei" in (site.root / "a.txt").read_text()
    site.assert_sound()
    assert "promotion_refused" in result.events()


def test_what_the_user_has_merged_by_hand_is_promoted(site: Landing) -> None:
    changed = LINES.replace("line 2\n", "zwei\n").replace("\n", "\\n")
    result = site.run(step("edit", "sed -i 's/line 2$/two/' a.txt; " + moves_main(site, "a.txt", changed)))
    site.git("merge", "-q", "-X", "ours", result.own)
    assert result.promote()["state"] == "done"
    assert result.document["exit_code"] == 0
    assert site.at(result.own) == ""
    site.assert_sound()


def test_a_target_that_was_rewritten_gets_nothing_back_that_it_has_lost(site: Landing) -> None:
    site.commit("c.txt", "c")
    rewrite = f"cd {site.root} && git reset -q --hard HEAD~1"
    result = site.run(step("edit", f"echo two > a.txt; {rewrite}"))
    assert result.promotion["state"] == "refused"
    assert "rewritten" in result.promotion["reason"]
    assert not (site.root / "c.txt").exists()


def test_a_merge_that_would_lead_the_change_elsewhere_is_refused(site: Landing) -> None:
    rename = f"cd {site.root} && git mv a.txt z.txt && git -c user.name=U -c user.email=u@x commit -qm moved"
    result = site.run(step("edit", f"sed -i 's/line 2$/two/' a.txt; {rename}"))
    assert result.promotion["state"] == "refused"
    assert "z.txt" in result.promotion["reason"]
    site.assert_sound()


def test_a_target_that_is_gone_is_refused(site: Landing) -> None:
    aside(site)
    result = site.run(
        step("edit", f"echo two > a.txt; git --git-dir={site.root}/.git branch -q -D main"), target="main"
    )
    assert result.promotion["state"] == "refused"
    assert result.promote()["state"] == "refused"
    assert result.promotion["hint"].startswith(f"git branch main {result.own}")


def test_a_target_that_keeps_moving_is_left_after_three_rounds(site: Landing, tmp_path: Path) -> None:
    aside(site)
    git = f"git --git-dir={site.root}/.git -c user.name=U -c user.email=u@x"
    nudge = f"{git} update-ref refs/heads/main $({git} commit-tree -p main -m nudge main^{{tree}})"
    gate = {"id": "nudge", "type": "UNIT", "shell": f"echo x >> {tmp_path}/count; {nudge}"}
    result = site.run({**EDIT, "gates": ["nudge"]}, gates=[gate], target="main")
    assert "was moved while a check ran" in result.promotion["reason"]
    (tmp_path / "count").unlink()
    # Somebody has looked at that, and wants it all the same.
    assert result.promote()["state"] == "refused"
    assert "3 times" in result.promotion["reason"]
    assert (tmp_path / "count").read_text().count("x") == 3


def test_a_stop_aborts_the_checks_and_leaves_the_target(site: Landing, control: Control, tmp_path: Path) -> None:
    once = f"test -e {tmp_path}/seen && {{ touch {tmp_path}/second; sleep 60; }}; touch {tmp_path}/seen"
    gate = {"id": "slow", "type": "UNIT", "shell": once}
    slow = step("edit", "sed -i 's/line 2$/two/' a.txt; " + moves_main(site, "c.txt", "c"), gates=["slow"])
    engine = site.engine()
    run_id = site.make(engine, slow, gates=[gate])
    timer = threading.Thread(target=lambda: (_await(tmp_path / "second"), control.ask("cancel")))
    timer.start()
    engine.execute_run(run_id, control=control)
    timer.join()
    result = Result(site, engine, run_id)
    assert (result.document["state"], result.promotion["state"]) == ("succeeded", "refused")
    assert "stopped" in result.promotion["reason"]
    assert engine.database.rows("SELECT state FROM gates WHERE purpose = 'promotion'") == [("canceled",)]
    site.assert_sound()


def _await(path: Path) -> None:
    from tests.engine.conftest import wait_until

    wait_until(path.exists)


# -- trees that are not fit: nothing of them is touched


def _dirty(site: Landing) -> None:
    (site.root / "b.txt").write_text("mine")


def _staged(site: Landing) -> None:
    (site.root / "b.txt").write_text("mine")
    site.git("add", "b.txt")


def _intent_to_add(site: Landing) -> None:
    (site.root / "mine.txt").write_text("mine")
    site.git("add", "-N", "mine.txt")


def _untracked(site: Landing) -> None:
    (site.root / "new.txt").write_text("mine")


def _ignored(site: Landing) -> None:
    (site.root / "new.log").write_text("mine")


def _file_for_folder(site: Landing) -> None:
    (site.root / "deep").write_text("mine")


def _link_for_folder(site: Landing) -> None:
    (site.root / "deep").symlink_to("/nonexistent")


def _folder_for_file(site: Landing) -> None:
    (site.root / "new.txt").mkdir()
    (site.root / "new.txt" / "mine").write_text("mine")


def _mid_merge(site: Landing) -> None:
    site.git("switch", "-q", "-c", "other", "main")
    site.commit("other.txt", "o")
    site.git("switch", "-q", "main")
    site.git("merge", "-q", "--no-ff", "--no-commit", "other")


def _mid_pick(site: Landing) -> None:
    site.git("switch", "-q", "-c", "other", "main")
    site.commit("a.txt", "o")
    site.git("switch", "-q", "main")
    (site.root / ".git" / "CHERRY_PICK_HEAD").write_text(site.at("other") + "\n")


def _mid_rebase(site: Landing) -> None:
    site.git("switch", "-q", "-c", "other", "main")
    site.commit("b.txt", "theirs")
    site.git("switch", "-q", "main")
    site.commit("b.txt", "mine")
    site.git("rebase", "-q", "other", ok=False)
    assert (site.root / ".git" / "rebase-merge").exists()


def _bisecting(site: Landing) -> None:
    site.commit("c1", "1")
    site.commit("c2", "2")
    site.git("bisect", "start", "-q", "HEAD", "HEAD~2", ok=False)
    assert (site.root / ".git" / "BISECT_START").exists()


def _locked(site: Landing) -> None:
    (site.root / ".git" / "index.lock").write_text("")


UNFIT = [
    (_dirty, "b.txt"),
    (_staged, "b.txt"),
    (_intent_to_add, "mine.txt"),
    (_untracked, "new.txt"),
    (_ignored, "new.log"),
    (_file_for_folder, "deep"),
    (_link_for_folder, "deep"),
    (_folder_for_file, "new.txt/mine"),
    (_mid_merge, "merge"),
    (_mid_pick, "cherry-pick"),
    (_mid_rebase, "rebase"),
    (_bisecting, "bisect"),
    (_locked, "index.lock"),
]
WIDE = step("wide", "echo two > a.txt; echo n > new.txt; mkdir deep; echo d > deep/d; echo l > new.log; : > .gitignore")


@pytest.mark.parametrize(("spoil", "named"), UNFIT, ids=lambda each: getattr(each, "__name__", ""))
def test_a_tree_that_is_not_fit_is_left_byte_for_byte(
    site: Landing, spoil: Callable[[Landing], None], named: str
) -> None:
    engine = site.engine()
    run_id = site.make(engine, WIDE, target="main")
    spoil(site)
    before = site.snapshot()
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    assert result.promotion["state"] == "refused", result.promotion
    assert named in result.promotion["reason"]
    assert f"minipipe promote {run_id}" in result.promotion["hint"]
    assert site.snapshot() == before
    assert result.promote()["state"] == "refused"
    assert site.snapshot() == before


def test_what_was_refused_is_promoted_once_the_tree_is_clean(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, WIDE)
    _dirty(site)
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    assert result.document["available_actions"][0] == "promote"
    site.git("checkout", "-q", "b.txt")
    assert result.promote()["state"] == "done"
    assert result.promotion["reason"] is None
    site.assert_sound()


def test_a_target_that_two_trees_have_is_left(site: Landing, tmp_path: Path) -> None:
    site.git("worktree", "add", "-q", "-f", str(tmp_path / "linked"), "main")
    before = site.snapshot(), site.snapshot(tmp_path / "linked")
    result = site.run(EDIT)
    assert result.promotion["state"] == "refused"
    assert str(tmp_path / "linked") in result.promotion["reason"]
    assert (site.snapshot(), site.snapshot(tmp_path / "linked")) == before


def test_a_target_whose_tree_was_deleted_by_hand_is_left(site: Landing, tmp_path: Path) -> None:
    site.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "linked"))
    subprocess.run(["rm", "-rf", str(tmp_path / "linked")], check=True)
    result = site.run(EDIT, target="topic")
    assert "worktree prune" in result.promotion["hint"]
    site.git("worktree", "prune")
    assert result.promote()["state"] == "done"


def test_a_target_that_is_rebased_in_another_tree_is_left(site: Landing, tmp_path: Path) -> None:
    site.git("worktree", "add", "-q", "-b", "topic", str(tmp_path / "linked"))
    site.commit("a.txt", "mine", at=tmp_path / "linked")
    site.git("switch", "-q", "-c", "other")
    site.commit("a.txt", "theirs")
    site.git("rebase", "-q", "other", at=tmp_path / "linked", ok=False)
    before = site.snapshot(tmp_path / "linked")
    result = site.run(step("edit", "echo x > b.txt"), target="topic")
    assert "rebased" in result.promotion["reason"]
    assert site.snapshot(tmp_path / "linked") == before


# -- filters and submodules


def test_paths_with_a_filter_in_a_checked_out_tree_are_left_to_the_user(site: Landing, tmp_path: Path) -> None:
    site.commit(".gitattributes", "*.bin filter=mine\n")
    site.git("config", "filter.mine.smudge", f"touch {tmp_path}/smudged; cat")
    site.git("config", "filter.mine.clean", "cat")
    engine = site.engine(config=LFS_LIKE)
    run_id = site.make(engine, step("edit", "echo x > c.bin"))
    before = site.snapshot()
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    assert result.promotion["state"] == "refused"
    assert "c.bin" in result.promotion["reason"]
    assert result.promotion["hint"] == f"on main: git merge {result.own}"
    assert site.snapshot() == before
    assert not (tmp_path / "smudged").exists()


def test_a_filter_that_the_users_own_settings_configure_counts_too(site: Landing, tmp_path: Path) -> None:
    site.commit(".gitattributes", "*.bin filter=mine\n")
    (tmp_path / "home" / ".gitconfig").write_text('[filter "mine"]\n\tprocess = false\n')
    result = site.run(step("edit", "echo x > c.bin"), engine=site.engine(config=LFS_LIKE))
    assert result.promotion["state"] == "refused"
    assert "c.bin" in result.promotion["reason"]


def test_a_filter_that_does_not_concern_the_change_is_no_obstacle(site: Landing) -> None:
    site.commit(".gitattributes", "*.bin filter=mine\n")
    site.git("config", "filter.mine.smudge", "cat")
    assert site.run(EDIT).promotion["state"] == "done"
    site.assert_sound()


def test_a_filter_is_no_obstacle_where_no_tree_has_the_target(site: Landing) -> None:
    site.commit(".gitattributes", "*.bin filter=mine\n")
    site.git("config", "filter.mine.smudge", "cat")
    aside(site)
    result = site.run(step("edit", "echo x > c.bin"), engine=site.engine(config=LFS_LIKE), target="main")
    assert result.promotion["state"] == "done"


def test_a_repository_with_a_submodule_is_promoted_into(site: Landing, tmp_path: Path) -> None:
    inner = Landing(tmp_path / "inner")
    site.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    site.git("commit", "-qm", "sub")
    (site.root / "sub" / "untracked").write_text("mine")
    result = site.run(EDIT)
    assert result.promotion["state"] == "done", result.promotion
    assert (site.root / "sub" / "untracked").read_text() == "mine"


def test_a_submodules_own_repository_is_promoted_into(site: Landing, tmp_path: Path) -> None:
    inner = Landing(tmp_path / "inner")
    site.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.root), "sub")
    sub = site.root / "sub"
    result = site.run(EDIT, engine=site.engine(sub))
    assert (result.promotion["state"], result.promotion["target"]) == ("done", "main"), result.promotion
    assert "two" in (sub / "a.txt").read_text()
    assert site.git("status", "--porcelain", at=sub) in ("", "?? .minipipe/")


def test_a_sparse_checkout_stays_sparse(site: Landing) -> None:
    (site.root / "in").mkdir()
    (site.root / "out").mkdir()
    (site.root / "in" / "f").write_text("f")
    site.commit("out/f", "f")
    site.git("sparse-checkout", "set", "--cone", "in")
    result = site.run(step("edit", "echo i > in/f; echo o > out/f; echo n > out/new"))
    assert result.promotion["state"] == "done", result.promotion
    assert (site.root / "in" / "f").read_text() == "i\n"
    assert not (site.root / "out").exists()
    site.assert_sound()


# -- when it is asked for


def test_a_run_is_promoted_only_once(site: Landing) -> None:
    result = site.run(EDIT)
    error = refusal(result.promote)
    assert isinstance(error, ActionRefused)
    assert "already" in error.message


def test_only_a_run_that_has_succeeded_is_promoted(site: Landing) -> None:
    result = site.run(EDIT, step("bad", "false", depends_on=["edit"]))
    before = site.snapshot()
    assert result.promotion["state"] == "none"
    assert refusal(result.promote).hint == f"minipipe retry {result.run_id}"
    assert site.snapshot() == before


def test_a_shadow_run_reaches_no_branch(site: Landing) -> None:
    before = site.snapshot()
    result = site.run(EDIT, globals={"mode": "shadow"})
    assert result.promotion["state"] == "none"
    refusal(result.promote)
    assert site.snapshot() == before


def test_a_run_that_somebody_owns_is_not_promoted(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, EDIT)
    with claim(run_id, engine.workspace.run_folder(run_id)), pytest.raises(RunOwned):
        engine.promote_run(run_id)


def test_strays_stop_a_promotion_that_nobody_has_asked_for(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, EDIT)
    run = engine._find(run_id)
    engine.journal.amend(run, promotion={"state": "none", "target": "main", "strays": ["refs/heads/x"]})
    before = site.snapshot()
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    assert result.promotion["state"] == "refused"
    assert "refs/heads/x" in result.promotion["reason"]
    assert site.snapshot() == before
    assert result.promote()["state"] == "done"


def test_the_retry_of_a_failed_run_promotes_what_both_have_committed(site: Landing, tmp_path: Path) -> None:
    flaky = step("later", f"test -e {tmp_path}/ok && echo n > n.txt", depends_on=["edit"])
    first = site.run(EDIT, flaky)
    (tmp_path / "ok").touch()
    second = Result(site, first.engine, first.engine.retry_run(first.run_id))
    second.engine.execute_run(second.run_id)
    assert second.promotion["state"] == "done", second.promotion
    assert "two" in (site.root / "a.txt").read_text()
    assert (site.root / "n.txt").exists()
    site.assert_sound()


def test_several_runs_at_once_all_arrive(site: Landing) -> None:
    threads, results = [], []
    first = site.engine()
    for number in range(4):
        engine = first if number == 0 else site.engine()
        run_id = site.make(engine, step("edit", f"echo {number} > f{number}.txt"))
        results.append(Result(site, engine, run_id))
        threads.append(threading.Thread(target=engine.execute_run, args=(run_id,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert [result.promotion["state"] for result in results] == ["done"] * 4, [r.promotion for r in results]
    assert {f"f{number}.txt" for number in range(4)} <= {path.name for path in site.root.iterdir()}
    site.assert_sound()


# -- what is told


def test_a_document_tells_what_was_changed_and_where_it_went(site: Landing) -> None:
    result = site.run(EDIT, ADD, step("nothing", "true"))
    document = result.document
    assert document["target"] == "main"
    assert document["base_commit"] == site.git("rev-parse", "main~2")
    assert document["diff_stats"]["files_added"] == 1
    assert document["diff_stats"]["files_modified"] == 1
    by_step = {task["step_id"]: task["diff_stats"] for task in document["tasks"]}
    assert by_step["edit"]["lines_added"] == 1
    assert by_step["nothing"]["lines_added"] == 0
    assert {patch["step_id"]: patch["state"] for patch in document["patches"]} == {
        "edit": "committed",
        "add": "committed",
    }
    assert document["available_actions"] == ["retry", "rollback"]


def test_the_command_line_promotes(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, EDIT)
    _dirty(site)
    engine.execute_run(run_id)
    program = [sys.executable, "-m", "minipipe_tui"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([*program, "promote", "last"], cwd=site.root, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "b.txt" in done.stdout
    assert f"minipipe promote {run_id}" in done.stdout
    site.git("checkout", "-q", "b.txt")
    done = subprocess.run([*program, "promote", "last"], cwd=site.root, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"main is at {site.at('main')[:12]}")
    done = subprocess.run([*program, "rollback", "last"], cwd=site.root, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "line 2\n" in (site.root / "a.txt").read_text()
