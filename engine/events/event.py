"""One thing that happened: the same record in the database, the audit trail, the bus and on the screen."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple


class Severity(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Event(NamedTuple):
    """A state change or another fact, in the past tense. `seq` is its place in the journal, 0 before that."""

    event_id: str
    timestamp: str
    event_type: str
    severity: str
    entity_type: str
    entity_id: str
    from_state: str | None = None
    to_state: str | None = None
    trigger: str | None = None
    reason: str | None = None
    operator: str | None = None
    run_id: str | None = None
    metadata: Mapping[str, Any] = NOTHING
    seq: int = 0
