"""The JSON Schema of plan files, made from the forms that check them, for editors that complete."""

from typing import Any

from pydantic import TypeAdapter

from engine.plan.document import PlanForm


def plan_schema() -> dict[str, Any]:
    """A schema of draft 2020-12 that accepts the structure of every plan that loads."""
    schema = _without_titles(TypeAdapter(PlanForm).json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "minipipe plan", **schema}


def _without_titles(node: Any) -> Any:
    """Pydantic makes titles up from names; in editors they would hide the descriptions."""
    if isinstance(node, list):
        return [_without_titles(child) for child in node]
    if isinstance(node, dict):
        return {
            key: _without_titles(child)
            for key, child in node.items()
            if not (key == "title" and isinstance(child, str))
        }
    return node
