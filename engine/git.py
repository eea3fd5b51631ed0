"""The git program, as far as it is needed before anything is captured: is it there, which one, does it answer.

Every call is fenced: nothing of the repository's or the user's configuration makes it start another program, and it
never asks anybody anything. A missing git is an unfit environment, never a failed step.
"""

import re
from pathlib import Path

from engine.errors import EnvironmentUnfit, SpawnFailed
from engine.process.capture import Captured, capture

OLDEST = (2, 38)
"""The first version whose `merge-tree` merges without a working tree."""

_FENCE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def ask_git(*words: str, cwd: Path) -> Captured:
    """Run git for its answer, whatever its exit code."""
    try:
        return capture(["git", *_FENCE, *words], cwd=cwd)
    except SpawnFailed as error:
        raise EnvironmentUnfit(error.message, hint="install git, or put it on the PATH") from error


def tell_git(*words: str, cwd: Path) -> None:
    """Run git for its effect; a refusal is an unfit environment."""
    done = ask_git(*words, cwd=cwd)
    if done.exit_code != 0:
        said = done.errors.strip().splitlines() or [f"exit code {done.exit_code}"]
        raise EnvironmentUnfit(f"git {words[0]} failed in {cwd}: {said[-1]}")


def git_version(cwd: Path) -> tuple[int, ...]:
    """Major, minor and so on; empty if git says something else."""
    found = re.search(r"\d+(\.\d+)+", ask_git("--version", cwd=cwd).output)
    return tuple(map(int, found[0].split("."))) if found else ()


def has_commit(cwd: Path) -> bool:
    """Whether there is a commit to start from."""
    return ask_git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", cwd=cwd).exit_code == 0
