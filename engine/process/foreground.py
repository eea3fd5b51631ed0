"""A program that a person works with at our terminal, such as an editor. Never for steps."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import SpawnFailed


def run_in_foreground(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> int:
    """Run a program at the terminal and answer its exit code. What it prints is talk: it never mixes with our data.

    A Ctrl-C meant for it does not end us.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        output = None if sys.stdout is not None and sys.stdout.isatty() else sys.__stderr__
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=dict(os.environ if env is None else env), stdout=output, restore_signals=True
        )
        return process.wait()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SpawnFailed(argv[0] if argv else "", why) from error
    finally:
        signal.signal(signal.SIGINT, before)
