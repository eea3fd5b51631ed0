"""The graph of expanded steps as text for people, or as source for Mermaid and Graphviz."""

from collections.abc import Iterator, Sequence
from typing import Literal

from engine.plan.order import levels
from engine.plan.plan import Step

Form = Literal["text", "mermaid", "dot"]


def graph(steps: Sequence[Step], form: Form = "text") -> str:
    """The graph in one of its forms, ending with a line break."""
    lines = {"text": _text_lines, "mermaid": _mermaid_lines, "dot": _dot_lines}[form](steps)
    return "\n".join(lines) + "\n"


def _text_lines(steps: Sequence[Step]) -> Iterator[str]:
    level_of = levels(steps)
    width = max((len(step.id) for step in steps), default=0)
    for is_finally in (False, True):
        chosen = [(level, step) for level, step in zip(level_of, steps, strict=True) if step.is_finally == is_finally]
        for number in sorted({level for level, _ in chosen}):
            heading = f"level {number + 1}"
            if is_finally:
                heading = "finally" if number == 0 else f"finally, {heading}"
            yield heading
            yield from (_text_line(step, width) for level, step in chosen if level == number)


def _text_line(step: Step, width: int) -> str:
    waits = f"  ← {', '.join(step.depends_on)}" if step.depends_on else ""
    return f"  {step.id:<{width}}{waits}".rstrip()


def _mermaid_lines(steps: Sequence[Step]) -> Iterator[str]:
    # Ids such as "end" mean something to Mermaid, so its own names are numbers.
    names = {step.id: f"n{number}" for number, step in enumerate(steps)}
    yield "flowchart TD"
    for step in steps:
        before, after = ("([", "])") if step.is_finally else ("[", "]")
        yield f'    {names[step.id]}{before}"{step.id}"{after}'
    for step in steps:
        for other in step.depends_on:
            yield f"    {names[other]} --> {names[step.id]}"


def _dot_lines(steps: Sequence[Step]) -> Iterator[str]:
    yield "digraph plan {"
    yield "    rankdir=LR;"
    yield "    node [shape=box];"
    for step in steps:
        yield f'    "{step.id}"{" [style=rounded]" if step.is_finally else ""};'
    for step in steps:
        for other in step.depends_on:
            yield f'    "{other}" -> "{step.id}";'
    yield "}"
