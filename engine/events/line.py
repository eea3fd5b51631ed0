"""An event as one line of JSON, and back.

A line is ASCII without control characters, ends with its only newline, holds the documented keys in the
documented order, and is never longer than the cap: metadata goes first, then the ends of long texts.
Reading never raises: what is not an event is None, and keys that a newer program added are passed over.
"""

import json
from json.encoder import encode_basestring_ascii as _quote
from typing import Any

from engine.events.event import Event

MAX_LINE_BYTES = 64 * 1024

# Twelve texts of this length, each character escaped as two surrogates, still fit under the cap.
_MAX_TEXT = 400

_encode = json.JSONEncoder(separators=(",", ":"), default=str, allow_nan=False).encode

_REQUIRED = ("event_id", "timestamp", "event_type", "severity", "entity_type", "entity_id")
_OPTIONAL = ("from_state", "to_state", "trigger", "reason", "operator", "run_id")


def to_line(event: Event) -> bytes:
    """The line that tells of an event."""
    line = _line(event, _metadata(event), None)
    if len(line) <= MAX_LINE_BYTES:
        return line
    note = _encode({"note": f"left out: the event had {len(line)} bytes"})
    line = _line(event, note, None)
    return line if len(line) <= MAX_LINE_BYTES else _line(event, note, _MAX_TEXT)


def from_line(line: bytes) -> Event | None:
    """The event that a line tells of, None if it tells of none."""
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return _event(facts) if isinstance(facts, dict) else None


def _line(event: Event, metadata: str, cut: int | None) -> bytes:
    # Written out by hand: a fraction of what the general encoder takes for the same bytes.
    text = (
        f'{{"event_id":{_quote(event.event_id[:cut])},"timestamp":{_quote(event.timestamp[:cut])}'
        f',"event_type":{_quote(event.event_type[:cut])},"severity":{_quote(event.severity[:cut])}'
        f',"entity_type":{_quote(event.entity_type[:cut])},"entity_id":{_quote(event.entity_id[:cut])}'
        f',"from_state":{_maybe(event.from_state, cut)},"to_state":{_maybe(event.to_state, cut)}'
        f',"trigger":{_maybe(event.trigger, cut)},"reason":{_maybe(event.reason, cut)}'
        f',"operator":{_maybe(event.operator, cut)},"run_id":{_maybe(event.run_id, cut)}'
        f',"metadata":{metadata},"seq":{int(event.seq)}}}\n'
    )
    # DEL is the one control character that JSON leaves as it is.
    return text.replace("\x7f", "\\u007f").encode("ascii")


def _maybe(text: str | None, cut: int | None) -> str:
    return "null" if text is None else _quote(text[:cut])


def _metadata(event: Event) -> str:
    if not event.metadata:
        return "{}"
    try:
        return _encode(dict(event.metadata))
    except (TypeError, ValueError, RecursionError):
        return _encode({"note": "left out: not JSON"})


def _event(facts: dict[str, Any]) -> Event | None:
    texts: dict[str, Any] = {key: facts.get(key) for key in _REQUIRED + _OPTIONAL}
    metadata = facts.get("metadata", {})
    seq = facts.get("seq", 0)
    if not all(isinstance(text, str) or (text is None and key in _OPTIONAL) for key, text in texts.items()):
        return None
    if not isinstance(metadata, dict) or type(seq) is not int or seq < 0:
        return None
    return Event(**texts, metadata=metadata, seq=seq)
