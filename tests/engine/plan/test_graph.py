"""The graph of a plan, as text."""

from engine.plan.graph import graph
from engine.plan.plan import Step

STEPS = [
    Step("format"),
    Step("end", depends_on=("format", "lint")),
    Step("lint"),
    Step("clean", is_finally=True),
]


def test_the_text_shows_levels_and_what_is_waited_for() -> None:
    assert graph(STEPS, "text") == ("level 1\n  format\n  lint\nlevel 2\n  end     ← format, lint\nfinally\n  clean\n")


def test_mermaid_gets_names_that_mean_nothing_to_it() -> None:
    text = graph(STEPS, "mermaid")
    assert text.startswith("flowchart TD\n")
    assert '    n1["end"]\n' in text
    assert "    n0 --> n1\n    n2 --> n1\n" in text
    assert '    n3(["clean"])\n' in text


def test_dot_gets_every_step_and_edge() -> None:
    text = graph(STEPS, "dot")
    assert text.startswith("digraph plan {\n")
    assert text.endswith("}\n")
    assert '    "format" -> "end";\n    "lint" -> "end";\n' in text


def test_no_steps_are_no_trouble() -> None:
    assert graph([], "text") == "\n"
