"""`minipipe review`: the queue of patches that wait for a person, and what a person says about them."""

import argparse
from typing import Any

from engine.errors import UsageError
from engine.executor.ref_keeping import keep_edit
from engine.orchestrator import Orchestrator
from engine.patches.decisions import Decision
from engine.patches.export import exported
from engine.patches.ledger import PatchLedger
from engine.patches.selection import check_choice
from engine.patches.unified import parse_patch
from engine.store import patch_queries, queries
from engine.store.patch_documents import patch_list_document
from engine.store.records import PatchRecord
from minipipe_tui.cli.choosing import check_line, hunk_numbers, path_called
from minipipe_tui.cli.deciding import add_reviewer_option, check_offered, decide, opened_patch, reviewer, tell
from minipipe_tui.cli.editing import edited
from minipipe_tui.cli.listing import print_queue
from minipipe_tui.cli.opening import RUN_HELP, add_patch_argument, git_of, opened_store, words
from minipipe_tui.cli.output import print_json, say
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.viewing import show_patch

_COMMIT_LENGTH = 7
"""So much of a commit's id names it."""


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Look at the changes that wait for a person, and decide about them.",
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


def run(arguments: argparse.Namespace) -> int:
    done: int = arguments.run(arguments)
    return done


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
        examples=("minipipe review show last", "minipipe review show pat_01J8 --stat"),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--stat", action="store_true", help="a line for each file instead of the diff")
    parser.add_json_option()
    parser.set_defaults(run=_show)


def _show(arguments: argparse.Namespace) -> int:
    # JSON always holds the diff: programs take what they need.
    return show_patch(arguments, with_diff=arguments.json or not arguments.stat)


# -- deciding --------------------------------------------------------------------------------------------


def _add_approve(parser: CommandParser) -> None:
    parser.describe(
        "Let a patch go on. With --file, --hunks or --edit only that part goes on, checked again; the rest is dropped, "
        "or sent back to the step. An approval counts for the very commit that was looked at.",
        examples=(
            "minipipe review approve pat_01J8 --comment 'fine'",
            "minipipe review approve last --hunks 1,3-5 --send-back",
            "minipipe review approve last --file src/app.py --file README.md",
        ),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--comment", metavar="TEXT", type=words, help="what is to be kept with it")
    add_reviewer_option(parser)
    parser.add_argument("--file", metavar="PATH", action="append", default=[], help="only this file; repeatable")
    parser.add_argument(
        "--hunks", metavar="N", type=hunk_numbers, default=(), help="only these hunks, as `review show` numbers them"
    )
    parser.add_argument("--edit", action="store_true", help="change the diff in $VISUAL or $EDITOR, and approve that")
    parser.add_argument("--send-back", action="store_true", help="let the step try again with what is left out")
    parser.add_argument("--commit", metavar="SHA", help="the commit that was looked at (the patch's present one)")
    parser.add_json_option()
    parser.set_defaults(run=_approve)


def _approve(arguments: argparse.Namespace) -> int:
    _check_choice_of_options(arguments)
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "approve")
        git = git_of(orchestrator.workspace)
        changed = patch_queries.files_of(orchestrator.database, patch)
        files = tuple(path_called(changed, given, patch_id=patch.patch_id) for given in arguments.file)
        if files or arguments.hunks:
            check_choice(git, patch, files, arguments.hunks)
        decision = Decision(
            "approve",
            patch.patch_id,
            reviewer(arguments),
            arguments.comment,
            commit=_commit(patch, arguments.commit),
            files=files,
            hunks=arguments.hunks,
            edited_commit=edited(orchestrator.workspace, git, patch) if arguments.edit else None,
            sends_back=arguments.send_back,
        )
        code = decide(orchestrator, decision, as_json=arguments.json)
        if decision.edited_commit is not None:
            keep_edit(git, patch.patch_id, decision.edited_commit)
        return code


