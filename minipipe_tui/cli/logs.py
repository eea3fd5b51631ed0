"""`minipipe logs RUN STEP`: what a step printed."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.errors import NotFound
from engine.events.follow import ChangeSignal
from engine.states import TaskStateMachine
from engine.store import queries
from engine.store.database import Database
from engine.store.records import AttemptRecord
from minipipe_tui.cli.inert import InertStream, inert, inert_line
from minipipe_tui.cli.opening import add_run_argument, opened_run
from minipipe_tui.cli.output import is_terminal, print_json, say
from minipipe_tui.cli.parser import CommandParser

FOLLOW_SECONDS = 0.2
"""How often a log that grows is looked at: its writer is the step itself, which tells nobody."""


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Print what a step wrote to stdout and stderr, made harmless for the terminal. --follow goes on until the step "
        "has ended, through its retries; in a pipe it prints JSON Lines.",
        examples=(
            "minipipe logs last test",
            "minipipe logs last test --attempt 1",
            "minipipe logs last build --follow",
        ),
    )
    add_run_argument(parser)
    parser.add_argument("step_id", metavar="STEP", help="the step's id")
    parser.add_argument("--attempt", metavar="N", type=int, help="which attempt (the newest)")
    parser.add_argument("--follow", "-f", action="store_true", help="go on as it grows")
    parser.add_argument("--raw", action="store_true", help="the bytes as they are, control sequences and all")
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    with opened_run(arguments.run_id) as (workspace, database, run_id):
        _check_step(database, run_id, arguments.step_id)
        if arguments.follow:
            signal = ChangeSignal(workspace.state_folder)
            try:
                _follow(database, run_id, arguments.step_id, signal)
            finally:
                signal.close()
            return 0
        attempt = _attempt(database, run_id, arguments.step_id, arguments.attempt)
    _print_whole(attempt, arguments)
    return 0


def _check_step(database: Database, run_id: str, step_id: str) -> None:
    known = [task.step_id for task in queries.tasks_of(database, run_id)]
    if step_id not in known:
        parts = [name for name in known if name.startswith(f"{step_id}-")]
        shown = parts or known
        listed = f"{', '.join(shown[:8])}{' …' if len(shown) > 8 else ''}"
        raise NotFound("step", step_id, hint=f"it became {listed}" if parts else f"the run has {listed}")


def _attempt(database: Database, run_id: str, step_id: str, number: int | None) -> AttemptRecord:
    attempts = [each for each in queries.attempts_of(database, run_id) if each.step_id == step_id]
    wanted = [each for each in attempts if number is None or each.number == number]
    if not attempts:
        raise NotFound("log of step", step_id, hint=f"it was not started; minipipe show {run_id} says why")
    if not wanted:
        raise NotFound("attempt", str(number), hint=f"{step_id} was tried {_times(len(attempts))} so far")
    return wanted[-1]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _print_whole(attempt: AttemptRecord, arguments: argparse.Namespace) -> None:
    content = _read(Path(attempt.log_path))
    if arguments.json:
        text = content.decode(errors="backslashreplace")
        print_json(
            {
                "step_id": attempt.step_id,
                "attempt": attempt.number,
                "log_path": attempt.log_path,
                "text": text,
            }
        )
    elif arguments.raw:
        sys.stdout.buffer.write(content)
    else:
        if not content:
            say(_silence(attempt))
        stream = InertStream()
        sys.stdout.write(stream.feed(content) + stream.close())


def _silence(attempt: AttemptRecord) -> str:
    so_far = "" if attempt.ended_at else " so far"
    why = f": {inert_line(attempt.message)}" if attempt.message else ""
    return f"{attempt.step_id} printed nothing{so_far}{why}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _follow(database: Database, run_id: str, step_id: str, signal: ChangeSignal) -> None:
    for number, line in _lines(database, run_id, step_id, signal):
        if is_terminal(sys.stdout):
            sys.stdout.write(inert(line) + "\n")
        else:
            sys.stdout.write(json.dumps({"step_id": step_id, "attempt": number, "line": line}) + "\n")
        sys.stdout.flush()


def _lines(database: Database, run_id: str, step_id: str, signal: ChangeSignal) -> Iterator[tuple[int, str]]:
    """Whole lines of one attempt after the other, as they come, until the step has ended."""
    number, offset, rest = 0, 0, b""
    while True:
        is_over = _has_ended(database, run_id, step_id)
        attempts = [each for each in queries.attempts_of(database, run_id) if each.step_id == step_id]
        for attempt in attempts[max(0, number - 1) :]:
            if attempt.number != number:
                if rest:
                    yield number, rest.decode(errors="backslashreplace")
                number, offset, rest = attempt.number, 0, b""
            offset, content = _read_from(Path(attempt.log_path), offset)
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                yield number, line.decode(errors="backslashreplace")
        if is_over:
            if rest:
                yield number, rest.decode(errors="backslashreplace")
            return
        signal.wait(FOLLOW_SECONDS)


def _has_ended(database: Database, run_id: str, step_id: str) -> bool:
    return any(
        task.step_id == step_id and TaskStateMachine.is_terminal(task.state)
        for task in queries.tasks_of(database, run_id)
    )


def _read_from(path: Path, offset: int) -> tuple[int, bytes]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return offset, b""
    return offset + len(content), content
