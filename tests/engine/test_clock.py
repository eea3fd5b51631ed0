"""Times are text that sorts by time; durations come from a clock that never goes back."""

import re
from datetime import UTC, datetime, timedelta

from engine.clock import monotonic, utc_now


def test_the_present_is_written_in_the_one_form_in_which_times_are_kept() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", utc_now())


def test_the_present_is_now() -> None:
    written = datetime.fromisoformat(utc_now())
    assert written.tzinfo is not None
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


def test_the_clock_for_durations_never_goes_back() -> None:
    moments = [monotonic() for _ in range(1_000)]
    assert moments == sorted(moments)
