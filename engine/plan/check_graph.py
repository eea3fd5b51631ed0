"""Rules about how steps, and gates, depend on one another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from engine.plan.draft import Draft
from engine.plan.expansion import is_loop, item_count, name_items, written_items
from engine.plan.finding import Finding, Path, did_you_mean, quote
from engine.plan.limits import MAX_FINDINGS, MAX_STEPS
from engine.plan.order import cycles, dependency_order
from engine.plan.plan import Gate, Step


@dataclass(slots=True)
class Graph:
    """Written steps by their places, as far as their dependencies make sense."""

    steps: Sequence[Step]
    places: dict[str, int] = field(default_factory=dict)
    """Every id that may be named: of written steps, and of those that written loops become."""
    waits: list[list[int]] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _ancestors: list[int] | None = None

    @property
    def has_cycle(self) -> bool:
        return len(self.order) < len(self.steps)

    def comes_before(self, earlier: int, later: int) -> bool:
        """Whether one step always ends before the other starts."""
        return earlier in self.waits[later] or bool(self._ancestor_bits()[later] >> earlier & 1)

    def _ancestor_bits(self) -> list[int]:
        # One bit a step: unions of whole sets at the speed of adding numbers.
        if self._ancestors is None:
            bits = [0] * len(self.steps)
            for place in self.order:
                for other in self.waits[place]:
                    bits[place] |= bits[other] | 1 << other
            self._ancestors = bits
        return self._ancestors


def graph_findings(draft: Draft) -> Graph:
    """The graph of the steps, with what is wrong in it."""
    graph = Graph(draft.steps)
    graph.findings.extend(_collect_places(draft, graph.places))
    has_finals = any(step.is_finally for step in draft.steps)
    for index, step in enumerate(draft.steps):
        waits = _plain_waits(step, index, graph.places) if not has_finals or step.is_finally else None
        if waits is not None:
            graph.waits.append(waits)
            continue
        waits = []
        if len(graph.findings) < MAX_FINDINGS:
            found = _wait_findings(step, draft, draft.step_path(index), graph.places, waits)
            graph.findings.extend(islice(found, MAX_FINDINGS))
        graph.waits.append(waits)
    graph.order = dependency_order(graph.waits)
    if graph.has_cycle:
        paths = [(*draft.step_path(index), "depends_on") for index in range(len(draft.steps))]
        graph.findings.extend(_cycle_findings("steps", draft.steps, paths, graph.waits, graph.order))
    return graph


def _collect_places(draft: Draft, places: dict[str, int]) -> Iterator[Finding]:
    loops = []
    for index, step in enumerate(draft.steps):
        first = places.setdefault(step.id, index)
        if first != index:
            where = "steps" if first < draft.ordinary_count else "finally"
            number = first if where == "steps" else first - draft.ordinary_count
            message = f"the id {quote(step.id)} is taken by {where}[{number}]"
            yield Finding((*draft.step_path(index), "id"), message, "every step needs an id of its own")
        elif is_loop(step) and 0 < item_count(step) <= MAX_STEPS:
            loops.append(step)
    if sum(item_count(step) for step in loops) > MAX_STEPS:
        return
    names = name_items(draft.steps, {step.id: written_items(step) for step in loops})
    for step_id, expanded in names.items():
        places.update(dict.fromkeys(expanded, places[step_id]))


def _plain_waits(step: Step, index: int, places: Mapping[str, int]) -> list[int] | None:
    """The places that a step waits for, if there is nothing to say about any of them: nearly always."""
    names = step.depends_on
    if len(names) > 1 and len(set(names)) < len(names):
        return None
    try:
        waits = [places[name] for name in names]
    except KeyError:
        return None
    return None if index in waits else waits


def _wait_findings(
    step: Step, draft: Draft, path: Path, places: Mapping[str, int], waits: list[int]
) -> Iterator[Finding]:
    names = step.depends_on
    for number, name in enumerate(names):
        place = places.get(name)
        message = hint = ""
        if place is None:
            message, hint = f"there is no step {quote(name)}", _missing_hint(name, draft, places)
        elif name == step.id:
            message, hint = f"{step.id} depends on itself", "remove it from the list"
        elif draft.steps[place].is_finally and not step.is_finally:
            message = f"{quote(name)} runs at the very end (finally), so {step.id} cannot wait for it"
            hint = 'make both "finally", or neither'
        else:
            waits.append(place)
            continue
        yield Finding((*path, "depends_on", number), message, hint)
    if len(set(names)) < len(names):
        yield from _repeated(names, path)


def _missing_hint(name: str, draft: Draft, places: Mapping[str, int]) -> str:
    for step in draft.steps:
        if isinstance(step.foreach, str) and name.startswith(step.id + "-"):
            return f"depend on {quote(step.id)}, which means all of its steps"
    return did_you_mean(name, places)


def _repeated(names: Sequence[str], path: Path) -> Iterator[Finding]:
    seen = set()
    for number, name in enumerate(names):
        if name in seen:
            yield Finding((*path, "depends_on", number), f"{quote(name)} stands here twice", "once is enough")
        seen.add(name)


def _cycle_findings(
    what: str,
    members: Sequence[Step | Gate],
    paths: Sequence[Path],
    waits: Sequence[list[int]],
    order: list[int],
) -> Iterator[Finding]:
    for cycle in cycles(waits, order):
        ids = [members[place].id for place in [*cycle, cycle[0]]]
        if len(ids) > 12:
            ids = [*ids[:6], "…", *ids[-5:]]
        message = f"{what} form a cycle: {' → '.join(ids)}"
        yield Finding(paths[cycle[0]], message, "each waits for the next; take one of these dependencies out")


def gate_findings(draft: Draft) -> Iterator[Finding]:
    """About the ids and dependencies of gates."""
    places: dict[str, int] = {}
    for index, gate in enumerate(draft.gates):
        if places.setdefault(gate.id, index) != index:
            message = f"the id {quote(gate.id)} is taken by gates[{places[gate.id]}]"
            yield Finding(("gates", index, "id"), message, "every gate needs an id of its own")
    waits: list[list[int]] = []
    for index, gate in enumerate(draft.gates):
        waits.append([places[name] for name in gate.depends_on if name in places and name != gate.id])
        for number, name in enumerate(gate.depends_on):
            path = ("gates", index, "depends_on", number)
            if name not in places:
                yield Finding(path, f"there is no gate {quote(name)}", did_you_mean(name, places))
            elif name == gate.id:
                yield Finding(path, f"{name} depends on itself", "remove it from the list")
    paths: list[Path] = [("gates", index, "depends_on") for index in range(len(waits))]
    yield from _cycle_findings("gates", draft.gates, paths, waits, dependency_order(waits))
