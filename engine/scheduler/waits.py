"""Why a node is not running, in words.

Looks at the present state only, and changes nothing: cheap enough to be asked for whatever is on the
screen.
"""

from engine.scheduler.entry import Entry, Place
from engine.scheduler.holds import Holds
from engine.scheduler.lanes import Lanes
from engine.scheduler.node import Wait
from engine.scheduler.queues import Want

_SHOWN = 3


def explain(entry: Entry, holds: Holds, lanes: Lanes, running: tuple[str, ...], *, is_held: bool) -> Wait:
    match entry.place:
        case Place.ENDED:
            return Wait("ended", f"has ended: {entry.reason or entry.result}")
        case Place.RUNNING:
            return Wait("running", "is running")
        case Place.DELAYED:
            return Wait("delay", "waits for its next attempt or for a decision")
        case Place.WAITING:
            return _dependencies(entry)
    if is_held:
        return Wait("held", "waits until the run is resumed")
    return _workstream(entry, lanes) or _hold(entry, holds, running) or _slots(lanes, running)


def _dependencies(entry: Entry) -> Wait:
    missing = tuple(needed.node.id for needed in entry.dependencies if needed.place is not Place.ENDED)
    if entry.node.is_finally and len(missing) < entry.unmet:
        return Wait("finally", "waits for all other steps to end", missing)
    return Wait("dependencies", f"waits for {_listed(missing)}", missing)


def _workstream(entry: Entry, lanes: Lanes) -> Wait | None:
    active = lanes.next_turn()
    if active is None or active is entry.lane:
        return None
    name = active.name or "(none)"
    return Wait("workstream", f"waits for workstream {name}, which has the turn", (name,))


def _hold(entry: Entry, holds: Holds, running: tuple[str, ...]) -> Wait | None:
    want = holds.lacking(entry.queue)
    if want is None:
        return None
    holder = holds.holder(want.name) if want.kind == "lock" else None
    if holder is not None:
        return Wait("lock", f"waits for lock {want.name}, held by {holder}", (holder,))
    if holds.is_kept(want, entry.queue) and holds.favoured is not None:
        favoured = holds.favoured.nodes[0][1].node.id
        return Wait(want.kind, f"{_named(want)} is kept for {favoured}, which has waited longer", (favoured,))
    return Wait(want.kind, f"waits for {_named(want)}", running)


def _slots(lanes: Lanes, running: tuple[str, ...]) -> Wait:
    if len(running) >= lanes.depth:
        return Wait("slots", f"waits for one of {lanes.depth} slots", running)
    return Wait("turn", "can start now")


def _named(want: Want) -> str:
    match want.kind:
        case "lock":
            return f"lock {want.name}"
        case "cpu":
            return f"{want.amount / 1000:g} cpu"
        case "memory":
            return f"{want.amount} MB of memory"


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
