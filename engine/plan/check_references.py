"""Rules about `${…}`: every reference means something, and it is known by the time it is needed."""

from collections.abc import Iterable, Iterator

from engine.plan.check_graph import Graph
from engine.plan.condition import BadCondition, operands, parse_condition
from engine.plan.draft import Draft
from engine.plan.expansion import early_texts, has_early_references, is_loop, loop_variable
from engine.plan.finding import Finding, Path, did_you_mean, quote
from engine.plan.plan import Step
from engine.plan.template import BadReference, Reference, references, shell_references

_FORMS = "write ${NAME} or ${step.key}, or $${ for a literal ${"
_LATE = "outputs are known only once the run is under way; use a variable"


def reference_findings(draft: Draft, graph: Graph) -> Iterator[Finding]:
    """About every reference of the plan."""
    judge = _Judge(draft, graph)
    for name, text in draft.globals.env.items():
        yield from judge.judge_common(("globals", "env", name), _parsed(text))
    for index, gate in enumerate(draft.gates):
        for number, argument in enumerate(gate.command or ()):
            yield from judge.judge_common(("gates", index, "command", number), _parsed(argument))
        if gate.shell is not None:
            own = [reference for reference in shell_references(gate.shell) if reference.step is not None]
            yield from judge.judge_common(("gates", index, "shell"), own)
    for index in range(len(draft.steps)):
        yield from judge.judge_step(index)


def _parsed(text: str) -> list[Reference] | BadReference:
    try:
        return references(text)
    except BadReference as error:
        return error


def _late_texts(step: Step) -> Iterator[tuple[Path, str]]:
    """The texts that are filled in when the step starts."""
    for number, argument in enumerate(step.command or ()):
        yield ("command", number), argument
    for name, text in step.env.items():
        yield ("env", name), text
    if step.cwd is not None:
        yield ("cwd",), step.cwd
    if step.prompt is not None:
        yield ("prompt",), step.prompt


