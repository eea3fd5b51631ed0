"""`minipipe runs`: the runs of this repository, newest first."""

import argparse
from collections.abc import Collection, Mapping
from typing import Any

from engine.states import RunState, RunStateMachine
from engine.store import queries
from engine.store.database import Database
from engine.store.documents import list_document, owner_of_run
from minipipe_tui.cli.listing import shown_id, shown_time
from minipipe_tui.cli.opening import opened_store
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.report import run_took
from minipipe_tui.cli.table import print_table, state_cell
from minipipe_tui.cli.wording import in_words


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "List runs, newest first.",
        examples=("minipipe runs --state failed", "minipipe runs --plan build --limit 5 --json"),
    )
    parser.add_argument(
        "--state",
        metavar="STATE",
        choices=RunStateMachine.states(),
        help=f"only in this state: {', '.join(RunStateMachine.states())}",
    )
    parser.add_argument("--plan", metavar="PLAN_ID", help="only runs of this plan")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="how many (20)")
    parser.add_argument("--after", metavar="RUN", help="go on after this run: `next` of the page before")
    parser.add_argument("--ids", action="store_true", help="nothing but the ids")
    parser.add_json_option()


def run(arguments: argparse.Namespace) -> int:
    interrupted: set[str] = set()
    with opened_store(missing_ok=True) as (_, database):
        rows, cursor = (
            ([], None)
            if database is None
            else queries.list_runs(
                database,
                state=arguments.state,
                plan_id=arguments.plan,
                limit=max(1, arguments.limit),
                after=arguments.after and queries.resolve_run_id(database, arguments.after),
            )
        )
        if database is not None:
            interrupted = {row["run_id"] for row in rows if _is_interrupted(database, row)}
    document = list_document(rows, cursor)
    if arguments.json:
        print_json(document)
    elif arguments.ids:
        print_lines(row["run_id"] for row in rows)
    elif not rows:
        say("no runs here yet; `minipipe run PLAN` starts one")
    else:
        _print(document["runs"], cursor, interrupted)
    return 0


def _is_interrupted(database: Database, row: Mapping[str, Any]) -> bool:
    return row["state"] == RunState.RUNNING and owner_of_run(database, row["run_id"]) is None


def _print(rows: list[dict[str, str]], cursor: str | None, interrupted: Collection[str]) -> None:
    print_table(
        ("RUN", "PLAN", "STATE", "CREATED", "TIME", "WHY"),
        [
            (
                shown_id(row["run_id"]),
                row["plan_name"] or row["plan_id"],
                state_cell(row["state"]),
                shown_time(row["created_at"]),
                run_took(row),
                "interrupted" if row["run_id"] in interrupted else in_words(row["reason"]),
            )
            for row in rows
        ],
        right=("TIME",),
    )
    if cursor:
        say(f"more: minipipe runs --after {cursor}")
