"""`minipipe states`: every entity's table of states, from the tables themselves."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from engine.states.machine import StateMachine
from engine.states.tables import MACHINES
from minipipe_tui.cli.output import arrow, print_json, print_lines
from minipipe_tui.cli.parser import CommandParser

Machine = type[StateMachine]


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Print every state that a run, a task, a patch and so on can be in, and where it may go from each.",
        examples=("minipipe states", "minipipe states patch", "minipipe states run --mermaid"),
    )
    parser.add_argument(
        "entity", metavar="ENTITY", nargs="?", choices=list(MACHINES), help=f"only of this: {', '.join(MACHINES)}"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document on stdout, nothing else")
    form.add_argument("--mermaid", action="store_true", help="a stateDiagram-v2 for Mermaid")


def run(arguments: argparse.Namespace) -> int:
    machines = [MACHINES[arguments.entity]] if arguments.entity else list(MACHINES.values())
    if arguments.json:
        print_json({machine.entity: document(machine) for machine in machines})
    elif arguments.mermaid:
        print_lines(_diagram(machines))
    else:
        print_lines(_text(machines))
    return 0


def document(machine: Machine) -> dict[str, Any]:
    """A table as JSON; states that nothing leaves have an empty list."""
    return {
        "initial": str(machine.initial),
        "terminal": list(machine.terminal()),
        "transitions": {state: _next(machine, state) for state in machine.states()},
    }


def _next(machine: Machine, state: str) -> list[str]:
    """Where a state may go, in the order in which the table lists its states."""
    allowed = machine.allowed(state)
    return [other for other in machine.states() if other in allowed]


def _text(machines: Iterable[Machine]) -> Iterator[str]:
    sign = arrow(sys.stdout)
    for number, machine in enumerate(machines):
        if number:
            yield ""
        yield f"{machine.entity}: {_about(machine)}, at first {machine.initial}"
        width = max(map(len, machine.states()))
        for state in machine.states():
            onward = _next(machine, state)
            yield f"  {state:<{width}} " + (f"{sign} {', '.join(onward)}" if onward else "final")


def _about(machine: Machine) -> str:
    text = (machine.__doc__ or machine.entity).strip().rstrip(".")
    return text[0].lower() + text[1:]


def _diagram(machines: list[Machine]) -> Iterator[str]:
    """One diagram; several entities are drawn as one box each."""
    yield "stateDiagram-v2"
    if len(machines) == 1:
        yield from _arrows(machines[0], prefix="", indent="    ")
        return
    for machine in machines:
        yield f"    state {machine.entity} {{"
        yield from _names(machine)
        yield from _arrows(machine, prefix=f"{machine.entity}_", indent="        ")
        yield "    }"


def _names(machine: Machine) -> Iterator[str]:
    """Ids are unique in a whole diagram, so each box gets its own, shown under the state's name."""
    for state in machine.states():
        yield f'        state "{state}" as {machine.entity}_{state}'


def _arrows(machine: Machine, *, prefix: str, indent: str) -> Iterator[str]:
    yield f"{indent}[*] --> {prefix}{machine.initial}"
    for state in machine.states():
        for onward in _next(machine, state):
            yield f"{indent}{prefix}{state} --> {prefix}{onward}"
    for state in machine.terminal():
        yield f"{indent}{prefix}{state} --> [*]"
