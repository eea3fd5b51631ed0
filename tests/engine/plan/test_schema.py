"""The JSON Schema says the same as the forms."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import PlanError
from engine.plan.load import parse_plan
from engine.plan.schema import plan_schema
from engine.plan.skeleton import new_plan_text

SCHEMA = plan_schema()
EXAMPLES = sorted((Path(__file__).parents[3] / "plans").glob("**/*.json"))
TYPES: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "integer": int,
    "number": (int, float),
}


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as the plan's schema uses."""
    if "$ref" in schema:
        return accepts(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], value)
    if "anyOf" in schema:
        return any(accepts(choice, value) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(is_of_type(value, kind) for kind in kinds) and all(check(schema, value) for check in CHECKS)


def is_of_type(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def fits_object(schema: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, dict):
        return True
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key, member in value.items():
        part = properties.get(key, rest)
        if part is False or (isinstance(part, dict) and not accepts(part, member)):
            return False
    return set(schema.get("required", [])) <= value.keys()


def fits_list(schema: dict[str, Any], value: Any) -> bool:
    if not isinstance(value, list):
        return True
    is_sized = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9)
    return is_sized and all(accepts(schema["items"], item) for item in value)


def fits_scalar(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        is_over = value > schema.get("exclusiveMinimum", -1e300)
        return bool(is_over and schema.get("minimum", -1e300) <= value <= schema.get("maximum", 1e300))
    return True


CHECKS = (fits_object, fits_list, fits_scalar)


def objects(node: Any) -> list[dict[str, Any]]:
    """Every schema of an object with named members."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = [node] if isinstance(node, dict) and isinstance(node.get("properties"), dict) else []
    return own + [found for child in children for found in objects(child)]


def test_every_key_is_described_and_no_other_is_allowed() -> None:
    assert len(objects(SCHEMA)) == 9
    for schema in objects(SCHEMA):
        assert schema["additionalProperties"] is False
        assert schema["description"]
        assert all("description" in member or "$ref" in member for member in schema["properties"].values())


def test_the_schema_is_plain_json_and_names_its_dialect() -> None:
    assert json.loads(json.dumps(SCHEMA))["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "finally" in SCHEMA["properties"]


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_is_a_plan_and_fits_the_schema(path: Path) -> None:
    assert parse_plan(path.read_bytes(), source=str(path))
    assert accepts(SCHEMA, json.loads(path.read_text()))


def test_the_first_plan_fits_the_schema() -> None:
    assert accepts(SCHEMA, json.loads(new_plan_text("first")))


SCALARS: list[Any] = [None, True, 0, 1, 1.5, -1, 10**6, "x", "success", "${V}"]
LISTS: list[Any] = [[], ["x"], [1], [None]]
OBJECTS: list[Any] = [{}, {"a": "b"}, {"a": ["x"]}, {"cpu": 1}, {"factor": 0.5}, {"include": ["x"]}]
VALUES = st.sampled_from([*SCALARS, *LISTS, *OBJECTS])
STEP_KEYS = sorted(SCHEMA["$defs"]["StepForm"]["properties"])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*STEP_KEYS, "other"]), VALUES, max_size=3))
def test_whatever_loads_fits_the_schema(step: dict[str, Any]) -> None:
    document = {"version": "1.0", "plan_id": "p", "steps": [{"id": "a"} | step], "variables": {"V": {}}}
    try:
        parse_plan(json.dumps(document))
    except PlanError:
        return
    assert accepts(SCHEMA, document)


@pytest.mark.parametrize(
    "step",
    [
        {"retries": "3"},
        {"other": 1},
        {"run_if": "x"},
        {"command": []},
        {"foreach": []},
        {"id": "a.b"},
        {"backoff": 1},
    ],
)
def test_what_is_wrong_in_form_fits_neither(step: dict[str, Any]) -> None:
    document = {"version": "1.0", "plan_id": "p", "steps": [{"id": "a", "command": ["x"]} | step]}
    assert not accepts(SCHEMA, document)
    with pytest.raises(PlanError):
        parse_plan(json.dumps(document))
