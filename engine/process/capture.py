"""A short program run for its answer: what it printed and how it ended. For git and the like, never for steps."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import SpawnFailed, ToolError


@dataclass(frozen=True, slots=True)
class Captured:
    exit_code: int
    output: str
    errors: str


def capture(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, timeout_seconds: float = 30.0
) -> Captured:
    """Run a program to its end. `GIT_*` variables of the outside never reach it."""
    outer = os.environ if env is None else env
    clean = {name: value for name, value in outer.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env={**clean, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        raise SpawnFailed(argv[0], error.strerror or str(error)) from error
    except subprocess.TimeoutExpired:
        raise ToolError(f"{argv[0]} did not answer within {timeout_seconds:g} s", retryable=True) from None
    return Captured(
        done.returncode,
        done.stdout.decode(errors="surrogateescape"),
        done.stderr.decode(errors="surrogateescape"),
    )
