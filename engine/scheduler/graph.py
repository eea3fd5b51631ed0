"""The graph of a run: nodes linked to what they need and to what needs them, with the path that lies ahead.

Plans are checked before they get here, so a graph that makes no sense is an error of the caller. `finally`
nodes are linked among themselves only: that all ordinary ones have ended counts as one more dependency.
"""

from collections.abc import Iterable, Sequence

from engine.scheduler.entry import Entry
from engine.scheduler.node import Node


def build(nodes: Sequence[Node]) -> dict[str, Entry]:
    """Linked entries by id, in the order of the plan."""
    entries = {node.id: Entry(node, order) for order, node in enumerate(nodes)}
    if len(entries) != len(nodes):
        raise ValueError("two nodes have the same id")
    for entry in entries.values():
        _link(entry, entries)
    _measure_paths(entries.values())
    return entries


def _link(entry: Entry, entries: dict[str, Entry]) -> None:
    node = entry.node
    for name in dict.fromkeys(node.depends_on) if node.depends_on else ():
        needed = entries.get(name)
        if needed is None:
            raise ValueError(f"{node.id} depends on {name}, which does not exist")
        if needed.node.is_finally and not node.is_finally:
            raise ValueError(f"{node.id} depends on {name}, which runs after everything else")
        if needed.node.is_finally == node.is_finally:
            entry.dependencies.append(needed)
            needed.dependents.append(entry)
    entry.unmet = len(entry.dependencies) + node.is_finally


def _measure_paths(entries: Iterable[Entry]) -> None:
    """Give every entry the longest expected time from its start to the end of the run."""
    for entry in reversed(_in_order(entries)):
        ahead = max([dependent.path for dependent in entry.dependents], default=0.0)
        entry.path = ahead + max(0.0, entry.node.expected_seconds)


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Every entry after what it depends on."""
    missing = [len(entry.dependencies) for entry in entries]
    ordered = [entry for entry in entries if not entry.dependencies]
    for entry in ordered:  # grows while it is walked
        for dependent in entry.dependents:
            missing[dependent.order] -= 1
            if not missing[dependent.order]:
                ordered.append(dependent)
    if len(ordered) != len(missing):
        stuck = next(entry.node.id for entry in entries if missing[entry.order])
        raise ValueError(f"{stuck} depends on itself through others")
    return ordered
