"""The table of settings is complete in itself."""

import pytest

from engine.config.keys import ALIASES, SECTIONS, SETTINGS, TYPE_NAMES, Config, config_from, describe_config
from engine.config.values import typed_value

EXPECTED = {
    "run.max_concurrent_steps": 4,
    "run.orchestration_mode": "parallel",
    "run.retries": 0,
    "run.timeout_seconds": 3600.0,
    "run.grace_seconds": 3.0,
    "run.log_cap_mb": 16,
    "run.crash_loop_limit": 20,
    "ui.theme": "dark",
    "follow.poll_interval_seconds": 5.0,
    "db.busy_timeout_seconds": 10.0,
    "daemon.max_concurrent_runs": 4,
}


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_has_a_readable_type_a_fitting_default_and_a_description(key: str) -> None:
    setting = SETTINGS[key]
    assert setting.type in TYPE_NAMES
    assert typed_value(setting, setting.default) == setting.default
    assert type(typed_value(setting, setting.default)) is type(setting.default)
    assert len(setting.limits.says) > 8


def test_the_documented_defaults_hold() -> None:
    assert {key: SETTINGS[key].default for key in EXPECTED} == EXPECTED


def test_the_description_lists_every_setting_with_what_the_configuration_holds() -> None:
    described = {key: default for key, _, default, _ in describe_config()}
    held = {
        f"{section}.{name}": value
        for section in SECTIONS
        for name, value in getattr(Config(), section)._asdict().items()
    }
    assert described == held


def test_older_names_lead_to_settings() -> None:
    assert set(ALIASES.values()) <= set(SETTINGS)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().run.retries = 3  # type: ignore[misc]


def test_given_values_replace_their_defaults_only() -> None:
    config = config_from({"run.retries": 3})
    assert config.run == Config().run._replace(retries=3)
    assert config.daemon == Config().daemon