class _Judge:
    """Judges references against one document."""

    def __init__(self, draft: Draft, graph: Graph) -> None:
        self._draft = draft
        self._graph = graph
        self._secrets = {name for name, variable in draft.variables.items() if variable.secret}
        # Texts with nothing but declared variables: right in every step, and in most plans the same few.
        self._sound: set[str] = set()
        # Where steps could not be read whole, what comes before what is not known for certain.
        self._is_order_known = not (draft.broken_steps or graph.has_cycle or graph.findings)

    def judge_common(self, path: Path, found: list[Reference] | BadReference) -> Iterator[Finding]:
        """A text outside of steps, where only variables can be meant."""
        if isinstance(found, BadReference):
            yield Finding(path, str(found), _FORMS)
            return
        for reference in found:
            if reference.step is not None:
                yield Finding(path, f"{reference} has no meaning here: only variables do")
            else:
                yield from self._variable(path, reference)

    def judge_step(self, index: int) -> Iterator[Finding]:
        step = self._draft.steps[index]
        for suffix, text in _late_texts(step):
            if "${" in text and text not in self._sound:
                yield from self._text(index, suffix, text)
        if step.shell is not None and "$" in step.shell:
            yield from self._shell(index, step.shell)
        if step.when is not None:
            yield from self._condition(index, step.when)
        if has_early_references(step):
            for suffix, text in early_texts(step):
                yield from self._early(index, suffix, text)
        if isinstance(step.foreach, str):
            yield from self._loop(index, step)

    def _text(self, index: int, suffix: Path, text: str) -> Iterator[Finding]:
        found = _parsed(text)
        path = self._draft.step_path(index) + suffix
        if isinstance(found, BadReference):
            yield Finding(path, str(found), _FORMS)
        elif all(reference.step is None and reference.name in self._draft.variables for reference in found):
            self._sound.add(text)
        else:
            yield from self._all(index, path, found)

    def _shell(self, index: int, text: str) -> Iterator[Finding]:
        own = [reference for reference in shell_references(text) if reference.step is not None]
        yield from self._all(index, (*self._draft.step_path(index), "shell"), own)

    def _condition(self, index: int, when: str) -> Iterator[Finding]:
        try:
            texts = list(operands(parse_condition(when)))
        except BadCondition:
            return  # said by the rules about the step itself
        for text in texts:
            found = _parsed(text)
            if not isinstance(found, BadReference):
                yield from self._all(index, (*self._draft.step_path(index), "when"), found)

    def _early(self, index: int, suffix: Path, text: str) -> Iterator[Finding]:
        path = self._draft.step_path(index) + suffix
        yield from self._text(index, suffix, text)
        found = _parsed(text)
        for reference in found if isinstance(found, list) else ():
            if reference.is_output:
                yield Finding(path, f"{reference} is not known before the run starts", _LATE)
            elif reference.step is None and reference.name in self._secrets:
                yield Finding(path, f"the secret {reference.name} would be shown here", "use another variable")

    def _loop(self, index: int, step: Step) -> Iterator[Finding]:
        path = (*self._draft.step_path(index), "foreach")
        try:
            name = loop_variable(step)
        except BadReference:
            return
        if name is None:
            return
        yield from self._variable(path, Reference(name))
        if name in self._secrets:
            yield Finding(path, f"the secret {name} would be shown in the ids of steps", "use another variable")

    def _all(self, index: int, path: Path, found: Iterable[Reference]) -> Iterator[Finding]:
        for reference in dict.fromkeys(found):
            if reference.is_item:
                yield from self._item(index, path, reference)
            elif reference.is_output:
                yield from self._output(index, path, reference)
            else:
                yield from self._variable(path, reference)

    def _variable(self, path: Path, reference: Reference) -> Iterator[Finding]:
        known = self._draft.variables
        if reference.name not in known:
            hint = did_you_mean(reference.name, known) or 'declare it in the plan\'s "variables"'
            yield Finding(path, f"there is no variable {quote(reference.name)}", hint)

    def _item(self, index: int, path: Path, reference: Reference) -> Iterator[Finding]:
        step = self._draft.steps[index]
        if index in self._draft.broken_steps:
            return
        if reference.step is None and step.foreach is None:
            yield Finding(path, f"{reference} has no meaning without a foreach", 'add "foreach" to the step')
        elif reference.step is not None and step.matrix is None:
            yield Finding(path, f"{reference} has no meaning without a matrix", 'add "matrix" to the step')
        elif step.matrix is not None and reference.step is not None and reference.name not in step.matrix:
            hint = did_you_mean(reference.name, step.matrix) or f"it has {', '.join(step.matrix)}"
            yield Finding(path, f"the matrix has no axis {quote(reference.name)}", hint)

    def _output(self, index: int, path: Path, reference: Reference) -> Iterator[Finding]:
        name = str(reference.step)
        steps, place = self._draft.steps, self._graph.places.get(name)
        if place is None:
            yield Finding(path, f"{reference}: there is no step {quote(name)}", did_you_mean(name, self._graph.places))
        elif place == index:
            yield Finding(path, f"{reference}: a step cannot use its own outputs")
        elif steps[place].id == name and is_loop(steps[place]):
            hint = f"name one of them, such as {self._example(place)}"
            yield Finding(path, f"{reference}: {name} becomes several steps, each with outputs of its own", hint)
        elif not self._is_before(place, index):
            hint = f'add "{name}" to its "depends_on"'
            yield Finding(path, f"{reference}: {name} need not be over by then", hint)

    def _example(self, place: int) -> str:
        ids = (name for name, other in self._graph.places.items() if other == place)
        return next((name for name in ids if name != self._draft.steps[place].id), "${step-value.key}")

    def _is_before(self, earlier: int, later: int) -> bool:
        if not self._is_order_known:
            return True
        steps = self._draft.steps
        if steps[later].is_finally and not steps[earlier].is_finally:
            return True
        return self._graph.comes_before(earlier, later)
