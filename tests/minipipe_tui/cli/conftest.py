"""Events, as the engine would publish them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

RUN_ID = "run_01JD8Q3ZK5XN6W2V7T9R4B1C0M"


@dataclass(frozen=True, slots=True)
class Happening:
    """What progress reads of an event."""

    event_type: str
    entity_type: str
    reason: str | None = None
    to_state: str | None = None
    run_id: str | None = RUN_ID
    metadata: Mapping[str, Any] = field(default_factory=dict)
    timestamp: str = "2026-11-21T12:01:03.000000Z"


@pytest.fixture
def about_run() -> Callable[..., Any]:
    def make(event_type: str, **facts: Any) -> Happening:
        return Happening(event_type, "run", **facts)

    return make


@pytest.fixture
def about_step() -> Callable[..., Any]:
    def make(event_type: str, step_id: str, *, reason: str | None = None, **metadata: Any) -> Happening:
        to_state = metadata.pop("to_state", None)
        return Happening(event_type, "task", reason, to_state, metadata={"step_id": step_id, **metadata})

    return make
