"""The way from a step to its log when secrets must be taken out on the way."""

import os
from collections.abc import Sequence

from engine.clock import monotonic
from engine.masking import StreamMasker

_READ_BYTES = 65536
_DRAIN_SECONDS = 1.0


class MaskedPipe:
    """A pipe that is read by us and written to a log, masked; never blocks or outlives its attempt."""

    def __init__(self, log: int, secrets: Sequence[str]) -> None:
        self._log = log
        self._masker = StreamMasker(secrets)
        self.reader, self.writer = os.pipe()
        self.is_at_end = False
        """Whether every writer has closed it."""
        self._is_writer_ours = True
        os.set_blocking(self.reader, False)

    def close_writer(self) -> None:
        """Leave the writing end to the step alone."""
        if self._is_writer_ours:
            self._is_writer_ours = False
            os.close(self.writer)

    def pump(self) -> bool:
        """Move what is there now; whether there was anything."""
        try:
            piece = os.read(self.reader, _READ_BYTES)
        except BlockingIOError:
            return False
        self.is_at_end = not piece
        self._write(self._masker.feed(piece))
        return bool(piece)

    def finish(self) -> None:
        """Take what the step left in the pipe, but do not wait for somebody else who may hold it open."""
        self.close_writer()
        until = monotonic() + _DRAIN_SECONDS
        while self.pump() and monotonic() < until:
            pass
        self._write(self._masker.flush())
        os.close(self.reader)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._log, data) :]
        except OSError:
            pass  # The disk is full: the step goes on, its output is lost.
