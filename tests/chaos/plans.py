"""Random plans whose end is known: chains, fan-out, retries, steps that fork away, values, `finally`."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.workshop import Json, Workshop

KINDS = ("plain", "plain", "plain", "flaky", "forking", "scrubbing", "stubborn", "giving", "writing")
PATCH_KINDS = ("writing", "writing", "learning", "plain", "failing", "two")
_RETRIES: Json = {"retries": 2, "backoff": {"initial_seconds": 0.02, "jitter": 0.0}}


@dataclass
class Expectation:
    """A plan's file, and how a run of it must end, however often it is interrupted."""

    path: Path
    state: str = "succeeded"
    steps: dict[str, str] = field(default_factory=dict)


def random_plan(shop: Workshop, random: Random, *, steps: int = 12) -> Expectation:
    """A plan of about so many steps."""
    made: list[Json] = []
    states: dict[str, str] = {}
    givers: list[str] = []
    for number in range(steps):
        step_id = f"s{number}"
        kind = random.choice(KINDS)
        before = random.sample(sorted(states), k=min(len(states), random.choice((0, 1, 1, 2))))
        made.append(_step(shop, random, step_id, kind, before))
        states[step_id] = "completed"
        givers += [step_id] if kind == "giving" else []
    for giver in givers:
        reader = f"reads-{giver}"
        made.append(shop.step(reader, "reading", 0.01, f"${{{giver}.made}}", depends_on=[giver]))
        states[reader] = "completed"
    is_fatal = random.random() < 0.2
    made.append(shop.step("fails", "failing", 0.02, critical=is_fatal))
    made.append(shop.step("unreached", depends_on=["fails"], critical=False))
    states |= {"fails": "failed", "unreached": "skipped"}
    final: list[Json] = [shop.step("final", _seconds_kind(random), _seconds(random))]
    states["final"] = "completed"
    path = shop.plan(*made, slots=random.randint(2, 4), final=final)
    return Expectation(path, "failed" if is_fatal else "succeeded", states)


def random_patch_plan(shop: Workshop, random: Random, name: str, *, steps: int = 6) -> Expectation:
    """A plan whose steps change files that no other plan's steps change."""
    states: dict[str, str] = {}
    made: list[Json] = []
    for number in range(steps):
        step_id, kind = f"{name}{number}", random.choice(PATCH_KINDS)
        keys: Json = {"depends_on": random.sample(sorted(states), k=min(len(states), random.choice((0, 0, 1))))}
        if kind in ("writing", "learning"):
            keys["gates"] = ["good"]
        if kind == "learning":
            keys |= _RETRIES
        if kind == "failing":
            keys["critical"] = False
        made.append(shop.step(step_id, kind, _seconds(random), **keys))
        states[step_id] = "completed" if kind != "failing" else "failed"
    # Whoever depends on a step that fails is skipped, and so on.
    for step in made:
        if any(states[before] in ("failed", "skipped") for before in step["depends_on"]):
            states[str(step["id"])], step["critical"] = "skipped", False
    gate = {"id": "good", "type": "UNIT", "shell": "! grep -qs bad written-*.txt"}
    return Expectation(shop.plan(*made, name=name, isolation="step", gates=[gate]), steps=states)


def _step(shop: Workshop, random: Random, step_id: str, kind: str, before: list[str]) -> Json:
    keys: Json = {"depends_on": before}
    if kind == "flaky":
        keys |= _RETRIES
    return shop.step(step_id, kind, _seconds(random), **keys)


def _seconds(random: Random) -> float:
    return round(random.uniform(0.005, 0.08), 3)


def _seconds_kind(random: Random) -> str:
    return random.choice(("plain", "forking"))
