"""`minipipe patch`: the ledger of every change that steps have made, and what can be done with one."""

import argparse
from typing import Any

from engine.errors import UsageError
from engine.states import PatchLedgerStateMachine
from engine.store import patch_queries, queries
from engine.store.documents import run_document
from engine.store.patch_documents import patch_list_document
from minipipe_tui.cli.listing import print_ledger
from minipipe_tui.cli.opening import (
    PATCH_HELP,
    RUN_HELP,
    add_patch_argument,
    add_reviewer_option,
    add_variable_option,
    opened_store,
    patch_called,
    words,
)
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser, Later
from minipipe_tui.cli.wording import stats_text

_ACTIONS = "minipipe_tui.cli.patch_actions"


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Look at patches, the changes that steps have made, whatever became of them, and act on one.",
        examples=("minipipe patch list --run last", "minipipe patch show last --diff"),
    )
    actions = parser.add_actions()
    _add_list(actions.add_parser("list", help="patches, newest first"))
    _add_show(actions.add_parser("show", help="one patch: where it comes from and what became of it"))
    _add_stats(actions.add_parser("stats", help="how large a patch, or all of a run's change, is"))
    _add_import(actions.add_parser("import", help="take in a patch file, or what a branch has"))
    _add_export(actions.add_parser("export", help="a patch as a file for git"))
    _add_quarantine(actions.add_parser("quarantine", help="set a patch aside"))
    _add_release(actions.add_parser("release", help="let a quarantined patch go on"))
    _add_drop(actions.add_parser("drop", help="give a patch up"))
    _add_rollback(actions.add_parser("rollback", help="take back what a committed patch has changed"))


# -- looking ---------------------------------------------------------------------------------------------


def _add_list(parser: CommandParser) -> None:
    states = PatchLedgerStateMachine.states()
    parser.describe(
        "List patches, newest first.",
        examples=("minipipe patch list --state quarantined", "minipipe patch list --run last --step format --json"),
    )
    parser.add_argument("--run", dest="run_id", metavar="RUN", help=f"only of this run: {RUN_HELP}")
    parser.add_argument("--step", metavar="STEP", help="only of this step")
    parser.add_argument(
        "--state",
        dest="states",
        metavar="STATE",
        action="append",
        default=[],
        choices=states,
        help=f"only in this state; repeatable: {', '.join(states)}",
    )
    parser.add_argument("--limit", metavar="N", type=int, default=50, help="how many (50)")
    parser.add_argument("--after", metavar="PATCH", help="go on after this patch: `next` of the page before")
    parser.add_argument("--ids", action="store_true", help="nothing but the ids")
    parser.add_json_option()
    parser.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    document: dict[str, Any] = {"patches": [], "next": None}
    with opened_store(missing_ok=True) as (_, database):
        if database is not None:
            found, cursor = patch_queries.list_patches(
                database,
                run_id=arguments.run_id and queries.resolve_run_id(database, arguments.run_id),
                step_id=arguments.step,
                states=arguments.states,
                limit=max(1, arguments.limit),
                after=arguments.after and patch_queries.resolve_patch_id(database, arguments.after),
            )
            if arguments.ids:
                print_lines(patch.patch_id for patch in found)
                return 0
            document = patch_list_document(database, found, cursor)
    if arguments.json:
        print_json(document)
    elif document["patches"]:
        print_ledger(document["patches"])
        if document["next"]:
            say(f"more: minipipe patch list --after {document['next']}")
    elif not arguments.ids:
        say("no patches here")
    return 0


def _add_show(parser: CommandParser) -> None:
    parser.describe(
        "Show a patch: where it comes from, what became of it and why, its gates, and its files.",
        examples=("minipipe patch show last", "minipipe patch show last --diff"),
    )
    add_patch_argument(parser)
    parser.add_argument("--diff", action="store_true", help="the diff too, with its hunks numbered")
    parser.add_json_option()
    parser.set_defaults(run=Later("minipipe_tui.cli.viewing", "show"))


def _add_stats(parser: CommandParser) -> None:
    parser.describe(
        "Say how many files and lines a patch changes, or a run has changed so far.",
        examples=("minipipe patch stats last", "minipipe patch stats --run last --json"),
    )
    parser.add_argument("patch_id", metavar="PATCH", nargs="?", help=PATCH_HELP)
    parser.add_argument("--run", dest="run_id", metavar="RUN", help=f"of what this run has committed: {RUN_HELP}")
    parser.add_json_option()
    parser.set_defaults(run=_stats)


