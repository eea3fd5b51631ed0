"""In which order steps come: after what they depend on, else as in the plan, `finally` steps last."""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

from engine.plan.plan import Step

Waits = Sequence[Sequence[int]]
"""For each step, by its place, the places of the steps that it waits for."""


def topological_order(steps: Sequence[Step]) -> list[str]:
    """The ids of expanded steps in the order in which one worker would run them."""
    order = dependency_order(waits_of(steps), late=[index for index, step in enumerate(steps) if step.is_finally])
    return [steps[index].id for index in order]


def levels(steps: Sequence[Step]) -> list[int]:
    """How many steps, at least, come before each one on its way; `finally` steps count among themselves."""
    waits = waits_of(steps)
    result = [0] * len(steps)
    for index in dependency_order(waits):
        is_finally = steps[index].is_finally
        before = (result[other] + 1 for other in waits[index] if steps[other].is_finally == is_finally)
        result[index] = max(before, default=0)
    return result


def waits_of(steps: Sequence[Step]) -> Waits:
    """The dependencies of expanded steps as places."""
    places = {step.id: index for index, step in enumerate(steps)}
    return [[places[name] for name in step.depends_on] for step in steps]


def dependency_order(waits: Waits, late: Iterable[int] = ()) -> list[int]:
    """All places, each after those it waits for, the smallest first, and those that are `late` last.

    What is on a cycle, or behind one, is left out.
    """
    count = len(waits)
    ranks = list(range(count))
    for index in late:
        ranks[index] += count
    followers: list[list[int]] = [[] for _ in waits]
    for index, others in enumerate(waits):
        for other in others:
            followers[other].append(index)
    missing = [len(others) for others in waits]
    ready = [ranks[index] for index in range(count) if not missing[index]]
    heapify(ready)
    order = []
    while ready:
        index = heappop(ready) % count
        order.append(index)
        for follower in followers[index]:
            missing[follower] -= 1
            if not missing[follower]:
                heappush(ready, ranks[follower])
    return order


def cycles(waits: Waits, order: Iterable[int]) -> list[list[int]]:
    """Cycles among the places that an order left out, without the closing step; no two share a place."""
    left = set(range(len(waits))).difference(order)
    found = []
    for start in sorted(left):
        walk: list[int] = []
        place = start
        # Whatever is left waits for something that is left or was walked over before.
        while place in left:
            left.remove(place)
            walk.append(place)
            place = next((other for other in waits[place] if other in left or other in walk), -1)
        if place in walk:
            found.append(walk[walk.index(place) :])
    return found
