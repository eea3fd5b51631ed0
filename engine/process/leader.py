"""The process that an attempt started: has it ended, and with which code.

The kernel's pidfd makes the end a readable descriptor, so one selector waits for all children and no
thread, signal handler or timer does. Where there is none the same question is asked now and then. The
process stays a zombie until `reap`, so that its pid cannot be given to another one while its family is
still being ended.
"""

import os

POLL_SECONDS = 0.02


class Leader:
    """A child of ours; asked by whoever runs the attempt."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.descriptor = _exit_descriptor(pid)
        """Readable once the process has ended; None where that must be polled."""
        self._has_ended = False
        self._exit_code: int | None = None

    def has_ended(self) -> bool:
        """Whether it is over, without waiting."""
        if not self._has_ended:
            self._has_ended = self._look()
        return self._has_ended

    def reap(self) -> int | None:
        """Its exit code, negative for a signal; None if other code took it or it still runs."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self._wait()
        return self._exit_code

    def _look(self) -> bool:
        if self.descriptor is None:
            return self._wait()
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _wait(self) -> bool:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid:
            self._exit_code = os.waitstatus_to_exitcode(status)
        return pid != 0


def _exit_descriptor(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):  # An old kernel, another system, or no descriptor left.
        return None
