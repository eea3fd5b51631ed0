"""The scheduler's rules, one at a time."""

import pytest

from engine.plan.plan import OrchestrationMode
from engine.scheduler import Consequences, Limits, Node, Result, Scheduler
from engine.scheduler.holds import PATIENCE
from engine.scheduler.scheduler import AGING


def begun(*nodes: Node, limits: Limits | None = None, ended: dict[str, Result] | None = None) -> Scheduler:
    scheduler = Scheduler(nodes, limits or Limits(), ended)
    scheduler.begin()
    return scheduler


def starts(scheduler: Scheduler) -> list[list[str]]:
    """Run everything to its end, all that can start at once, and name what started together."""
    rounds = []
    while taken := scheduler.take(99):
        rounds.append(taken)
        scheduler.validate()
        for name in taken:
            scheduler.finish(name, Result.SUCCEEDED)
    assert scheduler.is_done
    return rounds


# -- order


def test_a_node_is_ready_when_all_it_depends_on_has_ended() -> None:
    scheduler = Scheduler([Node("a"), Node("b"), Node("c", ("a", "b", "a"))], Limits())
    assert scheduler.begin() == Consequences(ready=("a", "b"))
    assert scheduler.take(9) == ["a", "b"]
    assert scheduler.finish("b", Result.SUCCEEDED) == Consequences()
    assert scheduler.finish("a", Result.SUCCEEDED) == Consequences(ready=("c",))
    assert scheduler.take(9) == ["c"]


def test_nodes_start_by_priority_then_by_the_path_ahead_then_as_in_the_plan() -> None:
    scheduler = begun(
        Node("plain"),
        Node("also plain"),
        Node("long", expected_seconds=2),
        Node("first of a chain"),
        Node("end of a chain", ("first of a chain",), expected_seconds=5),
        Node("urgent", priority=1, expected_seconds=0),
        Node("idle", priority=-1, expected_seconds=100),
    )
    assert [scheduler.take(1)[0] for _ in range(4)] == ["urgent", "first of a chain", "long", "plain"]
    scheduler.finish("urgent", Result.SUCCEEDED)
    assert scheduler.take(1) == ["also plain"]
    scheduler.finish("plain", Result.SUCCEEDED)
    assert scheduler.take(1) == ["idle"]


def test_no_more_are_taken_than_asked_for_or_than_there_are_slots() -> None:
    scheduler = begun(*(Node(f"n{i}") for i in range(5)), limits=Limits(slots=3))
    assert scheduler.take(0) == []
    assert scheduler.take(2) == ["n0", "n1"]
    assert scheduler.take(9) == ["n2"]
    assert scheduler.take(9) == []
    assert scheduler.running == ("n0", "n1", "n2")
    assert (scheduler.ready_count, scheduler.waiting_count, scheduler.ended_count) == (2, 0, 0)


def test_waiting_raises_priority_above_that_of_newcomers() -> None:
    """A chain of urgent nodes would keep a plain one waiting for its whole length."""
    urgent = [Node(f"u{i}", (f"u{i - 1}",) if i else (), priority=1) for i in range(AGING + 5)]
    scheduler = begun(*urgent, Node("plain", expected_seconds=9999), limits=Limits(slots=1))
    order = [name for taken in starts(scheduler) for name in taken]
    # u<AGING> becomes ready after AGING starts, and from then on counts as no more urgent than the plain one.
    assert order.index("plain") == AGING


