"""`minipipe review`: the queue of patches that wait for a person, and what a person says about them."""

import argparse
from typing import Any

from engine.store import patch_queries, queries
from engine.store.patch_documents import patch_list_document
from minipipe_tui.cli.listing import print_queue
from minipipe_tui.cli.opening import RUN_HELP, add_patch_argument, add_reviewer_option, opened_store, words
from minipipe_tui.cli.output import print_json, say
from minipipe_tui.cli.parser import CommandParser, Later

_ACTIONS = "minipipe_tui.cli.review_actions"


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Look at the patches that wait for a person, and decide about them.",
        examples=("minipipe review list", "minipipe review show last", "minipipe review approve last"),
    )
    actions = parser.add_actions()
    _add_list(actions.add_parser("list", help="what waits, oldest first"))
    _add_show(actions.add_parser("show", help="one patch: why it waits, whether it still applies, and its diff"))
    _add_approve(actions.add_parser("approve", help="let a patch go on, or a part of it"))
    _add_reject(actions.add_parser("reject", help="give a patch up; its step fails"))
    _add_request_changes(actions.add_parser("request-changes", help="let the step try again, with the comments"))
    _add_comment(actions.add_parser("comment", help="say something about a patch, a file or a line"))
    _add_undo(actions.add_parser("undo", help="take a decision back that nobody has acted on yet"))


# -- looking ---------------------------------------------------------------------------------------------


def _add_list(parser: CommandParser) -> None:
    parser.describe(
        "List the patches that wait for a decision, oldest first.",
        examples=("minipipe review list", "minipipe review list --run last --json"),
    )
    parser.add_argument("--run", dest="run_id", metavar="RUN", help=f"only of this run: {RUN_HELP}")
    parser.add_argument("--workstream", metavar="W", help="only of this workstream, by its name or id")
    parser.add_argument("--all", action="store_true", help="also what is decided and waits for its run to go on")
    parser.add_json_option()
    parser.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    document: dict[str, Any] = {"patches": [], "next": None}
    with opened_store(missing_ok=True) as (_, database):
        if database is not None:
            found = patch_queries.waiting_for_review(
                database,
                run_id=arguments.run_id and queries.resolve_run_id(database, arguments.run_id),
                workstream_id=arguments.workstream,
                decided_too=arguments.all,
            )
            document = patch_list_document(database, found)
    if arguments.json:
        print_json(document)
    elif document["patches"]:
        print_queue(document["patches"])
    else:
        say("nothing waits for review")
    return 0


def _add_show(parser: CommandParser) -> None:
    parser.describe(
        "Show a patch as a reviewer wants it: where it comes from, why it waits, whether it still applies, what was "
        "said about it, and its diff. Hunks are numbered over the whole patch, as `approve --hunks` takes them.",
        examples=("minipipe review show last", "minipipe review show last --stat"),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--stat", action="store_true", help="a line for each file instead of the diff")
    parser.add_json_option()
    parser.set_defaults(run=Later("minipipe_tui.cli.viewing", "show_for_review"))


# -- deciding --------------------------------------------------------------------------------------------


def _add_approve(parser: CommandParser) -> None:
    parser.describe(
        "Let a patch go on. With --file, --hunks or --edit only that part goes on, checked again; the rest is dropped, "
        "or sent back to the step. An approval counts for the very commit that was looked at.",
        examples=(
            "minipipe review approve last --comment 'fine'",
            "minipipe review approve last --hunks 1,3-5 --send-back",
            "minipipe review approve last --file src/app.py --file README.md",
        ),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--comment", metavar="TEXT", type=words, help="what is to be kept with it")
    add_reviewer_option(parser)
    parser.add_argument("--file", metavar="PATH", action="append", default=[], help="only this file; repeatable")
    parser.add_argument("--hunks", metavar="N", help="only these hunks, as `review show` numbers them: 1,3-5")
    parser.add_argument("--edit", action="store_true", help="change the diff in $VISUAL or $EDITOR, and approve that")
    parser.add_argument("--send-back", action="store_true", help="let the step try again with what is left out")
    parser.add_argument("--commit", metavar="SHA", help="the commit that was looked at (the patch's present one)")
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "approve"))


def _add_reject(parser: CommandParser) -> None:
    parser.describe(
        "Give a patch up. Its step has failed, and is not tried again.",
        examples=("minipipe review reject last --reason 'it deletes the tests'",),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--reason", metavar="TEXT", type=words, required=True, help="why")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "reject"))


def _add_request_changes(parser: CommandParser) -> None:
    parser.describe(
        "Let the step try again, from this change and with what was said about it; what comes of that replaces it.",
        examples=("minipipe review request-changes last --comment 'keep the old name as an alias'",),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument(
        "--comment", metavar="TEXT", type=words, help="what is to be otherwise; not needed after `review comment`"
    )
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "request_changes"))


def _add_undo(parser: CommandParser) -> None:
    parser.describe(
        "Take back what was decided about a patch, as long as its run has not gone on since.",
        examples=("minipipe review undo last",),
    )
    add_patch_argument(parser, of_queue=True)
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "undo"))


# -- commenting ------------------------------------------------------------------------------------------


def _add_comment(parser: CommandParser) -> None:
    parser.describe(
        "Say something about a patch, a file of it, or a line of its diff. It decides nothing; `request-changes` hands "
        "all comments to the step.",
        examples=(
            "minipipe review comment last 'why a global?'",
            "minipipe review comment last --file src/app.py --line 12 'this can be None'",
        ),
    )
    parser.takes_options_between = True
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("text", metavar="TEXT", type=words, help="what is to be said; after -- if it begins with -")
    parser.add_argument("--file", metavar="PATH", help="the file that it is about")
    parser.add_argument("--line", metavar="N", type=int, help="the line of that file; it must be in the diff")
    parser.add_argument("--side", choices=("old", "new"), help="which of the two files the line is one of (new)")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=Later(_ACTIONS, "comment"))
