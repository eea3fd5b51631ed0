"""References in texts."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.template import BadReference, Reference, fill, parse_reference, references, rewrite_shell


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("${A}", "<A>"),
        ("x${A}y${b-1.k}z", "x<A>y<b-1.k>z"),
        ("${item}-${matrix.os}", "<item>-<matrix.os>"),
        ("$${A}", "${A}"),
        ("$A $ $$ {A} $(A)", "$A $ $$ {A} $(A)"),
        ("$$${A}", "$${A}"),
    ],
)
def test_references_are_filled_in_and_all_else_stays(text: str, filled: str) -> None:
    assert fill(text, lambda reference: f"<{str(reference)[2:-1]}>") == filled


@pytest.mark.parametrize(
    "text", ["${", "${A", "${}", "${A B}", "${1}", "${a-b}", "${a.b.c}", "${.a}", "${a.}", "${a${b}}"]
)
def test_what_is_no_reference_is_an_error(text: str) -> None:
    with pytest.raises(BadReference):
        references(text)


@given(st.text(), st.text())
def test_a_value_is_never_looked_at_again(before: str, value: str) -> None:
    before = before.replace("$", "")
    assert fill(before + "${A}", lambda _: value) == before + value


@given(st.text())
def test_any_text_is_filled_or_refused(text: str) -> None:
    with suppress(BadReference):
        fill(text, lambda _: "")


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("echo ${a.k}", "echo ${N_a.k}"),
        ("echo $A ${A} ${A%.txt} ${#A}", "echo $A ${A} ${A%.txt} ${#A}"),
        ("$${A} $$ $$A", "${A} $$ $$A"),
        ("${x:-${a.k}}", "${x:-${N_a.k}}"),
    ],
)
def test_shell_text_refers_to_parameters(text: str, rewritten: str) -> None:
    def export(reference: Reference) -> str | None:
        return f"N_{reference.step}.{reference.name}" if reference.step else reference.name

    assert rewrite_shell(text, export) == rewritten


@pytest.mark.parametrize("inner", ["A", "item", "matrix.os", "step-1.key"])
def test_a_reference_reads_as_it_was_written(inner: str) -> None:
    assert str(parse_reference(inner)) == "${" + inner + "}"
