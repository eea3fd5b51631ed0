"""The scheduler of one run: told what ended, asked what to start.

Passive: the loop that drives it calls `begin` once, then `take` and `finish` (or `release`, `delay`,
`requeue`) until `is_done`. Every node is in one place and ends once. Order among ready nodes: priority,
raised by waiting; then the longest expected path to the end; then the order of the plan.
"""

from collections.abc import Mapping, Sequence

from engine.scheduler.entry import Entry, Place, Verdict
from engine.scheduler.graph import build
from engine.scheduler.holds import Holds
from engine.scheduler.lanes import Lanes
from engine.scheduler.node import Consequences, Limits, Node, Result, Wait
from engine.scheduler.ripple import Ripple
from engine.scheduler.waits import explain

AGING = 256
"""A node that has waited for this many starts counts as one priority higher than a newcomer."""

_BUSY = frozenset({Place.READY, Place.RUNNING, Place.DELAYED})
_SKIP_RESULT = {Verdict.UNREACHABLE: Result.UNREACHABLE, Verdict.NEEDLESS: Result.SKIPPED}


class Scheduler:
    """Decides what runs when. `ended` are nodes that ended before, in an earlier part of the same run."""

    def __init__(self, nodes: Sequence[Node], limits: Limits, ended: Mapping[str, Result] | None = None) -> None:
        self._limits = limits
        self._holds = Holds(limits)
        self._lanes = Lanes(limits)
        self._entries = build(nodes)
        for entry in self._entries.values():
            entry.lane, entry.queue = self._lanes.place(entry.node, self._holds.demand(entry.node))
        self._counts = dict.fromkeys(Place, 0)
        self._counts[Place.WAITING] = len(nodes)
        self._running: dict[str, None] = {}
        self._starts = 0
        self._ordinary_left = sum(not node.is_finally for node in nodes)
        self._is_finally_open = False
        self._is_failing_fast = False
        self._is_held = False
        self._ended_before = dict(ended or {})

    # -- asked

    def take(self, count: int) -> list[str]:
        """Up to `count` nodes to start now, best first. They are running from here on."""
        taken: list[str] = []
        while len(taken) < count and len(self._running) < self._lanes.depth and not self._is_held:
            entry = self._next()
            if entry is None:
                break
            taken.append(entry.node.id)
        return taken

    def why(self, node_id: str) -> Wait:
        """Why a node is not running."""
        return explain(self._entry(node_id), self._holds, self._lanes, tuple(self._running), is_held=self._is_held)

    def result(self, node_id: str) -> Result | None:
        return self._entry(node_id).result

    @property
    def running(self) -> tuple[str, ...]:
        """In the order in which they started."""
        return tuple(self._running)

    @property
    def ready_count(self) -> int:
        """Ready nodes, those included that wait for a lock, a resource or their lane's turn."""
        return self._counts[Place.READY]

    @property
    def waiting_count(self) -> int:
        return self._counts[Place.WAITING]

    @property
    def delayed_count(self) -> int:
        return self._counts[Place.DELAYED]

    @property
    def ended_count(self) -> int:
        return self._counts[Place.ENDED]

    @property
    def is_done(self) -> bool:
        return self.ended_count == len(self._entries)

    # -- told

    def begin(self) -> Consequences:
        """What is ready, or will never run, at the start."""
        for name, result in self._ended_before.items():
            self._end(self._entry(name), result)
        ended = [entry for entry in self._entries.values() if entry.place is Place.ENDED]
        roots = [entry for entry in self._entries.values() if not entry.unmet]
        is_failing = any(self._fails_fast(entry) for entry in ended)
        return self._follow(ended, roots, is_failing=is_failing)

    def finish(self, node_id: str, result: Result) -> Consequences:
        """A node ended: one that ran, or one that was ready or delayed and will not be started (again)."""
        entry = self._entry(node_id)
        self._end(entry, result)
        return self._follow([entry], is_failing=self._fails_fast(entry))

    def release(self, node_id: str) -> None:
        """A running node lets go of everything; it is neither ready nor ended until told otherwise."""
        entry = self._expect(node_id, Place.RUNNING)
        self._stop(entry)
        self._move(entry, Place.DELAYED)

    def requeue(self, node_id: str) -> None:
        """A delay is over. The node keeps the age it had: it does not queue behind those that came later."""
        self._make_ready(self._expect(node_id, Place.DELAYED))

    def delay(self, node_id: str) -> None:
        """A ready node must wait for something that only the caller knows, such as a pending retry."""
        entry = self._expect(node_id, Place.READY)
        self._move(entry, Place.DELAYED)
        self._holds.withdraw(entry.queue)

    def hold(self, *, held: bool) -> None:
        """Start nothing, or go on."""
        self._is_held = held

    def cancel(self) -> Consequences:
        """End every ordinary node that is not running; `finally` nodes run once the others have ended."""
        canceled = self._end_idle(is_finally=False, reason="canceled")
        followed = self._follow([])
        return Consequences(followed.ready, followed.skipped, followed.abort, canceled)

    def drop_finally(self) -> tuple[str, ...]:
        """End every `finally` node that is not running, and name them."""
        return self._end_idle(is_finally=True, reason="canceled")

    def validate(self) -> None:
        """Assert everything that must hold between any two calls; for tests."""
        found = dict.fromkeys(Place, 0)
        for entry in self._entries.values():
            found[entry.place] += 1
            assert (entry.result is not None) == (entry.place is Place.ENDED)
            assert (entry.node.id in self._running) == (entry.place is Place.RUNNING)
            assert entry.place is not Place.READY or entry.is_queued
            assert entry.place is Place.ENDED or entry.unmet == entry.count_unmet(is_finally_open=self._is_finally_open)
        assert found == self._counts, (found, self._counts)
        assert len(self._running) <= self._lanes.depth
        running = [self._entries[name] for name in self._running]
        self._holds.validate({entry.node.id: entry.queue.demand for entry in running})
        self._lanes.validate(self._entries.values())

    # -- how

    def _entry(self, node_id: str) -> Entry:
        return self._entries[node_id]

    def _expect(self, node_id: str, place: Place) -> Entry:
        entry = self._entry(node_id)
        if entry.place is not place:
            raise ValueError(f"{node_id} is {entry.place}, not {place}")
        return entry

    def _next(self) -> Entry | None:
        """Start the best node that can start."""
        lane = self._lanes.turn()
        while lane is not None and (queue := lane.line.pop()) is not None:
            lacking = self._holds.lacking(queue)
            if lacking is None:
                entry = queue.pop()
                self._move(entry, Place.RUNNING)
                self._running[entry.node.id] = None
                self._starts += 1
                self._holds.take(queue, entry.node.id)
                if queue.nodes:
                    self._holds.line_up(queue)
                return entry
            self._holds.park(queue, lacking)
        return None

    def _move(self, entry: Entry, place: Place) -> None:
        self._counts[entry.place] -= 1
        self._counts[place] += 1
        entry.lane.busy += (place in _BUSY) - (entry.place in _BUSY)
        entry.place = place

    def _stop(self, entry: Entry) -> None:
        del self._running[entry.node.id]
        self._holds.give_back(entry.queue.demand)

    def _make_ready(self, entry: Entry) -> None:
        if entry.key is None:
            # All that wait grow old alike, so their order never changes while they wait. When the wait began
            # is all that counts: a key computed once does what re-sorting at every start would.
            entry.key = (self._starts // AGING - entry.node.priority, -entry.path, entry.order)
        self._move(entry, Place.READY)
        if entry.queue.push(entry.key, entry):
            entry.queue.home.add(entry.queue)
        self._lanes.ask_for_turn(entry.lane)

    def _end(self, entry: Entry, result: Result, reason: str = "") -> None:
        was = entry.place
        if was is Place.ENDED:
            raise ValueError(f"{entry.node.id} has ended already")
        if was is Place.RUNNING:
            self._stop(entry)
        self._move(entry, Place.ENDED)
        if was is Place.READY:
            self._holds.withdraw(entry.queue)
        entry.result, entry.reason = result, reason
        self._ordinary_left -= not entry.node.is_finally

    def _end_idle(self, *, is_finally: bool, reason: str) -> tuple[str, ...]:
        idle = [
            entry
            for entry in self._entries.values()
            if entry.node.is_finally == is_finally and entry.place not in (Place.RUNNING, Place.ENDED)
        ]
        for entry in idle:
            self._end(entry, Result.CANCELED, reason)
        return tuple(entry.node.id for entry in idle)

    # -- what follows

    def _fails_fast(self, entry: Entry) -> bool:
        node = entry.node
        is_fatal = entry.result is Result.FAILED and node.critical and not node.is_finally
        return self._limits.fail_fast and is_fatal and not self._is_failing_fast

    def _follow(self, ended: list[Entry], roots: Sequence[Entry] = (), *, is_failing: bool = False) -> Consequences:
        """Carry the news of what ended through the graph, as far as it reaches."""
        ripple = Ripple(ended)
        for entry in roots:
            self._judge(entry, entry.verdict(), ripple)
        self._spread(ripple)
        if is_failing:
            self._fail_fast(ripple)
            self._spread(ripple)
        if not self._ordinary_left and not self._is_finally_open:
            self._open_finally(ripple)
            self._spread(ripple)
        return ripple.consequences()

    def _spread(self, ripple: Ripple) -> None:
        for entry in ripple.pending:  # grows while it is walked
            assert entry.result is not None
            for dependent in entry.dependents:
                self._judge(dependent, dependent.hear(entry.result), ripple)
        ripple.pending.clear()

    def _judge(self, entry: Entry, verdict: Verdict, ripple: Ripple) -> None:
        if entry.place is not Place.WAITING or verdict is Verdict.WAIT:
            return
        if verdict is Verdict.RUN:
            self._make_ready(entry)
            ripple.ready.append(entry)
        else:
            self._skip(entry, _SKIP_RESULT[verdict], verdict.value, ripple)

    def _skip(self, entry: Entry, result: Result, reason: str, ripple: Ripple) -> None:
        self._end(entry, result, reason)
        ripple.pending.append(entry)
        ripple.skipped.append((entry.node.id, reason))

    def _fail_fast(self, ripple: Ripple) -> None:
        """Give up what needs success; nodes that run after a failure still get their chance."""
        self._is_failing_fast = True
        for entry in self._entries.values():
            if entry.node.is_finally or entry.node.run_if != "success":
                continue
            if entry.place in (Place.RUNNING, Place.DELAYED):
                ripple.abort.append(entry.node.id)
            elif entry.place is not Place.ENDED:
                self._skip(entry, Result.UNREACHABLE, "fail_fast", ripple)

    def _open_finally(self, ripple: Ripple) -> None:
        self._is_finally_open = True
        for entry in self._entries.values():
            if entry.node.is_finally:
                self._judge(entry, entry.hear(Result.SUCCEEDED), ripple)
