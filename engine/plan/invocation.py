"""What is started when a step starts: references filled in so that no value can become code.

In `command` a value stays within its argument. In `shell` it is never pasted: the text refers to a
parameter, and the value is in the environment. A step's own `env` wins over a variable of the same name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import UserError
from engine.plan.lookup import Lookup, Outputs
from engine.plan.paths import outside_reason
from engine.plan.plan import Gate, Invocation, Scalar, Step, Values
from engine.plan.template import Reference, fill, rewrite_shell

EXPORTED = "MINIPIPE_VALUE_"
"""How the parameters begin that carry outputs and items into a shell."""


def resolve_step(step: Step, values: Values, outputs: Outputs) -> Invocation:
    """The invocation of an expanded step with a command or shell line; UserError if a value is missing."""
    lookup = Lookup(values, outputs, step.item)
    argv, exported = _program(step.command, step.shell, step.id, lookup)
    env = {name: fill(text, lookup) for name, text in step.env.items()}
    return Invocation(argv, _folder(step, lookup), {**exported, **env}, tuple(lookup.used_secrets))


def resolve_gate(gate: Gate, values: Values) -> Invocation:
    """The invocation of a gate, in the top folder of its workspace."""
    lookup = Lookup(values)
    argv, exported = _program(gate.command, gate.shell, gate.id, lookup)
    return Invocation(argv, ".", exported, tuple(lookup.used_secrets))


def resolve_text(
    text: str, values: Values, outputs: Outputs, item: Mapping[str, Scalar] | None = None
) -> tuple[str, tuple[str, ...]]:
    """A text with its references filled in, such as a prompt, and the secret values that are now in it."""
    lookup = Lookup(values, outputs, item or {})
    return fill(text, lookup), tuple(lookup.used_secrets)


def resolve_environment(step: Step, values: Values, outputs: Outputs) -> Invocation:
    """Folder and environment of a step whose argv comes from a tool; the argv is empty."""
    lookup = Lookup(values, outputs, step.item)
    env = {name: fill(text, lookup) for name, text in step.env.items()}
    return Invocation((), _folder(step, lookup), env, tuple(lookup.used_secrets))


def _program(
    command: tuple[str, ...] | None, shell: str | None, owner: str, lookup: Lookup
) -> tuple[tuple[str, ...], dict[str, str]]:
    if command is not None:
        argv = tuple(fill(argument, lookup) for argument in command)
        if not argv[0]:
            raise UserError(f"{owner}: the name of the program is empty once {command[0]} is filled in")
        return argv, {}
    if shell is None:
        raise UserError(f"{owner} has neither command nor shell: its tool decides what is started")
    exports = _Exports(lookup)
    return ("/bin/sh", "-c", rewrite_shell(shell, exports.take)), exports.env


def _folder(step: Step, lookup: Lookup) -> str:
    folder = "." if step.cwd is None else fill(step.cwd, lookup)
    if reason := outside_reason(folder):
        raise UserError(f"{step.id}: cwd: {reason}")
    return folder


@dataclass(slots=True)
class _Exports:
    """The environment of a shell text, collected while its references are met."""

    lookup: Lookup
    env: dict[str, str] = field(default_factory=dict)
    names: dict[Reference, str] = field(default_factory=dict)

    def take(self, reference: Reference) -> str | None:
        if self.lookup.is_variable(reference):
            self.env[reference.name] = self.lookup(reference)
            return reference.name
        if not (reference.is_output or reference.step or reference.name in self.lookup.item):
            return None
        name = self.names.setdefault(reference, f"{EXPORTED}{len(self.names) + 1}")
        self.env[name] = self.lookup(reference)
        return name
