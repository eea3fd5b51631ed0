"""Tasks that wait for a moment: retries whose delay is not over yet."""

import heapq

from engine import clock


class Timers:
    """A queue of names by the monotonic time at which each is due."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def set(self, name: str, seconds: float) -> None:
        heapq.heappush(self._queue, (clock.monotonic() + seconds, name))

    def due(self) -> list[str]:
        """Take out what is due by now."""
        now = clock.monotonic()
        names = []
        while self._queue and self._queue[0][0] <= now:
            names.append(heapq.heappop(self._queue)[1])
        return names

    def drain(self) -> list[str]:
        """Take out everything, due or not."""
        names = [name for _, name in sorted(self._queue)]
        self._queue.clear()
        return names

    def seconds_to_next(self) -> float | None:
        return max(0.0, self._queue[0][0] - clock.monotonic()) if self._queue else None
