"""What `minipipe review` does to a patch once its arguments are read: this loads the whole engine, looking does not."""

import argparse

from engine.errors import UsageError
from engine.executor.ref_keeping import keep_edit
from engine.orchestrator import Orchestrator
from engine.patches.decisions import Decision
from engine.patches.export import exported
from engine.patches.ledger import PatchLedger
from engine.patches.selection import check_choice
from engine.patches.unified import parse_patch
from engine.store import patch_queries
from engine.store.records import PatchRecord
from minipipe_tui.cli.choosing import check_line, hunk_numbers, path_called
from minipipe_tui.cli.deciding import check_offered, decide, opened_patch, tell
from minipipe_tui.cli.editing import edited
from minipipe_tui.cli.opening import git_of, reviewer

_COMMIT_LENGTH = 7
"""So much of a commit's id names it."""


def approve(arguments: argparse.Namespace) -> int:
    hunks = () if arguments.hunks is None else hunk_numbers(arguments.hunks)
    _check_choice_of_options(arguments)
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "approve")
        git = git_of(orchestrator.workspace)
        changed = patch_queries.files_of(orchestrator.database, patch)
        files = tuple(path_called(changed, given, patch_id=patch.patch_id) for given in arguments.file)
        if files or hunks:
            check_choice(git, patch, files, hunks)
        decision = Decision(
            "approve",
            patch.patch_id,
            reviewer(arguments),
            arguments.comment,
            commit=_commit(patch, arguments.commit),
            files=files,
            hunks=hunks,
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


def reject(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "reject")
        by = reviewer(arguments)
        decision = Decision("reject", patch.patch_id, by, arguments.reason, commit=patch.commit_id)
        return decide(orchestrator, decision, as_json=arguments.json)


def request_changes(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "request-changes")
        if arguments.comment is None and not patch_queries.comments_of(orchestrator.database, patch.patch_id):
            raise UsageError("request-changes: say what is to be otherwise", hint="--comment TEXT, or review comment")
        by = reviewer(arguments)
        decision = Decision("request_changes", patch.patch_id, by, arguments.comment, commit=patch.commit_id)
        return decide(orchestrator, decision, as_json=arguments.json)


def undo(arguments: argparse.Namespace) -> int:
    with opened_patch(arguments) as (orchestrator, patch):
        check_offered(orchestrator, patch, "undo")
        return decide(orchestrator, Decision("withdraw", patch.patch_id, reviewer(arguments)), as_json=arguments.json)


def comment(arguments: argparse.Namespace) -> int:
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
