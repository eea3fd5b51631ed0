"""The environment of a step: a short list of what it may inherit, what the plan says, and who it is.

Everything else stays outside, above all credentials and every `GIT_*` variable.
"""

import os
from collections.abc import Mapping

from engine.executor.runbook import RunScript

INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TERM",
    "NO_COLOR",
    "VIRTUAL_ENV",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
)


def inherited_environment(allowed: tuple[str, ...] = (), *, outer: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every step of a run gets from the environment that minipipe was started in."""
    outer = os.environ if outer is None else outer
    names = {*INHERITED, *allowed}
    return {name: value for name, value in outer.items() if name in names or name.startswith("LC_")}


def run_environment(script: RunScript, run_id: str, *, outer: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every step and gate of a run finds in its environment."""
    return {
        **inherited_environment(script.settings.env_allow, outer=outer),
        "MINIPIPE_RUN_ID": run_id,
        "MINIPIPE_PLAN_ID": script.plan.plan_id,
    }
