"""The order of steps."""

from time import monotonic

from hypothesis import given
from hypothesis import strategies as st

from engine.plan.order import cycles, dependency_order, levels, topological_order
from engine.plan.plan import Step


@st.composite
def acyclic(draw: st.DrawFn) -> list[Step]:
    """Steps in any order, each waiting for some of lower number; the last ones are `finally`."""
    count = draw(st.integers(1, 12))
    ordinary = draw(st.integers(0, count))
    steps = [
        Step(
            f"s{number}",
            depends_on=tuple(f"s{n}" for n in draw(st.sets(st.integers(0, number - 1))) if number) if number else (),
            is_finally=number >= ordinary,
        )
        for number in range(count)
    ]
    return draw(st.permutations(steps))


@given(acyclic())
def test_every_step_comes_once_after_what_it_waits_for_and_finally_steps_last(steps: list[Step]) -> None:
    order = topological_order(steps)
    place = {step_id: index for index, step_id in enumerate(order)}
    by_id = {step.id: step for step in steps}
    assert sorted(order) == sorted(by_id)
    assert all(place[other] < place[step.id] for step in steps for other in step.depends_on)
    flags = [by_id[step_id].is_finally for step_id in order]
    assert flags == sorted(flags)


def test_among_equals_the_plan_decides() -> None:
    steps = [
        Step("z"),
        Step("c", depends_on=("a",)),
        Step("b"),
        Step("a"),
        Step("f", is_finally=True),
        Step("e"),
    ]
    assert topological_order(steps) == ["z", "b", "a", "c", "e", "f"]


def test_many_cycles_are_found_soon() -> None:
    waits = [[place ^ 1] for place in range(20_000)]
    start = monotonic()
    assert len(cycles(waits, dependency_order(waits))) == 10_000
    assert monotonic() - start < 1


def test_levels_count_the_longest_way() -> None:
    steps = [
        Step("a"),
        Step("b", depends_on=("a",)),
        Step("c", depends_on=("a", "b")),
        Step("z", is_finally=True),
    ]
    assert levels(steps) == [0, 1, 2, 0]


@given(st.lists(st.sets(st.integers(0, 7)), min_size=8, max_size=8))
def test_an_order_is_whole_or_there_are_cycles(sets: list[set[int]]) -> None:
    waits = [sorted(others) for others in sets]
    order = dependency_order(waits)
    found = cycles(waits, order)
    assert bool(found) == (len(order) < len(waits))
    for cycle in found:
        assert all(after in waits[place] for place, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
