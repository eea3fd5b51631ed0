"""Undoing what runs have committed: on the target where it has arrived there, else on the run's own ref."""

import json

import pytest

from engine.errors import ActionRefused, InvalidTransition, NotFound, RunOwned
from engine.ownership import claim
from engine.store import patch_queries
from tests.engine.landing import LINES, Landing, Result, refusal, step

pytestmark = pytest.mark.usefixtures("own_home")

ONE = step("one", "sed -i 's/line 2$/two/' a.txt")
TWO = step("two", "sed -i 's/line 9$/nine/' a.txt", depends_on=["one"])
THREE = step("three", "echo new > new.txt", depends_on=["two"])


def undo(result: Result, step_id: str) -> None:
    result.engine.rollback_patch(result.patch(step_id).patch_id, operator="ada")


# -- one patch


def test_a_patch_is_undone_on_the_target_that_it_has_reached(site: Landing) -> None:
    result = site.run(ONE, TWO)
    before = site.at("main")
    undo(result, "one")
    assert "line 2\n" in (site.root / "a.txt").read_text()
    assert "nine" in (site.root / "a.txt").read_text()
    assert site.git("rev-parse", "main^") == before
    patch = result.patch("one")
    assert patch.state == "rolled_back"
    message = site.git("log", "-1", "--format=%B", "main")
    assert f"Minipipe-Rollback: {patch.patch_id}" in message
    assert "patch_rolled_back" in result.events()
    ((told,),) = result.engine.database.rows(
        "SELECT metadata FROM events WHERE event_type = 'patch_rolled_back' AND operator = 'ada'"
    )
    assert json.loads(told)["commit"] == site.at("main")
    site.assert_sound()


def test_a_patch_is_undone_on_a_head_that_has_moved_since(site: Landing) -> None:
    result = site.run(ONE)
    site.commit("later.txt", "mine")
    undo(result, "one")
    assert (site.root / "a.txt").read_text() == LINES
    assert (site.root / "later.txt").read_text() == "mine"
    site.assert_sound()


def test_a_patch_of_a_run_without_a_target_is_undone_on_its_own_ref(site: Landing) -> None:
    result = site.run(ONE, TWO, target="none")
    before = site.snapshot()
    undo(result, "two")
    assert result.head == site.at(f"refs/minipipe/runs/{result.run_id}") == site.at(result.own)
    assert "line 9\n" in site.show(result.head, "a.txt")
    assert result.document["diff_stats"]["lines_added"] == 1
    assert site.snapshot() == before


def test_a_patch_that_was_rolled_back_is_not_rolled_back_again(site: Landing) -> None:
    result = site.run(ONE)
    undo(result, "one")
    before = site.snapshot()
    with pytest.raises(InvalidTransition):
        undo(result, "one")
    assert site.snapshot() == before


def test_a_patch_that_later_ones_build_on_is_refused_and_they_are_named(site: Landing) -> None:
    result = site.run(ONE, step("again", "sed -i 's/two$/deux/' a.txt", depends_on=["one"]))
    before = site.snapshot()
    error = refusal(lambda: undo(result, "one"))
    assert isinstance(error, ActionRefused)
    assert "a.txt" in error.message
    assert result.patch("again").patch_id in error.message
    assert site.snapshot() == before
    assert result.patch("one").state == "committed"


def test_a_patch_that_the_user_has_replaced_is_refused_and_the_commit_is_named(site: Landing) -> None:
    result = site.run(ONE)
    by_hand = site.commit("a.txt", LINES.replace("line 2\n", "zwei\n"))
    error = refusal(lambda: undo(result, "one"))
    assert by_hand[:7] in error.message
    site.assert_sound()


def test_a_patch_that_the_user_has_reverted_has_nothing_left_to_undo(site: Landing) -> None:
    result = site.run(ONE)
    site.git("revert", "--no-edit", "HEAD")
    assert "nothing of it is left" in refusal(lambda: undo(result, "one")).message
    site.assert_sound()


def test_a_patch_in_a_rewritten_history_is_found_by_its_trailer(site: Landing) -> None:
    result = site.run(ONE)
    site.git("commit", "-q", "--amend", "--date=2001-01-01T00:00:00", "--no-edit")
    undo(result, "one")
    assert (site.root / "a.txt").read_text() == LINES
    site.assert_sound()


def test_a_patch_that_the_branch_has_lost_is_refused(site: Landing) -> None:
    result = site.run(ONE)
    site.git("reset", "-q", "--hard", "HEAD~1")
    before = site.snapshot()
    assert "does not hold it" in refusal(lambda: undo(result, "one")).message
    assert site.snapshot() == before


def test_a_squash_of_several_patches_is_not_taken_for_one_of_them(site: Landing) -> None:
    result = site.run(ONE, TWO)
    text = site.git("log", "-2", "--format=%B")
    site.git("reset", "-q", "--soft", "HEAD~2")
    site.git("commit", "-qm", text)
    assert "does not hold it" in refusal(lambda: undo(result, "one")).message


def test_a_patch_whose_target_is_gone_is_refused(site: Landing) -> None:
    result = site.run(ONE)
    site.git("switch", "-q", "-c", "aside")
    site.git("branch", "-q", "-D", "main")
    assert "no such branch" in refusal(lambda: undo(result, "one")).message


