"""Ids: a prefix that says what the thing is, and a ULID that is unique and sorts by time.

Ids made by one process grow strictly, also within one millisecond.
"""

import os
import re
import threading
import time

PREFIXES = {
    "run": "run",
    "task": "task",
    "attempt": "att",
    "patch": "pat",
    "session": "ses",
    "event": "evt",
    "gate": "gat",
    "gap": "gap",
    "worker": "wrk",
    "workstream": "wst",
    "command": "cmd",
    "review": "rev",
    "comment": "cmt",
    "transition": "trn",
}

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_lock = threading.Lock()
_last_millisecond = 0
_last_tail = 0
_stem = ""


def new_id(kind: str) -> str:
    """A fresh id for a kind of thing, such as `run_01J…`."""
    return f"{PREFIXES[kind]}_{_ulid()}"


def is_safe_name(text: str) -> bool:
    """Whether a name from outside may become part of an id or a path: no dots, slashes or spaces, at most 64 long."""
    return _NAME.fullmatch(text) is not None


def _ulid() -> str:
    """48 bits of milliseconds and 80 random bits in Crockford's base 32."""
    global _last_millisecond, _last_tail, _stem
    millisecond = time.time_ns() // 1_000_000
    with _lock:
        if millisecond > _last_millisecond:
            _last_millisecond = millisecond
            # The top bit is left free, so that counting on from here never overflows.
            _last_tail = int.from_bytes(os.urandom(10)) >> 1
            _stem = _encode(millisecond, 5) + _encode(_last_tail >> 10, 7)
        else:
            # Same millisecond, or a clock set back: go on counting, so that order is kept.
            _last_tail += 1
            if not _last_tail & 0x3FF:
                _stem = _stem[:10] + _encode(_last_tail >> 10, 7)
        return _stem + _PAIRS[_last_tail & 0x3FF]


def _encode(number: int, pairs: int) -> str:
    return "".join([_PAIRS[number >> shift & 0x3FF] for shift in range(10 * (pairs - 1), -1, -10)])
