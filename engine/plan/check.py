"""All rules about a whole document. Each finds everything it can; none stops another."""

from collections.abc import Iterator
from itertools import islice

from engine.plan.check_graph import gate_findings, graph_findings
from engine.plan.check_references import reference_findings
from engine.plan.check_steps import program_findings, step_findings
from engine.plan.draft import Draft
from engine.plan.finding import Finding
from engine.plan.limits import MAX_FINDINGS
from engine.plan.names import RESERVED_VARIABLES, environment_findings, name_findings
from engine.plan.paths import outside_reason
from engine.plan.plan import Variable


def check(draft: Draft) -> list[Finding]:
    """Everything that is wrong with a document, in the order of its places."""
    if len(draft.findings) < MAX_FINDINGS:
        draft.findings.extend(islice(_rules(draft), MAX_FINDINGS))
    return draft.findings[:MAX_FINDINGS]


def _rules(draft: Draft) -> Iterator[Finding]:
    yield from _header_findings(draft)
    for name, variable in draft.variables.items():
        yield from _variable_findings(name, variable)
    for index, gate in enumerate(draft.gates):
        yield from name_findings(gate.id, ("gates", index, "id"))
        if index not in draft.broken_gates:
            yield from program_findings(gate.command, gate.shell, ("gates", index))
    yield from gate_findings(draft)
    for index, step in enumerate(draft.steps):
        yield from step_findings(step, index, draft)
    graph = graph_findings(draft)
    yield from graph.findings
    yield from reference_findings(draft, graph)


def _header_findings(draft: Draft) -> Iterator[Finding]:
    yield from name_findings(str(draft.header["plan_id"]), ("plan_id",))
    isolation, use_worktrees = draft.isolation, draft.use_worktrees
    if isolation is not None and use_worktrees is not None and use_worktrees == (isolation == "none"):
        word = "true" if use_worktrees else "false"
        message = f'"use_worktrees": {word} and "isolation": "{isolation}" contradict each other'
        hint = '"use_worktrees": false is the same as "isolation": "none"; keep one of the two'
        yield Finding(("globals", "use_worktrees"), message, hint)
    for index, name in enumerate(draft.globals.worktree.copy_files):
        if reason := outside_reason(name):
            yield Finding(("globals", "worktree", "copy", index), reason)
    for name in draft.globals.env:
        yield from environment_findings(name, ("globals", "env", name))


def _variable_findings(name: str, variable: Variable) -> Iterator[Finding]:
    path = ("variables", name)
    yield from environment_findings(name, path)
    if name in RESERVED_VARIABLES:
        yield Finding(path, f"${{{name}}} means the value of a foreach", "choose another name", at_key=True)
    if variable.env is not None and variable.env != name:
        yield from environment_findings(variable.env, (*path, "env"))
    if variable.default is None:
        return
    if variable.secret:
        hint = 'remove the default; "env": true takes the value from the environment'
        yield Finding((*path, "default"), f"the default of the secret {name} would be stored with the plan", hint)
    elif variable.required:
        hint = 'keep one of "required" and "default"'
        yield Finding((*path, "default"), f"{name} is required, so its default is never used", hint)