def test_a_failing_check_keeps_a_patch_where_it_is(site: Landing) -> None:
    gate = {"id": "two", "type": "UNIT", "shell": "grep -q two a.txt"}
    result = site.run({**ONE, "gates": ["two"]}, gates=[gate])
    before = site.snapshot()
    error = refusal(lambda: undo(result, "one"))
    assert "two: exit code 1" in error.message
    assert result.patch("one").state == "committed"
    assert site.snapshot() == before
    rows = result.engine.database.rows("SELECT purpose, state, patch_id FROM gates ORDER BY gate_id")
    assert rows[-1] == ("rollback", "failed", result.patch("one").patch_id)


def test_a_dirty_tree_is_left_as_it_is(site: Landing) -> None:
    result = site.run(ONE)
    (site.root / "b.txt").write_text("mine")
    before = site.snapshot()
    error = refusal(lambda: undo(result, "one"))
    assert "b.txt" in error.message
    assert error.hint
    assert site.snapshot() == before
    assert result.patch("one").state == "committed"


def test_a_deleted_file_that_stands_there_untracked_again_is_not_overwritten(site: Landing) -> None:
    result = site.run(step("gone", "rm a.txt"))
    (site.root / "a.txt").write_text("mine")
    before = site.snapshot()
    assert "a.txt" in refusal(lambda: undo(result, "gone")).message
    assert site.snapshot() == before


def test_a_patch_of_a_refused_run_that_was_merged_by_hand_is_undone_where_it_is(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, ONE)
    (site.root / "b.txt").write_text("mine")
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    site.git("checkout", "-q", "b.txt")
    site.git("merge", "-q", result.own)
    undo(result, "one")
    assert (site.root / "a.txt").read_text() == LINES
    site.assert_sound()


def test_an_unknown_patch_is_not_found(site: Landing) -> None:
    with pytest.raises(NotFound):
        site.engine().rollback_patch("pat_01ARZ3NDEKTSV4RRFFQ69G5FAV")


# -- a whole run


def test_a_whole_run_is_undone_newest_first_in_one_move(site: Landing) -> None:
    result = site.run(ONE, TWO, THREE)
    before = site.at("main")
    result.engine.rollback_run(result.run_id, operator="ada")
    assert (site.root / "a.txt").read_text() == LINES
    assert not (site.root / "new.txt").exists()
    trailers = site.git("log", "--format=%(trailers:key=Minipipe-Rollback,valueonly,separator=)", f"{before}..main")
    order = [result.patch(step_id).patch_id for step_id in ("one", "two", "three")]
    assert trailers.split() == order
    assert {result.patch(step_id).state for step_id in ("one", "two", "three")} == {"rolled_back"}
    assert "run_rolled_back" in result.events()
    assert result.document["available_actions"] == ["retry"]
    assert "nothing" in refusal(lambda: result.engine.rollback_run(result.run_id)).message
    site.assert_sound()


def test_a_run_whose_patches_build_on_one_another_is_undone_whole(site: Landing) -> None:
    result = site.run(ONE, step("again", "sed -i 's/two$/deux/' a.txt", depends_on=["one"]))
    site.commit("later.txt", "mine")
    result.engine.rollback_run(result.run_id)
    assert (site.root / "a.txt").read_text() == LINES
    site.assert_sound()


def test_a_run_of_which_one_patch_cannot_be_undone_keeps_all(site: Landing) -> None:
    result = site.run(ONE, TWO)
    site.commit("a.txt", (site.root / "a.txt").read_text().replace("two\n", "zwei\n"))
    before = site.snapshot()
    assert result.patch("one").patch_id in refusal(lambda: result.engine.rollback_run(result.run_id)).message
    assert site.snapshot() == before
    assert {result.patch(step_id).state for step_id in ("one", "two")} == {"committed"}


def test_a_run_that_is_undone_before_it_was_promoted_has_nothing_left_to_promote(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, ONE)
    (site.root / "b.txt").write_text("mine")
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    before = site.snapshot()
    engine.rollback_run(run_id)
    assert site.at(result.own) == result.head
    site.git("checkout", "-q", "b.txt")
    assert "nothing of its changes is left" in result.promote()["reason"]
    assert site.at("main") == before["refs"][0].split()[0]


def test_a_paused_run_is_undone_on_its_own_ref_and_goes_on_from_there(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, ONE, step("asked", "echo x > x.txt", depends_on=["one"], review="always"))
    engine.execute_run(run_id)
    result = Result(site, engine, run_id)
    assert result.document["state"] == "paused"
    before = site.snapshot()
    undo(result, "one")
    assert site.snapshot() == before
    assert site.show(result.head, "a.txt") == LINES.rstrip("\n")
    (asked,) = patch_queries.patches_of(engine.database, run_id, states=("awaiting_review",))
    from engine.patches.ledger import PatchLedger

    assert PatchLedger(engine.database).approve_patch(asked.patch_id, "ada")
    engine.execute_run(run_id)
    assert result.promotion["state"] == "done", result.promotion
    assert (site.root / "a.txt").read_text() == LINES
    assert (site.root / "x.txt").exists()
    site.assert_sound()


def test_a_pending_run_and_one_that_somebody_owns_are_not_rolled_back(site: Landing) -> None:
    engine = site.engine()
    run_id = site.make(engine, ONE)
    assert refusal(lambda: engine.rollback_run(run_id)).hint == f"minipipe resume {run_id}"
    with claim(run_id, engine.workspace.run_folder(run_id)), pytest.raises(RunOwned):
        engine.rollback_run(run_id)


def test_a_failed_run_is_undone_on_its_own_ref(site: Landing) -> None:
    result = site.run(ONE, step("bad", "false", depends_on=["one"]))
    before = site.snapshot()
    result.engine.rollback_run(result.run_id)
    assert result.patch("one").state == "rolled_back"
    assert site.snapshot() == before
