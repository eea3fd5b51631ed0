"""Kill the engine at random moments, resume it, kill it again, until the run has ended; then look at what is left."""

import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.chaos.git_inspection import belongings, git_violations
from tests.chaos.inspection import violations
from tests.chaos.plans import Expectation, random_patch_plan, random_plan
from tests.chaos.workshop import Running, Workshop

MOST_KILLS_A_RUN = 15


def attack_many(kills: int, seed: int, *, tell: bool = False) -> list[str]:
    """Run after run, until so many kills have been made; every violation, with the seed of its run."""
    random, done, found = Random(seed), 0, []
    while done < kills:
        run_seed = random.randrange(2**32)
        count, problems = attack(run_seed, most=min(MOST_KILLS_A_RUN, kills - done))
        done += count
        found += [f"--run-seed {run_seed}: {problem}" for problem in problems]
        if tell:
            print(f"{done}/{kills} kills, run seed {run_seed}: {problems or 'sound'}", flush=True)
    return found


def attack(seed: int, *, most: int = MOST_KILLS_A_RUN) -> tuple[int, list[str]]:
    """One run of one random plan, or two at once with patches: how many kills there were, and what was wrong then."""
    random = Random(seed)
    if random.random() < 0.5:
        return attack_with_patches(random, most)
    with TemporaryDirectory(prefix="minipipe-chaos-") as folder:
        shop = Workshop(Path(folder))
        try:
            plan = random_plan(shop, random)
            kills = _kill_again_and_again(shop, plan, random, most)
            return kills, _finish(shop, plan)
        finally:
            shop.close()


def attack_with_patches(random: Random, most: int) -> tuple[int, list[str]]:
    """Two runs that go on at once in one repository; both take their changes to the branch that is checked out."""
    with TemporaryDirectory(prefix="minipipe-chaos-") as folder:
        shop = Workshop(Path(folder))
        try:
            plans = {name: random_patch_plan(shop, random, name) for name in ("a", "b")}
            before = belongings(shop)
            kills = 0
            while kills < most and (hit := _kill_both(shop, plans, random)):
                kills += hit
            problems = [problem for name, plan in plans.items() for problem in _finish_one(shop, name, plan)]
            problems += [problem for name, plan in plans.items() for problem in _judge_one(shop, name, plan)]
            return max(kills, 1), [*problems, *git_violations(shop, before, target="main", is_checked_out=True)]
        finally:
            shop.close()


def _kill_both(shop: Workshop, plans: Mapping[str, Expectation], random: Random) -> int:
    """How many of the two were killed: they may have ended before."""
    running = [_start_one(shop, name, plan) for name, plan in plans.items()]
    random.shuffle(running)
    return sum(_kill_some_time(each, random) for each in running)


def _start_one(shop: Workshop, name: str, plan: Expectation) -> Running:
    rows = shop.rows("SELECT run_id FROM runs WHERE plan_id = ?", name)
    return shop.start("resume", rows[0][0]) if rows else shop.start("run", str(plan.path), "--no-ui")


def _finish_one(shop: Workshop, name: str, plan: Expectation) -> Iterator[str]:
    last = _start_one(shop, name, plan)
    if last.finish() != 0:
        yield f"{name}: exit code {last.code}: {last.errors[-500:]}"


def _judge_one(shop: Workshop, name: str, plan: Expectation) -> Iterator[str]:
    ((run_id, promotion),) = shop.rows(
        "SELECT run_id, json_extract(promotion, '$.state') FROM runs WHERE plan_id = ?", name
    )
    if promotion not in ("done", "none"):
        yield f"{name}: its promotion is {promotion}"
    yield from violations(shop, run_id, plan.state, plan.steps, has_patches=True)


def _kill_again_and_again(shop: Workshop, plan: Expectation, random: Random, most: int) -> int:
    for kills in range(most):
        running = _start(shop, plan, random)
        if not _kill_some_time(running, random):
            return max(kills, 1)
    return most


def _start(shop: Workshop, plan: Expectation, random: Random) -> Running:
    """As the user would: begin, or go on with what was interrupted."""
    run_id, state = shop.run_id(), shop.run_state()
    if run_id is None:
        return shop.start("run", str(plan.path), "--no-ui")
    if state == "running" and random.random() < 0.3:
        return shop.start("run")
    return shop.start("resume", run_id)


def _kill_some_time(running: Running, random: Random) -> bool:
    """Whether it was killed: it may have ended before."""
    deadline = time.monotonic() + random.choice((random.uniform(0.0, 0.2), random.uniform(0.15, 0.8)))
    while time.monotonic() < deadline:
        if running.has_ended():
            running.finish()
            return False
        time.sleep(0.001)
    running.signal(signal.SIGKILL)
    running.finish()
    return True


def _finish(shop: Workshop, plan: Expectation) -> list[str]:
    last = _start(shop, plan, Random(0))
    last.finish()
    expected = 0 if plan.state == "succeeded" else 1
    wrong = [] if last.code == expected else [f"exit code {last.code}, not {expected}: {last.errors[-500:]}"]
    run_id = shop.run_id()
    return [*wrong, *(violations(shop, run_id, plan.state, plan.steps) if run_id else ["there is no run"])]
