"""The one place that starts a step's program: its own session, no input, all output into one descriptor.

Popen takes the vfork path as long as no `preexec_fn` is given, so that a start costs the same however large
the engine has grown; nothing here may fork the interpreter or start a thread. Who started a program reaps
it by its pid: the Popen object is dropped at once and never waits.
"""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import SpawnFailed
from engine.process.marks import marked

_REASONS = {
    errno.E2BIG: "its arguments and environment are too long for the kernel",
    errno.EACCES: "it is not executable",
    errno.EAGAIN: "the limit of processes is reached",
    errno.ENOENT: "there is no such program",
    errno.ENOEXEC: "it is neither a program nor a script with a #! line",
    errno.ENOMEM: "there is not enough memory",
}


def spawn(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: int, mark: int) -> int:
    """Start a program and return its pid, which leads its own session and group, or SpawnFailed."""
    if not argv:
        raise SpawnFailed("", "the command is empty")
    try:
        with marked(mark):
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        raise SpawnFailed(argv[0], _reason(error, cwd)) from error
    process.returncode = 0  # So that it does not look for a child that is ours to reap.
    return process.pid


def _reason(error: OSError | ValueError, cwd: Path) -> str:
    if not isinstance(error, OSError):
        return str(error)
    if error.filename is not None and os.fspath(error.filename) == os.fspath(cwd):
        return f"its working directory {cwd} is unusable: {error.strerror}"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
