"""What commands begin with: the store, where it is not there yet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExitCode

Cli = Callable[..., Any]

LOOKS = ["runs", "review list", "patch list", "status"]


@pytest.fixture(params=["no database", "one that is just being made"])
def just_begun(request: pytest.FixtureRequest, repo: Path) -> None:
    """A folder as another process finds it while the first run there is only beginning."""
    if request.param != "no database":
        (repo / ".minipipe").mkdir()
        (repo / ".minipipe" / "state.db").touch()


@pytest.mark.parametrize("line", LOOKS)
def test_where_nothing_was_recorded_yet_there_is_nothing_to_list(just_begun: None, here: Cli, line: str) -> None:
    ended = here(*line.split(), "--json")
    assert ended.code == 0
    assert "error" not in ended.document
    assert here(*line.split()).code == 0


def test_the_doctor_finds_nothing_wrong_with_it(just_begun: None, here: Cli) -> None:
    checks = {check["name"]: check for check in here("doctor", "--json").document["checks"]}
    assert checks["database"]["message"] == "there is no database yet"
    assert checks["interrupted_runs"]["state"] == "ok"


@pytest.mark.parametrize("line", ["show", "patch show last", "db check"])
def test_what_asks_for_one_thing_says_that_nothing_is_there(just_begun: None, here: Cli, line: str) -> None:
    ended = here(*line.split(), "--json")
    assert (ended.code, ended.document["error"]["code"]) == (ExitCode.UNFIT, "NoDatabase")
    assert "there is no database" in here(*line.split()).err
