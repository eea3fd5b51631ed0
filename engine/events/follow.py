"""How a process learns that another one has written something, without asking again and again.

A poke where a socket can be made, a watch on the state folder where it cannot, and in both cases a slow
safety poll, for file systems that are shared with other machines. What is new the caller reads itself, after
each True. A signal that was made before the first reading misses nothing.
"""

import math
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from engine.clock import monotonic
from engine.events.poke import EVENTS, PokeListener

WAKE_FOLDER = "wake"
POLL_INTERVAL_SECONDS = 5.0


class ChangeSignal:
    """Waits for "look now", on one thread; any other may call `wake`."""

    def __init__(
        self, state_folder: Path, *, role: str = EVENTS, poll_interval_seconds: float = POLL_INTERVAL_SECONDS
    ) -> None:
        self._interval = poll_interval_seconds
        self._next_poll = monotonic() + poll_interval_seconds
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._inner, select.POLLIN)
        self._listener = PokeListener(state_folder / WAKE_FOLDER, role)
        self._watch: _FolderWatch | None = None
        if self._listener.is_open:
            self._poll.register(self._listener, select.POLLIN)
        else:
            self._watch = _FolderWatch(state_folder, self.wake)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until there may be something new (True) or the time is over (False)."""
        left = max(0.0, self._next_poll - monotonic())
        limit = left if timeout is None else max(0.0, min(timeout, left))
        was_woken = bool(self._poll.poll(math.ceil(limit * 1000)))
        if not was_woken and monotonic() < self._next_poll:
            return False
        self._drain()
        self._next_poll = monotonic() + self._interval
        return True

    def wake(self) -> None:
        """End the wait that is going on, or the next one."""
        try:
            self._outer.send(b"!")
        except OSError:
            # Full: it will wake anyway. Closed: nobody waits any more.
            pass

    def close(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._listener.close()
        self._inner.close()
        self._outer.close()

    def _drain(self) -> None:
        self._listener.drain()
        try:
            while self._inner.recv(4096):
                pass
        except BlockingIOError:
            pass


class _FolderWatch:
    """Calls back, from its own thread, when a file in a folder changed."""

    def __init__(self, folder: Path, on_change: Callable[[], None]) -> None:
        self._folder = folder
        self._on_change = on_change
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="minipipe-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            self._watch()
        # The boundary to a library that meets the system's limits: without it the safety poll remains.
        except Exception:  # noqa: BLE001
            return

    def _watch(self) -> None:
        # Only here, because it takes longer to load than everything else in this room.
        from watchfiles import watch

        changes = watch(
            self._folder,
            watch_filter=None,
            debounce=100,
            rust_timeout=0,
            recursive=False,
            raise_interrupt=False,
            stop_event=self._is_over,
        )
        for _ in changes:
            self._on_change()
