"""What time it is: wall-clock text for people and records, monotonic seconds for waiting.

Durations and deadlines are never computed from wall-clock time: it jumps.
"""

import time
from datetime import UTC, datetime

monotonic = time.monotonic


def utc_now() -> str:
    """The present as ISO-8601 in UTC with microseconds and `Z`, the only form in which times are kept."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
