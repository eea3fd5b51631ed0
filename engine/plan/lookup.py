"""What a reference stands for, at the moment when it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import UserError
from engine.plan.plan import Scalar, Values
from engine.plan.template import Reference
from engine.plan.variables import is_usable, scalar_text

Outputs = Mapping[str, Mapping[str, str]]
"""What earlier steps left, by step id and key."""


@dataclass(slots=True)
class Lookup:
    """Finds values for references, and remembers which secret ones it gave away."""

    values: Values
    outputs: Outputs = field(default_factory=dict)
    item: Mapping[str, Scalar] = field(default_factory=dict)
    used_secrets: list[str] = field(default_factory=list)

    def __call__(self, reference: Reference) -> str:
        if reference.is_output:
            return self._output(reference)
        if reference.is_item and (reference.name in self.item or reference.step):
            return self._item(reference)
        return self._variable(reference)

    def is_variable(self, reference: Reference) -> bool:
        return reference.step is None and reference.name in self.values.by_name

    def _item(self, reference: Reference) -> str:
        try:
            return scalar_text(self.item[reference.name])
        except KeyError:
            raise UserError(f"{reference} has no value here", hint="the step has no such matrix axis") from None

    def _variable(self, reference: Reference) -> str:
        try:
            value = self.values.by_name[reference.name]
        except KeyError:
            raise UserError(f"{reference} is not a variable of the plan") from None
        if reference.name in self.values.secret_names and value and value not in self.used_secrets:
            self.used_secrets.append(value)
        return value

    def _output(self, reference: Reference) -> str:
        step, key = str(reference.step), reference.name
        try:
            value = self.outputs[step][key]
        except KeyError:
            left = ", ".join(sorted(self.outputs.get(step, {}))) or "nothing"
            message = f"{reference} has no value: the step {step} left {left}"
            hint = f'let it write a line "{key}=…" into the file $MINIPIPE_OUTPUT'
            raise UserError(message, hint=hint) from None
        if not is_usable(value):
            raise UserError(f"the value of {reference} is not text: it holds a NUL or is not UTF-8")
        return value
