"""How the outside reaches a running loop: requests from this process, commands from others, and the bell that wakes it.

A request may come from a signal handler or another thread; it is only noted here, and acted on by the loop.
"""

import os
from collections import deque
from dataclasses import dataclass
from typing import Literal

Verb = Literal["pause", "resume", "cancel", "retry"]
VERBS: tuple[Verb, ...] = ("pause", "resume", "cancel", "retry")


@dataclass(frozen=True, slots=True)
class Request:
    """Something that this process asks of its own run."""

    verb: Verb
    operator: str | None = None


class Control:
    """A bell and a slip of paper: `ask` may be called from anywhere, at any time."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque()
        self._readable, self._writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._has_rung = False

    def ask(self, verb: Verb, *, operator: str | None = None) -> None:
        self._requests.append(Request(verb, operator))
        self.ring()

    def ring(self) -> None:
        """Wake the loop, so that it looks around."""
        try:
            os.write(self._writable, b"!")
        except BlockingIOError:
            pass  # it is full of earlier rings: the loop wakes anyway
        # Only now: a ring that is known must be in the pipe already, or its byte would stay there for ever.
        self._has_rung = True

    def fileno(self) -> int:
        return self._readable

    def take(self) -> list[Request]:
        """What was asked since the last time. Silences the bell first, so that a ring from now on is heard again."""
        if not self._has_rung:
            return []
        self._has_rung = False
        try:
            while os.read(self._readable, 4096):
                pass
        except BlockingIOError:
            pass
        requests = []
        while self._requests:
            requests.append(self._requests.popleft())
        return requests

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)
