"""Which steps and patches are listed, where not all of them can be."""

from typing import Any

from minipipe_tui.cli.excerpt import MANY, counts, remarkable_patches, remarkable_steps


def tasks(state: str, count: int, *, tries: int = 1) -> list[dict[str, Any]]:
    return [{"step_id": f"{state}-{number}", "state": state, "attempts": [{}] * tries} for number in range(count)]


def patches(state: str, count: int) -> list[dict[str, Any]]:
    return [{"patch_id": f"{state}-{number}", "state": state} for number in range(count)]


def listed(*groups: list[dict[str, Any]]) -> list[str]:
    return [each["step_id"] for each in remarkable_steps([each for group in groups for each in group])]


def listed_patches(*groups: list[dict[str, Any]]) -> list[str]:
    return [each["patch_id"] for each in remarkable_patches([each for group in groups for each in group])]


def test_a_plan_of_ordinary_size_is_listed_whole() -> None:
    assert len(listed(tasks("completed", MANY))) == MANY
    assert len(listed_patches(patches("committed", MANY))) == MANY


def test_of_a_long_plan_what_simply_completed_is_not_listed() -> None:
    assert listed(tasks("completed", 100), tasks("failed", 1)) == ["failed-0"]


def test_what_completed_at_a_later_attempt_is_listed() -> None:
    assert listed(tasks("completed", 100), tasks("completed", 1, tries=2)) == ["completed-0"]


def test_a_crowd_that_does_not_fit_is_only_counted() -> None:
    groups = (tasks("failed", 2), tasks("skipped", 100), tasks("running", 3))
    assert listed(*groups) == ["failed-0", "failed-1", "running-0", "running-1", "running-2"]
    every = [each for group in groups for each in group]
    assert counts(every, "steps") == "105 steps: 100 skipped, 3 running, 2 failed"


def test_of_too_many_failures_the_first_are_listed_in_plan_order() -> None:
    assert listed(tasks("failed", 100)) == [f"failed-{number}" for number in range(MANY)]


def test_of_very_many_patches_what_waits_for_somebody_is_listed_before_what_was_given_up() -> None:
    groups = (patches("dropped", 50), patches("committed", 100), patches("quarantined", 2), patches("applied", 1))
    assert listed_patches(*groups) == ["quarantined-0", "quarantined-1", "applied-0"]
    assert listed_patches(patches("awaiting_review", 90)) == [f"awaiting_review-{number}" for number in range(MANY)]


def test_of_very_many_patches_that_were_all_committed_none_is_listed() -> None:
    assert listed_patches(patches("committed", 100), patches("superseded", 100)) == []
