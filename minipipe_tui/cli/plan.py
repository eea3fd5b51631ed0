"""`minipipe plan validate | schema | graph | explain | new`: plans, without running them."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UsageError
from engine.plan.expansion import expand
from engine.plan.explain import Explanation, explain
from engine.plan.graph import graph
from engine.plan.load import load_plan
from engine.plan.plan import Plan, Step, Values
from engine.plan.skeleton import new_plan_text
from engine.plan.variables import bind_variables
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.opening import add_variable_option, variables
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser


def add_arguments(parser: CommandParser) -> None:
    parser.describe("Look at plans without running them.", examples=("minipipe plan validate plans/build.json",))
    actions = parser.add_actions()
    _add_validate(actions.add_parser("validate", help="say everything that is wrong with a plan"))
    schema = actions.add_parser("schema", help="the JSON Schema of plans, for editors")
    schema.describe(
        "Print the JSON Schema of plans, by which editors complete and check them.",
        examples=("minipipe plan schema > plan.schema.json",),
    )
    schema.set_defaults(run=_schema)
    _add_graph(actions.add_parser("graph", help="draw the steps and what depends on what"))
    _add_explain(actions.add_parser("explain", help="say what each step would do, in which order, and why"))
    _add_new(actions.add_parser("new", help="begin a plan"))


def _add_validate(parser: CommandParser) -> None:
    parser.describe(
        "Check a plan. Exit code 2 if anything is wrong, and all of it is said.",
        examples=("minipipe plan validate plans/build.json", "minipipe plan validate plans/build.json --json"),
    )
    parser.add_argument("plan", metavar="PLAN", help="the plan's file")
    parser.add_json_option()
    parser.set_defaults(run=_validate)


def _validate(arguments: argparse.Namespace) -> int:
    plan = load_plan(Path(arguments.plan))
    if arguments.json:
        print_json({"valid": True, "errors": [], "plan_id": plan.plan_id, "steps": len(plan.steps)})
    else:
        print_lines([f"{arguments.plan} is valid: {len(plan.steps)} step{'' if len(plan.steps) == 1 else 's'}"])
    return 0


def _schema(_: argparse.Namespace) -> int:
    from engine.plan.schema import plan_schema

    print_json(plan_schema())
    return 0


def _add_graph(parser: CommandParser) -> None:
    parser.describe("Draw a plan's steps.", examples=("minipipe plan graph plans/build.json --form mermaid",))
    parser.add_argument("plan", metavar="PLAN", help="the plan's file")
    parser.add_argument("--form", choices=("text", "mermaid", "dot"), default="text", help="text, mermaid or dot")
    add_variable_option(parser)
    parser.set_defaults(run=_graph)


def _graph(arguments: argparse.Namespace) -> int:
    _, steps, _ = _read(arguments)
    print_lines([graph(steps, arguments.form).rstrip("\n")])
    return 0


def _add_explain(parser: CommandParser) -> None:
    parser.describe(
        "Say of each step why it would run, after what, and what would be started.",
        examples=("minipipe plan explain plans/build.json --var VERSION=1.2",),
    )
    parser.add_argument("plan", metavar="PLAN", help="the plan's file")
    add_variable_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    plan, steps, values = _read(arguments)
    explanations = explain(plan, steps, values)
    if arguments.json:
        print_json({"plan_id": plan.plan_id, "steps": [each.to_dict() for each in explanations]})
    else:
        print_lines(inert_line(line) for each in explanations for line in _paragraph(each))
    return 0


def _paragraph(step: Explanation) -> Iterator[str]:
    yield f"{step.step_id}  ({'finally' if step.is_finally else f'level {step.level}'})"
    yield f"  {'; '.join(step.why)}"
    if step.argv:
        yield f"  runs: {shlex.join(step.argv)}"
    elif step.tool:
        yield f"  tool: {step.tool}"
    facts = [
        f"locks {', '.join(step.locks)}" if step.locks else "",
        _retries(step.retries),
        f"at most {step.timeout_seconds:g} s" if step.timeout_seconds else "",
    ]
    if any(facts):
        yield f"  {'; '.join(fact for fact in facts if fact)}"


def _retries(count: int | None) -> str:
    return f"{count} {'retry' if count == 1 else 'retries'}" if count else ""


def _read(arguments: argparse.Namespace) -> tuple[Plan, tuple[Step, ...], Values]:
    plan = load_plan(Path(arguments.plan))
    values = bind_variables(plan, variables(arguments), os.environ)
    return plan, expand(plan, values), values


def _add_new(parser: CommandParser) -> None:
    parser.describe(
        "Write a small plan to begin with.",
        examples=("minipipe plan new plans/build.json", "minipipe plan new - | less"),
    )
    parser.add_argument("plan", metavar="PLAN", help="the file to write; `-` for stdout")
    parser.set_defaults(run=_new)


def _new(arguments: argparse.Namespace) -> int:
    if arguments.plan == "-":
        sys.stdout.write(new_plan_text("my-plan"))
        return 0
    path = Path(arguments.plan)
    text = new_plan_text(path.stem)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="name another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    say(f"{path} is written; `minipipe run {path}` runs it")
    return 0