@pytest.mark.parametrize(
    "nodes",
    [
        [Node("a"), Node("a")],
        [Node("a", ("nowhere",))],
        [Node("a", ("b",)), Node("b", ("a",))],
        [Node("a", ("a",))],
        [Node("a", ("f",)), Node("f", is_finally=True)],
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(nodes: list[Node]) -> None:
    with pytest.raises(ValueError, match=r"a|b"):
        Scheduler(nodes, Limits())


def test_an_empty_run_is_done_at_once() -> None:
    assert begun().is_done


# -- conditions


@pytest.mark.parametrize(
    ("run_if", "results", "outcome"),
    [
        ("success", (Result.SUCCEEDED, Result.SKIPPED), "ready"),
        ("success", (Result.SUCCEEDED, Result.FAILED), "dependency_failed"),
        ("success", (Result.SUCCEEDED, Result.CANCELED), "dependency_failed"),
        ("success", (Result.SUCCEEDED, Result.UNREACHABLE), "dependency_failed"),
        ("failure", (Result.SUCCEEDED, Result.SKIPPED), "run_if"),
        ("failure", (Result.FAILED, Result.SUCCEEDED), "ready"),
        ("failure", (Result.CANCELED, Result.SUCCEEDED), "ready"),
        ("failure", (Result.UNREACHABLE, Result.SUCCEEDED), "ready"),
        ("always", (Result.SUCCEEDED, Result.SUCCEEDED), "ready"),
        ("always", (Result.FAILED, Result.CANCELED), "ready"),
    ],
)
def test_run_if_decides_by_how_the_dependencies_ended(
    run_if: str, results: tuple[Result, Result], outcome: str
) -> None:
    scheduler = begun(Node("a"), Node("b"), Node("c", ("a", "b"), run_if=run_if))  # type: ignore[arg-type]
    scheduler.take(2)
    told = [scheduler.finish(name, result) for name, result in zip("ab", results, strict=True)]
    ready = [name for consequences in told for name in consequences.ready]
    skipped = [pair for consequences in told for pair in consequences.skipped]
    assert ready == (["c"] if outcome == "ready" else [])
    assert skipped == ([] if outcome == "ready" else [("c", outcome)])


def test_a_node_that_needs_success_is_skipped_without_waiting_for_the_rest() -> None:
    scheduler = begun(Node("a"), Node("slow"), Node("c", ("a", "slow")), Node("d", ("c",)))
    scheduler.take(2)
    told = scheduler.finish("a", Result.FAILED)
    assert told.skipped == (("c", "dependency_failed"), ("d", "dependency_failed"))
    assert scheduler.result("d") is Result.UNREACHABLE
    assert scheduler.finish("slow", Result.SUCCEEDED) == Consequences()


def test_a_node_that_was_not_needed_counts_as_success_for_its_dependents() -> None:
    scheduler = begun(Node("a"), Node("repair", ("a",), run_if="failure"), Node("c", ("repair",)))
    scheduler.take(1)
    assert scheduler.finish("a", Result.SUCCEEDED) == Consequences(ready=("c",), skipped=(("repair", "run_if"),))


def test_a_failed_node_blocks_only_what_depends_on_it() -> None:
    scheduler = begun(Node("a"), Node("b", ("a",)), Node("c"), Node("d", ("c",)))
    scheduler.take(2)
    scheduler.finish("a", Result.FAILED)
    scheduler.finish("c", Result.SUCCEEDED)
    assert scheduler.take(9) == ["d"]


def test_a_ready_node_may_end_without_having_been_started() -> None:
    scheduler = begun(Node("a", locks=("db",)), Node("b", ("a",)), Node("c", locks=("db",)))
    assert scheduler.finish("a", Result.SKIPPED) == Consequences(ready=("b",))
    assert scheduler.take(9) == ["b", "c"]


def test_nothing_ends_twice() -> None:
    scheduler = begun(Node("a"))
    scheduler.finish("a", Result.SUCCEEDED)
    with pytest.raises(ValueError, match="a has ended already"):
        scheduler.finish("a", Result.FAILED)


# -- locks and resources


def test_a_lock_is_held_by_one_and_blocks_nobody_who_does_not_want_it() -> None:
    scheduler = begun(Node("a", locks=("db",)), Node("b", locks=("db",)), Node("c"), Node("d", locks=("db", "net")))
    assert scheduler.take(9) == ["a", "c"]
    scheduler.finish("c", Result.SUCCEEDED)
    assert scheduler.take(9) == []
    scheduler.finish("a", Result.SUCCEEDED)
    assert scheduler.take(9) == ["b"]
    scheduler.finish("b", Result.FAILED)
    assert scheduler.take(9) == ["d"]


def test_a_node_that_cannot_use_a_free_lock_lets_the_next_one_have_it() -> None:
    scheduler = begun(
        Node("a", locks=("a",), priority=3),
        Node("b", locks=("b",), priority=3),
        Node("both", locks=("a", "b"), priority=2),
        Node("next", locks=("a",)),
        Node("last", locks=("a",)),
    )
    assert scheduler.take(9) == ["a", "b"]
    scheduler.finish("a", Result.SUCCEEDED)
    assert scheduler.take(9) == ["next"]


def test_a_free_lock_goes_to_the_best_also_when_a_better_one_withdraws() -> None:
    scheduler = begun(
        Node("a", locks=("a",), priority=9),
        Node("first", locks=("a", "b"), priority=3),
        Node("third", locks=("a", "b"), priority=1),
        Node("second", locks=("a",), priority=2),
    )
    assert scheduler.take(9) == ["a"]
    scheduler.finish("a", Result.SUCCEEDED)
    scheduler.delay("first")
    scheduler.validate()
    assert scheduler.take(1) == ["second"]


def test_cpu_and_memory_are_counted() -> None:
    scheduler = begun(
        Node("a", cpu=1.5), Node("b", cpu=1), Node("c", cpu=0.5, memory_mb=60), Node("d", memory_mb=50),
        limits=Limits(cpu=2, memory_mb=100),
    )  # fmt: skip
    assert scheduler.take(9) == ["a", "c"]
    scheduler.finish("c", Result.SUCCEEDED)
    assert scheduler.take(9) == ["d"]
    scheduler.finish("a", Result.SUCCEEDED)
    assert scheduler.take(9) == ["b"]


def test_small_shares_of_a_cpu_add_up_exactly() -> None:
    scheduler = begun(*(Node(f"n{i}", cpu=0.1) for i in range(20)), limits=Limits(slots=99, cpu=1))
    assert [len(taken) for taken in starts(scheduler)] == [10, 10]


def test_a_node_that_asks_for_more_than_there_is_runs_with_all_of_it() -> None:
    scheduler = begun(Node("huge", cpu=64, memory_mb=10**6), Node("small", cpu=1), limits=Limits(cpu=2, memory_mb=9))
    assert starts(scheduler) == [["huge"], ["small"]]


def test_what_nobody_counts_holds_nobody_up() -> None:
    scheduler = begun(Node("a", cpu=64, memory_mb=10**6), Node("b", cpu=64))
    assert scheduler.take(9) == ["a", "b"]


def test_a_large_request_is_not_passed_over_for_ever_by_small_ones() -> None:
    small = [Node(f"s{i}", cpu=1, priority=1) for i in range(4 * PATIENCE)]
    scheduler = begun(Node("large", cpu=2), *small, limits=Limits(slots=2, cpu=2))
    running = scheduler.take(2)
    count = len(running)
    while "large" not in running:
        scheduler.finish(running.pop(0), Result.SUCCEEDED)
        taken = scheduler.take(2)
        count += len(taken)
        running += taken
        scheduler.validate()
    assert PATIENCE < count <= PATIENCE + 4 + AGING
    assert scheduler.running == ("large",)


def test_while_much_is_kept_for_one_node_others_say_so() -> None:
    small = [Node(f"s{i}", cpu=1) for i in range(4 * PATIENCE)]
    scheduler = begun(*small, Node("large", cpu=2, priority=1), limits=Limits(slots=2, cpu=2, memory_mb=9))
    assert scheduler.take(1) == ["large"]
    scheduler.release("large")
    scheduler.take(1)
    scheduler.requeue("large")
    for _ in range(PATIENCE):
        scheduler.take(1)
        scheduler.finish(scheduler.running[0], Result.SUCCEEDED)
    waits = {scheduler.why(node.id).text for node in small}
    assert "1 cpu is kept for large, which has waited longer" in waits
    assert scheduler.take(9) == []
    scheduler.finish("large", Result.CANCELED)
    assert len(scheduler.take(9)) == 1
    scheduler.validate()


# -- lanes


@pytest.mark.parametrize(
    ("mode", "rounds"),
    [
        ("sequential", [["x1"], ["y1"], ["x2"], ["free"], ["y2"]]),
        ("parallel", [["x1", "y1", "x2", "free"], ["y2"]]),
        ("hybrid", [["x1", "x2"], ["y1", "y2"], ["free"]]),
    ],
)
def test_a_mode_decides_what_runs_together(mode: OrchestrationMode, rounds: list[list[str]]) -> None:
    nodes = [
        Node("x1", workstream="x"),
        Node("y1", workstream="y"),
        Node("x2", workstream="x"),
        Node("free"),
        Node("y2", workstream="y"),
    ]
    assert starts(begun(*nodes, limits=Limits(mode=mode))) == rounds


def test_workstreams_that_depend_on_each_other_take_turns() -> None:
    nodes = [
        Node("x1", workstream="x"),
        Node("y1", ("x1",), workstream="y"),
        Node("x2", ("y1",), workstream="x"),
        Node("y2", ("x2",), workstream="y"),
    ]
    assert starts(begun(*nodes, limits=Limits(mode="hybrid"))) == [["x1"], ["y1"], ["x2"], ["y2"]]


def test_the_turn_stays_while_a_node_of_the_workstream_is_delayed() -> None:
    scheduler = begun(Node("x", workstream="x"), Node("y", workstream="y"), limits=Limits(mode="hybrid"))
    scheduler.take(1)
    scheduler.release("x")
    assert scheduler.take(1) == []
    assert scheduler.why("y").text == "waits for workstream x, which has the turn"
    scheduler.finish("x", Result.FAILED)
    assert scheduler.take(1) == ["y"]


# -- retries


def test_a_released_node_gives_back_what_it_held_and_waits_until_it_is_requeued() -> None:
    scheduler = begun(Node("a", locks=("db",)), Node("b", locks=("db",)), limits=Limits(slots=1))
    assert scheduler.take(1) == ["a"]
    scheduler.release("a")
    assert scheduler.delayed_count == 1
    assert scheduler.take(1) == ["b"]
    scheduler.finish("b", Result.SUCCEEDED)
    assert scheduler.take(1) == []
    scheduler.requeue("a")
    assert scheduler.take(1) == ["a"]


def test_a_ready_node_can_be_delayed() -> None:
    scheduler = begun(Node("a"))
    scheduler.delay("a")
    assert scheduler.take(1) == []
    scheduler.requeue("a")
    assert scheduler.take(1) == ["a"]


def test_a_move_that_does_not_fit_the_place_is_refused() -> None:
    scheduler = begun(Node("a"), Node("b", ("a",)))
    for move, name in ((scheduler.release, "a"), (scheduler.requeue, "a"), (scheduler.delay, "b")):
        with pytest.raises(ValueError, match=f"{name} is (ready|waiting), not"):
            move(name)


# -- finally, fail_fast, cancel, pause


def test_finally_nodes_run_after_everything_else_whatever_happened() -> None:
    scheduler = begun(
        Node("tidy", is_finally=True),
        Node("report", ("tidy", "a"), is_finally=True, run_if="failure"),
        Node("a"),
        Node("b", ("a",)),
    )
    assert scheduler.why("tidy").kind == "finally"
    assert scheduler.take(9) == ["a"]
    assert scheduler.finish("a", Result.FAILED) == Consequences(("tidy",), (("b", "dependency_failed"),))
    assert scheduler.take(9) == ["tidy"]
    assert scheduler.finish("tidy", Result.FAILED).ready == ("report",)


def test_a_run_of_finally_nodes_only_begins_with_them() -> None:
    assert starts(begun(Node("a", is_finally=True), Node("b", ("a",), is_finally=True))) == [["a"], ["b"]]


FAILING = (
    Node("running", priority=1),
    Node("retrying", priority=1),
    Node("ready"),
    Node("waiting", ("running",)),
    Node("after", ("bad",)),
    Node("repair", ("waiting",), run_if="failure"),
    Node("log", ("ready",), run_if="always"),
    Node("tidy", is_finally=True),
)


def failing(*, fail_fast: bool, critical: bool = True) -> Scheduler:
    nodes = (Node("bad", critical=critical, priority=1), *FAILING)
    scheduler = begun(*nodes, limits=Limits(slots=3, fail_fast=fail_fast))
    assert scheduler.take(9) == ["running", "bad", "retrying"]
    scheduler.release("retrying")
    return scheduler


def test_fail_fast_gives_up_what_needs_success_and_lets_the_rest_run() -> None:
    scheduler = failing(fail_fast=True)
    told = scheduler.finish("bad", Result.FAILED)
    assert told == Consequences(
        ready=("log", "repair"),
        skipped=(("after", "dependency_failed"), ("ready", "fail_fast"), ("waiting", "fail_fast")),
        abort=("running", "retrying"),
    )
    scheduler.validate()
    for name in told.abort:
        assert scheduler.finish(name, Result.CANCELED) == Consequences()
    assert starts(scheduler) == [["repair", "log"], ["tidy"]]


@pytest.mark.parametrize(
    ("fail_fast", "critical", "result"),
    [(False, True, Result.FAILED), (True, False, Result.FAILED), (True, True, Result.CANCELED)],
)
def test_only_a_failed_critical_node_makes_a_run_fail_fast(*, fail_fast: bool, critical: bool, result: Result) -> None:
    told = failing(fail_fast=fail_fast, critical=critical).finish("bad", result)
    assert told == Consequences(skipped=(("after", "dependency_failed"),))


def test_a_resumed_run_goes_on_failing_fast() -> None:
    scheduler = Scheduler([Node("bad"), Node("other")], Limits(fail_fast=True), {"bad": Result.FAILED})
    assert scheduler.begin().skipped == (("other", "fail_fast"),)


def test_a_canceled_run_ends_what_does_not_run_then_runs_its_finally_nodes() -> None:
    scheduler = begun(
        Node("a"), Node("b", ("a",), run_if="always"), Node("c"), Node("d"), Node("tidy", is_finally=True),
        limits=Limits(slots=2),
    )  # fmt: skip
    scheduler.take(2)
    scheduler.release("c")
    assert scheduler.cancel() == Consequences(canceled=("b", "c", "d"))
    assert scheduler.cancel() == Consequences()
    assert scheduler.take(9) == []
    assert scheduler.finish("a", Result.CANCELED) == Consequences(ready=("tidy",))
    assert scheduler.take(9) == ["tidy"]


def test_a_cancel_with_nothing_running_makes_the_finally_nodes_ready_at_once() -> None:
    scheduler = begun(Node("a"), Node("tidy", is_finally=True))
    assert scheduler.cancel() == Consequences(ready=("tidy",), canceled=("a",))


def test_a_second_cancel_ends_the_finally_nodes_that_do_not_run() -> None:
    scheduler = begun(*(Node(name, is_finally=True) for name in "abc"), limits=Limits(slots=1))
    scheduler.take(1)
    assert scheduler.drop_finally() == ("b", "c")
    scheduler.finish("a", Result.SUCCEEDED)
    assert scheduler.is_done


def test_a_held_run_starts_nothing_until_it_goes_on() -> None:
    scheduler = begun(Node("a"))
    scheduler.hold(held=True)
    assert scheduler.take(1) == []
    assert scheduler.why("a").kind == "held"
    scheduler.hold(held=False)
    assert scheduler.take(1) == ["a"]


# -- resuming


def test_what_ended_before_is_taken_into_account_and_not_run_again() -> None:
    nodes = [Node("a"), Node("b", ("a",)), Node("c"), Node("d", ("c",)), Node("tidy", is_finally=True)]
    scheduler = Scheduler(nodes, Limits(), {"a": Result.SUCCEEDED, "c": Result.FAILED})
    assert scheduler.begin() == Consequences(ready=("b",), skipped=(("d", "dependency_failed"),))
    assert starts(scheduler) == [["b"], ["tidy"]]


# -- why


def test_every_wait_says_what_it_waits_for() -> None:
    scheduler = begun(
        Node("a", locks=("db",), cpu=1),
        Node("locked", locks=("db",)),
        Node("hungry", cpu=1.5),
        Node("fat", memory_mb=50),
        Node("thin", memory_mb=60),
        Node("late", ("a", "locked", "hungry", "fat")),
        Node("tidy", is_finally=True),
        Node("after tidy", ("tidy",), is_finally=True),
        limits=Limits(slots=3, cpu=2, memory_mb=100),
    )
    assert scheduler.take(2) == ["a", "fat"]
    assert {name: scheduler.why(name).text for name in ("a", "locked", "hungry", "thin", "late", "tidy")} == {
        "a": "is running",
        "locked": "waits for lock db, held by a",
        "hungry": "waits for 1.5 cpu",
        "thin": "waits for 60 MB of memory",
        "late": "waits for a, locked, hungry and 1 more",
        "tidy": "waits for all other steps to end",
    }
    assert scheduler.why("locked").on == ("a",)
    assert scheduler.why("after tidy").on == ("tidy",)
    scheduler.finish("fat", Result.FAILED)
    assert scheduler.why("late").text == "has ended: dependency_failed"
    assert scheduler.why("thin").kind == "turn"


def test_a_wait_for_a_slot_names_what_runs() -> None:
    scheduler = begun(Node("a"), Node("b"), limits=Limits(slots=1))
    scheduler.take(1)
    wait = scheduler.why("b")
    assert (wait.kind, wait.text, wait.on) == ("slots", "waits for one of 1 slots", ("a",))
