"""Settings come from the right layer, and what is wrong is said where, what and what would be right."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config.keys import ALIASES, SETTINGS, Config
from engine.config.loading import GIVEN_TO_STEPS, daemon_settings, load_config, user_file
from engine.errors import ConfigError, ExitCode

Write = Callable[..., Path]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / ".minipipe").mkdir(parents=True)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "PATH": "/bin"}


def _write(path: Path, content: str | dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def _problem(repository: Path | None, environ: dict[str, str], **flags: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(repository, environ=environ, flags=flags)
    assert caught.value.exit_code == ExitCode.USAGE
    return caught.value.message


def test_without_any_file_everything_has_its_default(repository: Path, environ: dict[str, str]) -> None:
    assert load_config(repository, environ=environ) == load_config(None, environ={}) == Config()


def test_later_layers_win_one_by_one(repository: Path, environ: dict[str, str]) -> None:
    def theme(**flags: object) -> str:
        return load_config(repository, environ=environ, flags=flags).ui.theme

    assert theme() == "dark"
    _write(repository / "minipipe.toml", '[ui]\ntheme = "of the repository"')
    assert theme() == "of the repository"
    _write(user_file(environ), '[ui]\ntheme = "my own"')
    assert theme() == "my own"
    environ["MINIPIPE_UI_THEME"] = "of the shell"
    assert theme() == "of the shell"
    assert theme(**{"ui.theme": "of the flag"}) == "of the flag"
    assert theme(**{"ui.theme": None}) == "of the shell"


def test_layers_are_merged_key_by_key(repository: Path, environ: dict[str, str]) -> None:
    _write(repository / "minipipe.toml", "[run]\nretries = 2\nlabels = ['gpu']\n[audit]\nkeep = 9")
    _write(user_file(environ), "[run]\ngrace_seconds = 1")
    config = load_config(repository, environ=environ)
    assert (config.run.retries, config.run.labels, config.run.grace_seconds) == (2, ("gpu",), 1.0)
    assert (config.audit.keep, config.run.cpu) == (9, 0)


def test_the_users_file_is_where_xdg_says(tmp_path: Path) -> None:
    assert user_file({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/x/minipipe/config.toml")
    assert user_file({"HOME": "/h"}) == Path("/h/.config/minipipe/config.toml")
    assert user_file({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}) == Path("/h/.config/minipipe/config.toml")


def test_unknown_keys_are_refused_with_file_key_and_what_was_meant(repository: Path, environ: dict[str, str]) -> None:
    file = _write(repository / "minipipe.toml", "[run]\nmax_concurent_steps = 2")
    assert _problem(repository, environ) == (
        f"{file}: run.max_concurent_steps is not a setting; did you mean run.max_concurrent_steps?"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("retries = 2", "retries is not a setting; did you mean run.retries?"),
        ("[rum]\nretries = 2", "rum is not a setting; did you mean run?"),
        ("run = 3", "run is not a setting: it is a group of them, written as [run]"),
        ("poll_interval_seconds = 1", "daemon.poll_interval_seconds or follow.poll_interval_seconds?"),
        ("[zzz]\na = 1", "zzz is not a setting"),
        ("[run]\nretries = 'two'", "run.retries must be a whole number, not 'two'"),
        ("[run]\nretries = true", "run.retries must be a whole number, not True"),
        ("[run]\nretries = -1", "run.retries must be at least 0, not -1"),
        ("[run]\nretries = 1.5", "run.retries must be a whole number, not 1.5"),
        ("[run.retries]\na = 1", "run.retries must be a whole number, not a table"),
        ("[run]\ntimeout_seconds = inf", "run.timeout_seconds must be a number, not inf"),
        ("[run]\ntimeout_seconds = 1e300", "run.timeout_seconds must be at most 31622400"),
        ("[run]\nlabels = 'gpu'", "run.labels must be a list of texts, not 'gpu'"),
        ("[run]\nlabels = ['gpu', 1]", "run.labels must be a list of texts, not ['gpu', 1]"),
        ("[worktrees]\nenabled = 1", "worktrees.enabled must be true or false, not 1"),
        ("[ui]\ntheme = 3", "ui.theme must be a text, not 3"),
        ("[run\n", "line 1"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_plainly(
    repository: Path, environ: dict[str, str], content: str, says: str
) -> None:
    file = _write(repository / "minipipe.toml", content)
    message = _problem(repository, environ)
    assert message.startswith(f"{file}: ")
    assert says in message


def test_everything_that_is_wrong_anywhere_is_said_at_once(repository: Path, environ: dict[str, str]) -> None:
    _write(repository / "minipipe.toml", "[run]\nretries = 'x'\nfoo = 1")
    _write(user_file(environ), "[ui\n")
    _write(repository / "router_config.json", "[1]")
    environ["MINIPIPE_RUN_CPU"] = "many"
    message = _problem(repository, environ, colour="red")
    assert message.startswith("6 problems in the configuration: ")
    for part in (
        "run.retries",
        "run.foo",
        "config.toml",
        "router_config.json",
        "MINIPIPE_RUN_CPU",
        "flag: colour",
    ):
        assert part in message


OWN_ONLY = [key for key, setting in SETTINGS.items() if setting.limits.own_only]


@pytest.mark.parametrize("key", OWN_ONLY)
def test_a_repositorys_file_cannot_set_what_reaches_outside_a_plan(
    repository: Path, environ: dict[str, str], key: str
) -> None:
    section, name = key.split(".")
    is_list = SETTINGS[key].type == tuple[str, ...] and not SETTINGS[key].limits.is_command
    evil = "true" if SETTINGS[key].type is bool else '["EVIL"]' if is_list else '"/evil"'
    content = f"[{section}]\n{name} = {evil}"
    _write(repository / "minipipe.toml", content)
    message = _problem(repository, environ)
    assert f"{key} can be set only in your own file, {user_file(environ)}" in message
    _write(repository / "minipipe.toml", "")
    _write(user_file(environ), content)
    assert load_config(repository, environ=environ) != Config()


def test_commands_places_and_the_environment_are_among_what_only_the_user_sets() -> None:
    assert set(OWN_ONLY) == {
        "daemon.minipipe_command",
        "daemon.log_dir",
        "worktrees.dir",
        "run.env_allow",
        "patches.allow_filters",
        "commits.sign",
        "commits.hooks",
    }


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("MINIPIPE_RUN_MAX_CONCURRENT_STEPS", "8", "run.max_concurrent_steps", 8),
        ("MINIPIPE_RUN_TIMEOUT_SECONDS", "0.5", "run.timeout_seconds", 0.5),
        ("MINIPIPE_RUN_ENV_ALLOW", "A, B,,C ", "run.env_allow", ("A", "B", "C")),
        ("MINIPIPE_SESSIONS_ENABLED", "off", "sessions.enabled", False),
        ("MINIPIPE_WORKTREES_ENABLED", "0", "worktrees.enabled", False),
        ("MINIPIPE_DAEMON_AUTO_CLEANUP_COMPLETED_RUNS", "YES", "daemon.auto_cleanup_completed_runs", True),
        ("MINIPIPE_DAEMON_MINIPIPE_COMMAND", "py -m 'a b'", "daemon.minipipe_command", ("py", "-m", "a b")),
        ("MINIPIPE_ENABLE_TUI", "false", "tui.enabled", False),
        ("MINIPIPE_UI_THEME", "", "ui.theme", "dark"),
    ],
)
def test_the_environment_sets_keys_as_text(
    environ: dict[str, str], variable: str, text: str, key: str, value: object
) -> None:
    config = load_config(None, environ={**environ, variable: text})
    section, name = key.split(".")
    assert getattr(getattr(config, section), name) == value


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        (
            "MINIPIPE_RUN_RETRIES",
            "few",
            "RUN_RETRIES: run.retries must be a whole number, not 'few'",
        ),
        ("MINIPIPE_RUN_TIMEOUT_SECONDS", "nan", "must be a number"),
        ("MINIPIPE_TUI_ENABLED", "maybe", "must be true or false, not 'maybe'"),
        ("MINIPIPE_DAEMON_MINIPIPE_COMMAND", "'open", "is not a command"),
        (
            "MINIPIPE_RUN_RETRYS",
            "1",
            "RUN_RETRYS is not a setting; did you mean MINIPIPE_RUN_RETRIES?",
        ),
        ("MINIPIPE_ENABLE_WORKTREE", "1", "did you mean MINIPIPE_ENABLE_WORKTREES?"),
    ],
)
def test_what_is_wrong_in_the_environment_is_said_plainly(
    environ: dict[str, str], variable: str, text: str, says: str
) -> None:
    assert says in _problem(None, {**environ, variable: text})


def test_what_a_step_is_given_is_not_taken_for_settings(environ: dict[str, str]) -> None:
    given = dict.fromkeys(GIVEN_TO_STEPS, "x") | {"MINIPIPE_VALUE_RUN_RETRIES": "x"}
    assert load_config(None, environ={**environ, **given}) == Config()


def test_variables_that_resemble_no_setting_are_left_to_others(environ: dict[str, str]) -> None:
    assert load_config(None, environ={**environ, "MINIPIPE_DIFF": "0", "MINIPIPELINE": "1"}) == Config()


@pytest.mark.parametrize("value", [3, "3"])
def test_flags_may_be_text_or_typed(environ: dict[str, str], value: object) -> None:
    assert load_config(None, environ=environ, flags={"run.retries": value}).run.retries == 3


@pytest.mark.parametrize("name", ALIASES)
def test_older_names_work_in_every_layer(repository: Path, environ: dict[str, str], name: str) -> None:
    section, key = ALIASES[name].split(".")

    def is_enabled(**layers: Any) -> object:
        return getattr(getattr(load_config(repository, **{"environ": environ, **layers}), section), key)

    assert is_enabled() is True
    assert is_enabled(flags={name: False}) is False
    assert is_enabled(environ={**environ, f"MINIPIPE_{name.upper()}": "no"}) is False
    _write(repository / "minipipe.toml", f"{name} = false")
    assert is_enabled() is False
    _write(repository / "minipipe.toml", "")
    _write(repository / "router_config.json", {name: False})
    assert is_enabled() is False


def test_the_defaults_of_a_router_file_are_read_and_the_rest_of_it_is_not(
    repository: Path, environ: dict[str, str]
) -> None:
    defaults = {
        "use_worktrees": False,
        "worktree_cleanup_on_success": False,
        "worktree_archive_on_failure": False,
        "other": 1,
    }
    _write(repository / "router_config.json", {"defaults": defaults, "rules": [{"tool": "x"}]})
    worktrees = load_config(repository, environ=environ).worktrees
    assert (worktrees.enabled, worktrees.cleanup_on_success, worktrees.archive_on_failure) == (False,) * 3
    _write(repository / "minipipe.toml", "[worktrees]\nenabled = true")
    assert load_config(repository, environ=environ).worktrees.enabled


DAEMON = {
    "max_concurrent_runs": 7,
    "poll_interval_seconds": 2,
    "auto_cleanup_completed_runs": True,
    "log_dir": "logs",
    "minipipe_command": "python -m minipipe_tui",
}


def test_a_daemons_file_is_read_and_the_users_own_wins(repository: Path, environ: dict[str, str]) -> None:
    _write(repository / ".minipipe" / "daemon_config.json", DAEMON)
    daemon = load_config(repository, environ=environ).daemon
    assert daemon == (7, 2.0, True, "logs", ("python", "-m", "minipipe_tui"))
    _write(user_file(environ), "[daemon]\nmax_concurrent_runs = 2")
    assert load_config(repository, environ=environ).daemon.max_concurrent_runs == 2


def test_a_daemons_file_that_a_user_names_can_be_given_on_as_flags(tmp_path: Path, environ: dict[str, str]) -> None:
    file = _write(tmp_path / "mine.json", DAEMON)
    config = load_config(None, environ=environ, flags=daemon_settings(file))
    assert config.daemon.minipipe_command == ("python", "-m", "minipipe_tui")
    with pytest.raises(ConfigError, match="there is no such file"):
        daemon_settings(tmp_path / "missing.json")


def test_an_unknown_key_in_a_daemons_file_is_refused(repository: Path, environ: dict[str, str]) -> None:
    _write(repository / ".minipipe" / "daemon_config.json", {"max_runs": 3, "log_dirr": "x"})
    message = _problem(repository, environ)
    assert "max_runs is not a setting" in message
    assert "did you mean log_dir?" in message


def test_loading_settings_loads_nothing_heavy() -> None:
    code = """
import sys
from pathlib import Path
from engine.config.loading import load_config
load_config(Path(sys.argv[1]), environ={})
heavy = {"pydantic", "tomllib", "sqlite3", "textual", "rich", "subprocess"}
sys.exit(" ".join(heavy & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code, os.devnull], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
