"""A short program run for its answer: what it printed, as text, and how it ended."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.process.program import run_program


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
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    done = run_program(argv, cwd=cwd, env={**clean, **quiet}, timeout_seconds=timeout_seconds)
    return Captured(
        done.exit_code,
        done.output.decode(errors="surrogateescape"),
        done.errors.decode(errors="surrogateescape"),
    )
