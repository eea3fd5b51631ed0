"""What time it is: wall-clock text for people and records, monotonic seconds for waiting.

Durations and deadlines are never computed from wall-clock time: it jumps.
"""

import time
from datetime import UTC, datetime, timedelta

monotonic = time.monotonic


def utc_now() -> str:
    """The present as ISO-8601 in UTC with microseconds and `Z`, the only form in which times are kept."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def seconds_between(earlier: str, later: str) -> float:
    """From one recorded time to another; negative if they stand the other way round."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def utc_after(seconds: float) -> str:
    """The time that it will be after a delay."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:-6] + "Z"