def _stats(arguments: argparse.Namespace) -> int:
    if (arguments.patch_id is None) == (arguments.run_id is None):
        raise UsageError("patch stats: name a PATCH or a --run RUN", hint="minipipe patch stats last")
    with opened_store() as (_, database):
        assert database is not None
        if arguments.run_id is not None:
            run_id = queries.resolve_run_id(database, arguments.run_id)
            about, stats = {"run_id": run_id}, run_document(database, run_id)["diff_stats"]
        else:
            patch = patch_called(database, arguments.patch_id)
            about, stats = {"patch_id": patch.patch_id, "run_id": patch.run_id}, dict(patch.diff_stats)
    if arguments.json:
        print_json({**about, "diff_stats": stats, "display": stats_text(stats)})
    else:
        print_lines([stats_text(stats), *(f"  {name:<15} {count}" for name, count in stats.items())])
    return 0


def _add_export(parser: CommandParser) -> None:
    parser.describe(
        "Write a patch as git reads it: a diff for `git apply`, or a mail for `git am`.",
        examples=("minipipe patch export last fix.diff", "minipipe patch export last --format mail | git am"),
    )
    parser.takes_options_between = True
    parser.add_argument("patch_id", metavar="PATCH", help=PATCH_HELP)
    parser.add_argument("file", metavar="FILE", nargs="?", help="the file to write (stdout)")
    parser.add_argument("--format", choices=("diff", "mail"), default="diff", help="diff (the default) or mail")
    parser.add_argument("--force", action="store_true", help="replace the file if there is one")
    parser.set_defaults(run=Later("minipipe_tui.cli.exporting", "run"))


# -- acting ----------------------------------------------------------------------------------------------


def _add_import(parser: CommandParser) -> None:
    parser.describe(
        "Take a change in that no step has made: judged, reviewed, checked, committed and brought to the target like "
        "any other. What does not fit exactly, or says two things at once, is refused; no part of it is applied.",
        examples=(
            "minipipe patch import fix.patch",
            "git format-patch -1 --stdout | minipipe patch import -",
            "minipipe patch import --branch feature --plan plans/build.json --gate unit",
        ),
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="patches, each a run of its own; - is standard input")
    parser.add_argument("--branch", metavar="BRANCH", help="what this branch has and the target has not")
    parser.add_argument(
        "--strip",
        metavar="N",
        type=int,
        choices=(0, 1),
        help="how many folders to leave out of the names, where they do not tell: 0 or 1",
    )
    parser.add_argument(
        "--target", metavar="BRANCH", help="the branch that gets the change (the one checked out); none: no branch"
    )
    parser.add_argument("--plan", metavar="PLAN", help="the plan whose gates are meant")
    parser.add_argument("--gate", metavar="GATE", action="append", default=[], help="a gate to pass; repeatable")
    parser.add_argument("--review", action="store_true", help="let a person look at it, whatever the risk")
    parser.add_json_option()
    parser.set_defaults(run=Later("minipipe_tui.cli.importing", "run"))


def _add_quarantine(parser: CommandParser) -> None:
    parser.describe(
        "Set a patch aside. Its step is tried again if it may be; otherwise the patch waits for `release` or `drop`.",
        examples=("minipipe patch quarantine last --reason 'it talks to the network'",),
    )
    add_patch_argument(parser)
    parser.add_argument("--reason", metavar="TEXT", type=words, required=True, help="why")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "quarantine"))


def _add_drop(parser: CommandParser) -> None:
    parser.describe(
        "Give a patch up: its step has failed. It stays on record, and can be looked at and exported.",
        examples=("minipipe patch drop last --reason 'made by mistake'",),
    )
    add_patch_argument(parser)
    parser.add_argument("--reason", metavar="TEXT", type=words, help="why")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "drop"))


def _add_release(parser: CommandParser) -> None:
    parser.describe(
        "Let a quarantined patch go on after another look: it counts as approved, and its gates run again. If its run "
        "has ended, it becomes a run of its own, executed here and now.",
        examples=("minipipe patch release last --comment 'the flaky test is known'",),
    )
    add_patch_argument(parser)
    parser.add_argument("--comment", metavar="TEXT", type=words, help="why it may")
    add_reviewer_option(parser)
    add_variable_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "release"))


def _add_rollback(parser: CommandParser) -> None:
    parser.describe(
        "Take back what a committed patch has changed: the inverse change is merged, checked by the same gates, and "
        "committed.",
        examples=("minipipe patch rollback last",),
    )
    add_patch_argument(parser)
    add_reviewer_option(parser)
    add_variable_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "rollback"))