def _check_choice_of_options(arguments: argparse.Namespace) -> None:
    if arguments.hunks and len(arguments.file) > 1:
        raise UsageError(
            "--hunks with several --file: which file are they of?", hint="one --file, or none: `review show` numbers"
        )
    if arguments.edit and (arguments.hunks or arguments.file):
        raise UsageError("--edit takes no --file and no --hunks", hint="leave out in the editor what is not to go on")
    if arguments.send_back and not (arguments.hunks or arguments.file):
        raise UsageError(
            "--send-back: nothing is left out that could be sent back",
            hint="choose with --file or --hunks; or minipipe review request-changes",
        )


def _commit(patch: PatchRecord, given: str | None) -> str:
    """The whole id of the commit that was looked at."""
    if given is None or (len(given) >= _COMMIT_LENGTH and patch.commit_id.startswith(given.lower())):
        return patch.commit_id
    return given


def _add_reject(parser: CommandParser) -> None:
    parser.describe(
        "Give a patch up. Its step has failed, and is not tried again.",
        examples=("minipipe review reject pat_01J8 --reason 'it deletes the tests'",),
    )
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("--reason", metavar="TEXT", type=words, required=True, help="why")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=_reject)


def _reject(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "reject")
        by = reviewer(arguments)
        decision = Decision("reject", patch.patch_id, by, arguments.reason, commit=patch.commit_id)
        return decide(orchestrator, decision, as_json=arguments.json)


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
    parser.set_defaults(run=_request_changes)


def _request_changes(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "request-changes")
        if arguments.comment is None and not patch_queries.comments_of(orchestrator.database, patch.patch_id):
            raise UsageError("request-changes: say what is to be otherwise", hint="--comment TEXT, or review comment")
        by = reviewer(arguments)
        decision = Decision("request_changes", patch.patch_id, by, arguments.comment, commit=patch.commit_id)
        return decide(orchestrator, decision, as_json=arguments.json)


def _add_undo(parser: CommandParser) -> None:
    parser.describe(
        "Take back what was decided about a patch, as long as its run has not gone on since.",
        examples=("minipipe review undo last",),
    )
    add_patch_argument(parser, of_queue=True)
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=_undo)


def _undo(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "undo")
        return decide(orchestrator, Decision("withdraw", patch.patch_id, reviewer(arguments)), as_json=arguments.json)


# -- commenting ------------------------------------------------------------------------------------------


def _add_comment(parser: CommandParser) -> None:
    parser.describe(
        "Say something about a patch, a file of it, or a line of its diff. It decides nothing; `request-changes` hands "
        "all comments to the step.",
        examples=(
            "minipipe review comment pat_01J8 'why a global?'",
            "minipipe review comment last --file src/app.py --line 12 'this can be None'",
        ),
    )
    parser.takes_options_between = True
    add_patch_argument(parser, of_queue=True)
    parser.add_argument("text", metavar="TEXT", type=words, help="what is to be said")
    parser.add_argument("--file", metavar="PATH", help="the file that it is about")
    parser.add_argument("--line", metavar="N", type=int, help="the line of that file; it must be in the diff")
    parser.add_argument("--side", choices=("old", "new"), help="which of the two files the line is one of (new)")
    add_reviewer_option(parser)
    parser.add_json_option()
    parser.set_defaults(run=_comment)


def _comment(arguments: argparse.Namespace) -> int:
    if (arguments.line is not None and arguments.file is None) or (arguments.side and arguments.line is None):
        raise UsageError("comment: --side goes with --line, and --line with --file")
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "comment")
        side = arguments.side or "new"
        path = _commented_path(orchestrator, patch, arguments.file, arguments.line, side)
        PatchLedger(orchestrator.database, journal=orchestrator.journal).comment(
            patch.patch_id, arguments.text, author=reviewer(arguments), path=path, line=arguments.line, side=side
        )
        return tell(orchestrator, patch.patch_id, "commented on", as_json=arguments.json, decides=False)


def _commented_path(
    orchestrator: Orchestrator, patch: PatchRecord, given: str | None, line: int | None, side: str
) -> str | None:
    """The file that a comment is about; a line that is named must be in the diff."""
    if given is None:
        return None
    path = path_called(patch_queries.files_of(orchestrator.database, patch), given, patch_id=patch.patch_id)
    if line is not None:
        check_line(parse_patch(exported(git_of(orchestrator.workspace), patch, "diff")), path, line, side)
    return path
