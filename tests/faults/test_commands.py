"""Commands from another process reach the owner of a run soon; `tests/bench/commands.py` says how soon."""

import signal

import pytest

from engine.api import open_engine
from engine.errors import ActionRefused
from tests.bench.commands import measure
from tests.chaos.workshop import Workshop


def test_a_busy_owner_answers_well_within_a_second() -> None:
    took = measure(20)
    assert took[len(took) // 2] < 0.3
    assert took[-1] < 2.0


def test_an_owner_that_does_not_answer_is_said_not_to_have_and_obeys_later(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.owners.ANSWER_SECONDS", 0.2)
    owner = shop.start("run", str(shop.plan(shop.step("first", "gated"), shop.step("second", depends_on=["first"]))))
    shop.wait_for_start("first")
    owner.signal(signal.SIGSTOP)
    with open_engine(shop.root) as orchestrator, pytest.raises(ActionRefused, match="has not answered yet"):
        orchestrator.pause_run(shop.run_id() or "")
    owner.signal(signal.SIGCONT)
    shop.open_gate()
    assert owner.finish() == 3
