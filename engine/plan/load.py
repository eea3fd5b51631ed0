"""A plan from its text: the only way in. Everything that is wrong is told at once, with its place."""

import gc
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import PlanError
from engine.plan.plan import Plan
from engine.plan.position import to_problems
from engine.plan.source import decode, read_file, read_object

if TYPE_CHECKING:
    from engine.plan.draft import Draft


def load_plan(path: Path) -> Plan:
    """The plan in a file; raises PlanError for a wrong plan, UserError for a file that cannot be read."""
    return parse_plan(read_file(path), source=str(path))


def parse_plan(text: str | bytes, *, source: str = "plan") -> Plan:
    """The plan in a text; raises PlanError with all of its problems."""
    # They bring Pydantic, which takes longer to load than most commands take: only who reads a plan pays for it.
    from engine.plan.check import check
    from engine.plan.draft import read_document

    text = decode(text, source)
    with _collection_paused():
        draft = read_document(read_object(text, source))
        findings = check(draft)
    if findings:
        raise PlanError(to_problems(findings, text), source=source)
    return _to_plan(draft, text)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """A large plan is very many objects and no garbage: looking for some takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _to_plan(draft: "Draft", text: str) -> Plan:
    header: dict[str, Any] = dict(draft.header)
    return Plan(
        plan_id=header["plan_id"],
        name=header.get("name", ""),
        description=header.get("description", ""),
        variables=draft.variables,
        globals=draft.globals,
        gates=tuple(draft.gates),
        steps=tuple(draft.steps),
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
