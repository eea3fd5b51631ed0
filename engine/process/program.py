"""A short program run to its end, bytes in and bytes out. For git and the like, never for steps."""

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SpawnFailed, ToolError


@dataclass(frozen=True, slots=True)
class Finished:
    exit_code: int
    """Negative for the signal that ended it."""
    output: bytes
    errors: bytes


def run_program(
    argv: Sequence[str | bytes | os.PathLike[str]],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    held: Sequence[int] = (),
    timeout_seconds: float = 30.0,
) -> Finished:
    """Run a program. It keeps the descriptors in `held` open, so that a lock of ours lasts as long as it works."""
    process = _start(argv, cwd, env, held)
    try:
        output, errors = process.communicate(stdin, timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        raise ToolError(f"{_name(argv)} did not answer within {timeout_seconds:g} s", retryable=True) from None
    except BaseException:
        _end(process)
        raise
    return Finished(process.returncode, output, errors)


class _Program(subprocess.Popen[bytes]):
    """A program whose end is noticed at once: where there is a limit, Python itself looks, naps and looks again."""

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None and self.returncode is None and hasattr(os, "pidfd_open"):
            _wait_for_end(self.pid, timeout)
        return super().wait(timeout)


def _wait_for_end(pid: int, seconds: float) -> None:
    with suppress(OSError):
        descriptor, poller = os.pidfd_open(pid), select.poll()
        try:
            poller.register(descriptor, select.POLLIN)
            poller.poll(max(0.0, seconds) * 1000)
        finally:
            os.close(descriptor)


def _start(
    argv: Sequence[str | bytes | os.PathLike[str]], cwd: Path, env: Mapping[str, str], held: Sequence[int]
) -> "subprocess.Popen[bytes]":
    try:
        return _Program(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(held),
            # A Ctrl-C at the terminal is for us to act on, not for a program in the middle of its work.
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SpawnFailed(_name(argv), why) from error


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask first: a killed git leaves its locks behind."""
    process.terminate()
    try:
        process.communicate(timeout=5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _name(argv: Sequence[str | bytes | os.PathLike[str]]) -> str:
    return os.fsdecode(argv[0]) if argv else ""
