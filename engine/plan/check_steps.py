"""Rules about one step at a time: what it starts, and which names and paths it gives."""

from collections.abc import Iterator, Mapping, Sequence

from engine.plan.condition import check_condition
from engine.plan.draft import Draft
from engine.plan.expansion import item_count, loop_variable
from engine.plan.finding import Finding, Path, did_you_mean, quote
from engine.plan.limits import MAX_STEPS
from engine.plan.names import RESERVED_STEPS, environment_findings, name_findings
from engine.plan.paths import outside_reason
from engine.plan.plan import Backoff, Step

_NO_BACKOFF = Step.__dataclass_fields__["backoff"].default
_WORK = 'give it a "command", a "shell" line, or a "tool"'


def step_findings(step: Step, index: int, draft: Draft) -> Iterator[Finding]:
    """Everything that is wrong with a step by itself."""
    path = draft.step_path(index)
    yield from _name_findings(step, path)
    if index not in draft.broken_steps:
        yield from _work_findings(step, path)
    if step.when is not None and (problem := check_condition(step.when)):
        yield Finding((*path, "when"), problem, "such as: ${OS} == 'linux' and ${build.changed} != 0")
    if step.env:
        for name in step.env:
            yield from environment_findings(name, (*path, "env", name))
    if step.cwd is not None or step.outputs:
        yield from _path_findings(step, path)
    if step.backoff is not _NO_BACKOFF:
        yield from _backoff_findings(step.backoff, path)
    if step.foreach is not None or step.matrix is not None:
        yield from _loop_findings(step, path)
    if step.gates:
        yield from _gate_findings(step.gates, draft, path)


def _name_findings(step: Step, path: Path) -> Iterator[Finding]:
    yield from name_findings(step.id, (*path, "id"))
    if step.id in RESERVED_STEPS:
        yield Finding((*path, "id"), f"${{{step.id}.…}} means a matrix value", "choose another id")
    for key, name in (("kind", step.kind), ("tool", step.tool), ("role", step.role)):
        if name is not None and name != "command":
            yield from name_findings(name, (*path, key))
    if step.workstream is not None and "${" not in step.workstream:
        yield from name_findings(step.workstream, (*path, "workstream"))
    for index, name in enumerate(step.locks):
        if "${" not in name:
            yield from name_findings(name, (*path, "locks", index))


def _work_findings(step: Step, path: Path) -> Iterator[Finding]:
    if step.tool is None and step.prompt is None:
        yield from program_findings(step.command, step.shell, path)
        return
    given = "command" if step.command is not None else "shell" if step.shell is not None else None
    if given is None:
        yield from _tool_findings(step, path)
        return
    yield from program_findings(step.command, step.shell, path)
    if step.prompt is not None:
        yield Finding((*path, "prompt"), f'a "{given}" reads no prompt', f'keep one of "prompt" and "{given}"')
    elif step.tool != given:
        hint = f'leave "tool" out to start the {given} as it stands, or leave "{given}" out'
        yield Finding((*path, "tool"), f'the tool {quote(str(step.tool))} has its own command, beside "{given}"', hint)


def _tool_findings(step: Step, path: Path) -> Iterator[Finding]:
    if step.tool in ("command", "shell"):
        yield Finding(path, f'the tool "{step.tool}" needs a "{step.tool}"', _WORK)
    elif step.tool is None and step.kind == "command":
        hint = 'add "kind": "code_edit", or name the "tool"'
        yield Finding((*path, "prompt"), "nothing says who should answer the prompt", hint)
    if step.prompt is not None and not step.prompt.strip():
        yield Finding((*path, "prompt"), "the prompt is empty")


def program_findings(command: Sequence[str] | None, shell: str | None, path: Path) -> Iterator[Finding]:
    """About `command` and `shell` of a step or gate, of which one should be there."""
    if command is None and shell is None:
        yield Finding(path, "nothing to do", _WORK if path[0] != "gates" else 'give it a "command" or a "shell" line')
    if command is not None and shell is not None:
        yield Finding((*path, "shell"), 'both "command" and "shell" are given', "keep one of the two")
    if command is not None and not command:
        yield Finding((*path, "command"), "the command is empty", 'such as ["pytest", "-q"]')
    elif command is not None and not command[0].strip():
        yield Finding((*path, "command", 0), "the name of the program is empty", 'such as ["pytest", "-q"]')
    if shell is not None and not shell.strip():
        yield Finding((*path, "shell"), "the shell line is empty")


def _path_findings(step: Step, path: Path) -> Iterator[Finding]:
    if step.cwd is not None and (reason := outside_reason(step.cwd)):
        yield Finding((*path, "cwd"), reason)
    for index, output in enumerate(step.outputs):
        if reason := outside_reason(output):
            yield Finding((*path, "outputs", index), reason)


def _backoff_findings(backoff: Backoff, path: Path) -> Iterator[Finding]:
    if backoff.max_seconds < backoff.initial_seconds:
        longest, first = f"{backoff.max_seconds:g}", f"{backoff.initial_seconds:g}"
        message = f"max_seconds ({longest}) is less than initial_seconds ({first})"
        yield Finding((*path, "backoff"), message, "give a larger max_seconds")


def _loop_findings(step: Step, path: Path) -> Iterator[Finding]:
    if step.foreach is not None and step.matrix is not None:
        yield Finding((*path, "matrix"), 'both "foreach" and "matrix" are given', "keep one of the two")
    elif step.matrix is not None:
        yield from _matrix_findings(step.matrix, (*path, "matrix"))
    elif isinstance(step.foreach, str):
        if loop_variable(step) is None:
            hint = 'a list such as ["a", "b"], or one variable such as "${NAMES}"'
            yield Finding((*path, "foreach"), f"{quote(step.foreach)} is not one variable", hint)
    elif not step.foreach:
        yield Finding((*path, "foreach"), "the list is empty", "give it values, or leave it out")
    if item_count(step) > MAX_STEPS:
        yield Finding(path, f"{step.id} becomes {item_count(step):,} steps; at most {MAX_STEPS:,} are allowed")


def _matrix_findings(matrix: Mapping[str, Sequence[object]], path: Path) -> Iterator[Finding]:
    if not matrix:
        yield Finding(path, "the matrix is empty", 'such as {"os": ["linux", "macos"]}')
    for axis, choices in matrix.items():
        yield from environment_findings(axis, (*path, axis))
        if axis == "item":
            yield Finding((*path, axis), '"item" belongs to foreach', "choose another name", at_key=True)
        if not choices:
            yield Finding((*path, axis), "the list is empty", "give it values, or leave the axis out")


def _gate_findings(names: Sequence[str], draft: Draft, path: Path) -> Iterator[Finding]:
    known = draft.gate_ids
    seen: set[str] = set()
    for index, name in enumerate(names):
        place = (*path, "gates", index)
        if name not in known:
            hint = did_you_mean(name, known) or 'write it into the plan\'s "gates"'
            yield Finding(place, f"there is no gate {quote(name)}", hint)
        elif name in seen:
            yield Finding(place, f"the gate {quote(name)} stands here twice", "once is enough")
        seen.add(name)
