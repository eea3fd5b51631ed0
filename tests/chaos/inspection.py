"""What must be true of a run that was killed and resumed until it ended: every way in which it is not, as a sentence.

Reads the steps' own records, the database, the audit trail, /proc and git; asks the engine nothing but `db check`.
"""

import fcntl
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.workshop import Workshop


def violations(
    shop: Workshop, run_id: str, state: str | None, steps: Mapping[str, str], *, has_patches: bool = False
) -> list[str]:
    """Everything that is wrong. `state` and `steps` say how the run and its steps should have ended: a step that is not
    named is completed, `|` stands between what is allowed, and without a state it does not matter.
    """
    return [
        *_ends(shop, run_id, state, steps),
        *(_repeats(shop, run_id) if has_patches else executions(shop, run_id)),
        *_values(shop, run_id),
        *survivors(shop),
        *_store(shop),
        *_audit(shop),
        *_litter(shop),
        *([] if has_patches else _tree(shop)),
    ]


def _ends(shop: Workshop, run_id: str, state: str | None, steps: Mapping[str, str]) -> Iterator[str]:
    ((found, reason),) = shop.rows("SELECT state, reason FROM runs WHERE run_id = ?", run_id)
    if state is not None and found not in state.split("|"):
        yield f"the run is {found} ({reason}), not {state}"
    for step_id, is_now in shop.rows("SELECT step_id, state FROM tasks WHERE run_id = ?", run_id):
        expected = steps.get(step_id, "completed")
        if state is not None and is_now not in expected.split("|"):
            yield f"step {step_id} is {is_now}, not {expected}"
    for gate_id, name, is_now in shop.rows("SELECT gate_id, name, state FROM gates WHERE ended_at IS NULL"):
        yield f"gate {gate_id} ({name}) is {is_now}: still open"
    for attempt_id, step_id in shop.rows(
        "SELECT attempt_id, step_id FROM step_attempts WHERE state = 'running' OR ended_at IS NULL"
    ):
        yield f"attempt {attempt_id} of {step_id} is still open"


def executions(shop: Workshop, run_id: str) -> Iterator[str]:
    """What was started twice, or at the wrong time; and what is done, is done once."""
    yield from _repeats(shop, run_id)
    successes = shop.rows(
        "SELECT step_id, attempt_id FROM step_attempts WHERE run_id = ? AND state = 'succeeded'", run_id
    )
    yield from _completions(shop, successes)


def _repeats(shop: Workshop, run_id: str) -> Iterator[str]:
    for _, step_id, attempt_id in shop.records("overlap"):
        yield f"{step_id} was started ({attempt_id}) while something of it was alive"
    known = {attempt_id for (attempt_id,) in shop.rows("SELECT attempt_id FROM step_attempts")}
    for (_, step_id, attempt_id), count in Counter(shop.records("start")).items():
        if attempt_id not in known:
            yield f"{step_id} was started without a record: {attempt_id}"
        if count > 1:
            yield f"attempt {attempt_id} of {step_id} was started {count} times"


def _completions(shop: Workshop, successes: Sequence[tuple[str, ...]]) -> Iterator[str]:
    last_start = {step_id: attempt_id for _, step_id, attempt_id in shop.records("start")}
    ended = {attempt_id for _, _, attempt_id in shop.records("end")}
    for step_id, count in Counter(step_id for step_id, _ in successes).items():
        if count > 1:
            yield f"{step_id} is recorded as done {count} times"
    for step_id, attempt_id in successes:
        if last_start.get(step_id) != attempt_id:
            yield f"{step_id} was done by {attempt_id}, but started again after that"
        if attempt_id not in ended:
            yield f"{step_id} is recorded as done by {attempt_id}, which never came to its end"


def _values(shop: Workshop, run_id: str) -> Iterator[str]:
    done = {
        attempt_id
        for (attempt_id,) in shop.rows(
            "SELECT attempt_id FROM step_attempts WHERE run_id = ? AND state = 'succeeded'", run_id
        )
    }
    for _, step_id, value in shop.records("value"):
        if value not in done:
            yield f"{step_id} was given a value of {value}, which did not succeed"


def survivors(shop: Workshop) -> Iterator[str]:
    """What is still alive of any step."""
    yield from (f"process {pid} of an attempt is still alive" for pid in shop.marked_processes())
    for lock in shop.side.glob("*.lock"):
        descriptor = os.open(lock, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield f"something of step {lock.stem} is still alive"
        finally:
            os.close(descriptor)


def _store(shop: Workshop) -> Iterator[str]:
    for (line,) in shop.rows("PRAGMA integrity_check"):
        if line != "ok":
            yield f"integrity_check: {line}"
    check = shop.minipipe("db", "check")
    if check.code != 0:
        yield f"db check: {check.output}{check.errors}"


def _audit(shop: Workshop) -> Iterator[str]:
    rows = shop.rows("SELECT seq, event_id, event_type FROM events ORDER BY seq")
    if [seq for seq, _, _ in rows] != list(range(1, len(rows) + 1)):
        yield "the numbers of the events have gaps"
    parts = sorted(shop.state.glob("events-*.jsonl"))
    try:
        lines = [json.loads(line) for path in (*parts, shop.state / "events.jsonl") for line in path.open()]
    except (ValueError, OSError) as error:
        yield f"events.jsonl cannot be read: {error}"
        return
    written = [(line["seq"], line["event_id"], line["event_type"]) for line in lines]
    if written != rows:
        yield f"events.jsonl differs from the events table ({len(written)} lines, {len(rows)} rows)"


def _litter(shop: Workshop) -> Iterator[str]:
    yield from (f"{path.name} is left in wake/" for path in (shop.state / "wake").glob("*"))


def _tree(shop: Workshop) -> Iterator[str]:
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=shop.root, capture_output=True, text=True, check=True
    ).stdout
    for line in status.splitlines():
        if not line.startswith("?? written-"):
            yield f"git status says {line!r}"
