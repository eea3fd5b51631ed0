"""Whole drives over random graphs: whatever happens, in whatever order, the rules hold."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.scheduler import Consequences, Limits, Node, Result, Scheduler, holds, scheduler

CPU = 4.0
MEMORY = 400


@dataclass(frozen=True)
class Fate:
    """What a node does when it is started: retries, then its result; or it declines when it is ready."""

    result: Result = Result.SUCCEEDED
    retries: int = 0
    declines: bool = False
    is_delayed: bool = False


@dataclass(frozen=True)
class Case:
    nodes: tuple[Node, ...]
    limits: Limits
    fates: Mapping[str, Fate]
    seed: int


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    fail_fast: bool | None = None,
    modes: tuple[str, ...] = ("sequential", "parallel", "hybrid"),
) -> Case:
    nodes: list[Node] = []
    fates = {}
    is_crowd = draw(st.booleans())
    """Nobody depends on anybody, and everybody wants the same few things."""
    for number in range(draw(st.integers(0, 12))):
        is_finally = draw(st.integers(0, 5)) == 0 and not is_crowd
        possible = [node.id for node in nodes if is_finally or not node.is_finally]
        node = Node(
            f"n{number}",
            depends_on=() if is_crowd or not possible else tuple(draw(st.lists(st.sampled_from(possible), max_size=3))),
            run_if=draw(st.sampled_from(("success", "success", "success", "failure", "always"))),
            is_finally=is_finally,
            critical=draw(st.booleans()),
            priority=draw(st.integers(-1, 1)),
            locks=tuple(draw(st.lists(st.sampled_from("abc"), min_size=int(is_crowd), max_size=3))),
            cpu=draw(st.sampled_from((0.0, 0.0, 0.1, 1.0, 2.5, 9.0))),
            memory_mb=draw(st.sampled_from((0, 0, 100, 300, 900))),
            workstream=draw(st.sampled_from((None, "x", "y"))),
            expected_seconds=draw(st.sampled_from((0.0, 1.0, 5.0))),
        )
        nodes.append(node)
        fates[node.id] = Fate(
            draw(st.sampled_from((Result.SUCCEEDED, Result.SUCCEEDED, Result.FAILED, Result.CANCELED))),
            retries=draw(st.sampled_from((0, 0, 1, 2))),
            declines=draw(st.integers(0, 9)) == 0,
            is_delayed=draw(st.integers(0, 9)) == 0,
        )
    limits = Limits(
        slots=draw(st.integers(1, 4)),
        mode=draw(st.sampled_from(modes)),
        cpu=CPU,
        memory_mb=MEMORY,
        fail_fast=draw(st.booleans()) if fail_fast is None else fail_fast,
    )
    return Case(tuple(nodes), limits, fates, draw(st.integers(0, 2**32)))


@dataclass
class Drive:
    """Plays a run through a scheduler, checking with books of its own that no rule is broken."""

    case: Case
    ended_before: Mapping[str, Result] = field(default_factory=dict)
    stop_at: str = ""
    """`cancel` at some moment, or `cancel twice`."""

    def __post_init__(self) -> None:
        self.nodes = {node.id: node for node in self.case.nodes}
        self.random = random.Random(self.case.seed)
        self.scheduler = Scheduler(self.case.nodes, self.case.limits, self.ended_before)
        self.log: list[tuple[str, ...]] = []
        self.results: dict[str, Result] = dict(self.ended_before)
        self.ready: set[str] = set()
        self.running: list[str] = []
        self.delayed: list[str] = []
        self.unwanted: set[str] = set()
        self.attempts = dict.fromkeys(self.nodes, 0)
        self.moments: list[dict[str, Result]] = []

    def play(self) -> "Drive":
        self.hear(self.scheduler.begin())
        cancel_at = self.random.randrange(len(self.nodes) + 1)
        step = 0
        while not self.scheduler.is_done:
            if self.stop_at and step == cancel_at:
                self.cancel()
            if self.stop_at == "cancel twice" and step == cancel_at + 2:
                self.drop_finally()
            self.decline()
            started = self.start()
            self.check()
            assert started or self.running or self.delayed or self.scheduler.is_done, "nothing will ever happen"
            self.let_something_happen()
            self.check()
            self.moments.append(dict(self.results))
            step += 1
        assert set(self.results) == set(self.nodes)
        assert all(self.scheduler.result(name) is result for name, result in self.results.items())
        assert not [*self.ready, *self.running, *self.delayed]
        return self

    def decline(self) -> None:
        while unwilling := [name for name in sorted(self.ready) if self.case.fates[name].declines]:
            self.end(unwilling[0], Result.SKIPPED)

    def start(self) -> list[str]:
        taken = self.scheduler.take(self.random.randint(1, 3))
        for name in taken:
            self.log.append(("start", name))
            self.ready.remove(name)
            self.running.append(name)
            self.attempts[name] += 1
            node = self.nodes[name]
            before = [n for n in self.nodes if not self.nodes[n].is_finally] if node.is_finally else []
            assert all(needed in self.results for needed in (*node.depends_on, *before))
        return taken

    def let_something_happen(self) -> None:
        for name in sorted(self.ready):
            if self.case.fates[name].is_delayed and self.random.random() < 0.2:
                self.ready.remove(name)
                self.scheduler.delay(name)
                self.delayed.append(name)
                return
        moving = self.running + self.delayed
        if moving:
            self.advance(self.random.choice(moving))

    def advance(self, name: str) -> None:
        if name in self.unwanted:
            self.end(name, Result.CANCELED)
        elif name in self.delayed:
            self.delayed.remove(name)
            self.scheduler.requeue(name)
            self.ready.add(name)
        elif self.attempts[name] <= self.case.fates[name].retries and not self.stop_at:
            self.running.remove(name)
            self.scheduler.release(name)
            self.delayed.append(name)
        else:
            self.end(name, self.case.fates[name].result)

    def end(self, name: str, result: Result) -> None:
        for place in (self.running, self.delayed):
            if name in place:
                place.remove(name)
        self.ready.discard(name)
        self.record(name, result)
        self.hear(self.scheduler.finish(name, result))

    def record(self, name: str, result: Result) -> None:
        assert name not in self.results, "ended twice"
        self.log.append(("end", name, result))
        self.results[name] = result

    def hear(self, consequences: Consequences) -> None:
        self.log.append(("hear", repr(consequences)))
        for name, reason in consequences.skipped:
            assert reason in ("dependency_failed", "run_if", "fail_fast")
            self.ready.discard(name)
            self.record(name, Result.SKIPPED if reason == "run_if" else Result.UNREACHABLE)
        for name in consequences.canceled:
            self.ready.discard(name)
            if name in self.delayed:
                self.delayed.remove(name)
            self.record(name, Result.CANCELED)
        for name in consequences.ready:
            assert name not in self.results
            self.ready.add(name)
        assert set(consequences.abort) <= {*self.running, *self.delayed}
        self.unwanted.update(consequences.abort)

    def cancel(self) -> None:
        self.hear(self.scheduler.cancel())
        ordinary = {name for name in self.nodes if not self.nodes[name].is_finally}
        assert ordinary <= {*self.results, *self.running}

    def drop_finally(self) -> None:
        self.hear(Consequences(canceled=self.scheduler.drop_finally()))

    def check(self) -> None:
        self.scheduler.validate()
        running = [self.nodes[name] for name in self.running]
        limits = self.case.limits
        locks = [lock for node in running for lock in set(node.locks)]
        assert len(locks) == len(set(locks))
        assert sum(min(node.cpu, CPU) for node in running) <= CPU + 1e-9
        assert sum(min(node.memory_mb, MEMORY) for node in running) <= MEMORY
        assert len(running) <= (1 if limits.mode == "sequential" else limits.slots)
        if limits.mode == "hybrid":
            assert len({node.workstream for node in running}) <= 1
        for name in self.nodes:
            kind = self.scheduler.why(name).kind
            assert (kind == "running") == (name in self.running)
            assert (kind == "ended") == (name in self.results)
            assert (kind == "delay") == (name in self.delayed)
            assert (kind in ("dependencies", "finally")) == (
                name not in {*self.running, *self.results, *self.delayed, *self.ready}
            )


@contextmanager
def impatience(patience: int) -> Iterator[None]:
    """Small graphs have few starts: make waiting count soon."""
    with patch.object(holds, "PATIENCE", patience), patch.object(scheduler, "AGING", patience):
        yield


patiences = st.sampled_from((1, 2, 5, 64))


@given(cases(), patiences)
@settings(max_examples=80, deadline=None)
def test_every_run_comes_to_its_end_and_breaks_no_rule(case: Case, patience: int) -> None:
    with impatience(patience):
        Drive(case).play()


@given(cases(), st.sampled_from(("cancel", "cancel twice")), patiences)
@settings(max_examples=50, deadline=None)
def test_a_canceled_run_comes_to_its_end_and_breaks_no_rule(case: Case, stop_at: str, patience: int) -> None:
    with impatience(patience):
        Drive(case, stop_at=stop_at).play()


@given(cases())
@settings(max_examples=20, deadline=None)
def test_the_same_drive_gives_the_same_sequence(case: Case) -> None:
    assert Drive(case).play().log == Drive(case).play().log


@given(cases(fail_fast=False))
@settings(max_examples=50, deadline=None)
def test_skips_are_what_a_naive_reading_of_the_rules_gives(case: Case) -> None:
    assert Drive(case).play().results == naive_results(case)


def naive_results(case: Case) -> dict[str, Result]:
    results: dict[str, Result] = {}
    for node in case.nodes:
        fate = case.fates[node.id]
        failed = [needed for needed in node.depends_on if results[needed] not in (Result.SUCCEEDED, Result.SKIPPED)]
        if node.run_if == "success" and failed and not node.is_finally:
            results[node.id] = Result.UNREACHABLE
        elif node.run_if == "failure" and not failed and not node.is_finally:
            results[node.id] = Result.SKIPPED
        else:
            results[node.id] = Result.SKIPPED if fate.declines else fate.result
    return results


@given(cases(fail_fast=False), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_a_resumed_run_ends_as_the_unbroken_one_does(case: Case, moment: int) -> None:
    whole = Drive(case).play()
    if whole.moments:
        ended = whole.moments[moment % len(whole.moments)]
        resumed = Drive(case, ended_before=ended).play()
        assert resumed.results == whole.results
        assert not {entry[1] for entry in resumed.log if entry[0] == "start"} & set(ended)


@given(cases(fail_fast=False, modes=("parallel",)))
@settings(max_examples=50, deadline=None)
def test_what_starts_is_the_best_of_all_that_could_start(case: Case) -> None:
    drive = Drive(case)
    take, drive.scheduler.take = drive.scheduler.take, lambda count: expect_the_best(drive, take)  # type: ignore[method-assign]
    drive.play()


def expect_the_best(drive: Drive, take: Callable[[int], list[str]]) -> list[str]:
    running = [drive.nodes[name] for name in drive.running]
    locks = {lock for node in running for lock in node.locks}
    cpu = CPU - sum(min(node.cpu, CPU) for node in running)
    memory = MEMORY - sum(min(node.memory_mb, MEMORY) for node in running)
    startable = [
        drive.nodes[name]
        for name in drive.ready
        if not locks & set(drive.nodes[name].locks)
        and min(drive.nodes[name].cpu, CPU) <= cpu + 1e-9
        and min(drive.nodes[name].memory_mb, MEMORY) <= memory
        and len(running) < drive.case.limits.slots
    ]
    best = min(
        startable,
        key=lambda node: (-node.priority, -path(node, drive), drive.case.nodes.index(node)),
        default=None,
    )
    taken = take(1)
    assert taken == ([best.id] if best else [])
    return taken


def path(node: Node, drive: Drive) -> float:
    """The longest expected time from a node's start to the end."""
    after = [other for other in drive.case.nodes if node.id in other.depends_on and other.is_finally == node.is_finally]
    return node.expected_seconds + max((path(other, drive) for other in after), default=0.0)
