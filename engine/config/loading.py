"""Reads the settings that hold here and now.

Later layers win: defaults, the repository's older JSON files, its `minipipe.toml`, the user's own file, the
environment, flags. Everything that is wrong anywhere is said at once, and nothing is used of a configuration
with a mistake. What the repository's file says is not trusted: it cannot set what reaches outside a plan.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.config.keys import ALIASES, SECTIONS, SETTINGS, Config, config_from
from engine.config.layers import Layers, setting_named
from engine.config.sources import read_json, read_toml
from engine.config.values import typed_value, value_of_text

REPOSITORY_FILE = "minipipe.toml"
ROUTER_FILE = "router_config.json"
DAEMON_FILE = ".minipipe/daemon_config.json"

GIVEN_TO_STEPS = frozenset(
    f"MINIPIPE_{name}"
    for name in (
        *("RUN_ID", "TASK_ID", "STEP_ID", "ATTEMPT", "ATTEMPT_ID", "OUTPUT", "PLAN_ID"),
        *("WORKTREE", "BASE_COMMIT", "PORT", "FEEDBACK", "GATE"),
    )
)
"""What a step finds in its environment: a minipipe that a step starts must not take it for settings."""

_GIVEN_VALUE = "MINIPIPE_VALUE_"

_VARIABLES = {f"MINIPIPE_{key.upper().replace('.', '_')}": key for key in (*SETTINGS, *ALIASES)}

_ROUTER_DEFAULTS = {
    "use_worktrees": "worktrees.enabled",
    "worktree_cleanup_on_success": "worktrees.cleanup_on_success",
    "worktree_archive_on_failure": "worktrees.archive_on_failure",
}
_DAEMON_NAMES = (
    "max_concurrent_runs",
    "poll_interval_seconds",
    "auto_cleanup_completed_runs",
    "log_dir",
    "minipipe_command",
)


def load_config(
    repository: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> Config:
    """The settings that hold in a repository (or in none), for this environment and these flags."""
    layers = Layers()
    own = user_file(environ)
    if repository is not None:
        _add_router_file(layers, repository / ROUTER_FILE)
        _add_daemon_file(layers, repository / DAEMON_FILE)
        _add_toml_file(layers, repository / REPOSITORY_FILE, refuse_own_only=own)
    _add_toml_file(layers, own)
    _add_environment(layers, environ)
    _add_flags(layers, flags or {})
    return config_from(layers.checked())


def daemon_settings(path: Path) -> dict[str, object]:
    """What a daemon's JSON file says, by key; given on as flags when a user names such a file."""
    layers = Layers()
    if not path.exists():
        layers.complain(str(path), "there is no such file")
    _add_daemon_file(layers, path)
    return layers.checked()


def user_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own file is, whether or not it exists."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        folder = f"{environ.get('HOME') or '/nonexistent'}/.config"
    return Path(folder) / "minipipe" / "config.toml"


def _add_toml_file(layers: Layers, path: Path, *, refuse_own_only: Path | None = None) -> None:
    """Add a TOML file; `refuse_own_only` names the file to use instead for what this one may not set."""
    for name, value in _flat(_read(layers, path, read_toml)).items():
        setting = setting_named(name)
        if refuse_own_only is not None and setting is not None and setting.limits.own_only:
            layers.complain(str(path), f"{name} can be set only in your own file, {refuse_own_only}")
        else:
            layers.add(str(path), name, value, typed_value)


def _add_router_file(layers: Layers, path: Path) -> None:
    """Add three defaults and the older names; whatever else the file says is not ours to judge."""
    document = _read(layers, path, read_json)
    defaults = document.get("defaults")
    given = {name: document[name] for name in ALIASES if name in document}
    if isinstance(defaults, dict):
        given |= {key: defaults[name] for name, key in _ROUTER_DEFAULTS.items() if name in defaults}
    for name, value in given.items():
        layers.add(str(path), name, value, typed_value)


def _add_daemon_file(layers: Layers, path: Path) -> None:
    for name, value in _read(layers, path, read_json).items():
        if name in _DAEMON_NAMES:
            layers.add(str(path), f"daemon.{name}", value, typed_value)
        else:
            layers.refuse(str(path), name, _DAEMON_NAMES)


def _add_environment(layers: Layers, environ: Mapping[str, str]) -> None:
    """Add the variables that are settings; an empty one counts as not there."""
    for name in sorted(each for each in environ if each.startswith("MINIPIPE_")):
        if name in _VARIABLES:
            if environ[name]:
                layers.add(name, _VARIABLES[name], environ[name], value_of_text)
        elif _is_meant_as_setting(name):
            layers.refuse("environment", name, _VARIABLES)


def _is_meant_as_setting(name: str) -> bool:
    """Whether an unknown variable is likely a mistake; others of our prefix may be for somebody else."""
    if name in GIVEN_TO_STEPS or name.startswith(_GIVEN_VALUE):
        return False
    section = name.removeprefix("MINIPIPE_").partition("_")[0].lower()
    return section in SECTIONS or bool(get_close_matches(name, _VARIABLES, n=1, cutoff=0.85))


def _add_flags(layers: Layers, flags: Mapping[str, object]) -> None:
    """Add what was given on a command line, as text or as the setting's type; None is what was not given."""
    for name, value in flags.items():
        if value is not None:
            layers.add("flag", name, value, value_of_text if isinstance(value, str) else typed_value)


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document's values by `section.key`; a table that is no section stays whole, to be refused."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in SECTIONS and isinstance(value, dict):
            flat.update((f"{name}.{inner}", inner_value) for inner, inner_value in value.items())
        else:
            flat[name] = value
    return flat


def _read(layers: Layers, path: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    try:
        return read(path)
    except ValueError as error:
        layers.complain(str(path), str(error))
        return {}
