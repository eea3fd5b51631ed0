"""The audit trail is damaged or in the way. The run does not care, and the trail heals where it can."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.inspection import violations
from tests.chaos.workshop import Workshop


def cut_last_line(trail: Path) -> None:
    trail.write_bytes(trail.read_bytes()[:-40])


def add_garbage(trail: Path) -> None:
    trail.write_bytes(trail.read_bytes() + bytes(range(256)) * 300)


def add_lines_of_others(trail: Path) -> None:
    trail.write_bytes(trail.read_bytes() + b'{"event": "not ours"}\n\xff\xfe\n')


def remove(trail: Path) -> None:
    trail.unlink()


def empty(trail: Path) -> None:
    trail.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut_last_line, add_garbage, add_lines_of_others, remove, empty])
def test_a_damaged_trail_is_made_whole(shop: Workshop, damage: Callable[[Path], None]) -> None:
    plan = shop.plan(shop.step("only"))
    assert shop.minipipe("run", str(plan)).code == 0
    damage(shop.state / "events.jsonl")
    assert shop.minipipe("resume", "last").code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"only": "completed"}) == []


def test_a_folder_in_the_trails_place_stops_nothing(shop: Workshop) -> None:
    plan = shop.plan(shop.step("only"))
    (shop.state / "events.jsonl").mkdir(parents=True)
    assert shop.minipipe("run", str(plan)).code == 0
    (shop.state / "events.jsonl").rmdir()
    assert shop.minipipe("db", "rebuild-audit").code == 0
    assert violations(shop, shop.run_id() or "", "succeeded", {"only": "completed"}) == []
