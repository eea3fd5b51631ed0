"""minipipe under a wall clock that is off by `SHIFT_SECONDS`; the monotonic clock stays as it is."""

import datetime
import os
import sys
import time

_SHIFT = float(os.environ["SHIFT_SECONDS"])
_time_ns = time.time_ns


class _ShiftedDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_ShiftedDatetime":
        return super().now(tz) + datetime.timedelta(seconds=_SHIFT)


time.time_ns = lambda: _time_ns() + int(_SHIFT * 1e9)
datetime.datetime = _ShiftedDatetime  # type: ignore[misc]

if __name__ == "__main__":
    from minipipe_tui.cli.main import main

    sys.exit(main())
