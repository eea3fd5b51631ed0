"""Looking at one patch: what is on record, what it changes, and whether it would still apply."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engine.git.program import Git
from engine.patches.export import exported
from engine.patches.foresight import Foresight, foresee
from engine.patches.unified import FileDiff, parse_patch
from engine.states import PatchState
from engine.store import patch_queries, queries
from engine.store.database import Database
from engine.store.patch_documents import patch_document
from engine.store.records import PatchRecord
from engine.workspace import Workspace
from minipipe_tui.cli.diff import diff_lines, hunk_documents
from minipipe_tui.cli.opening import git_of, named_patch, opened_store
from minipipe_tui.cli.output import print_json, print_lines, wants_colour
from minipipe_tui.cli.sheet import Document, command_of, file_lines, sheet
from minipipe_tui.cli.theme import Theme, load_theme

_AHEAD = (PatchState.VALIDATED, PatchState.AWAITING_REVIEW, PatchState.QUEUED, PatchState.QUARANTINED)
"""A patch in one of these may still be applied."""

NO_TEXT = "its text is not kept, because it holds a secret value"


class View(NamedTuple):
    """What was found. `text` is None where it was not asked for, or must not be shown."""

    document: Document
    foresight: Foresight | None
    text: bytes | None = None
    files: Sequence[FileDiff] = ()

    def as_document(self, *, with_diff: bool) -> dict[str, Any]:
        """For programs. The diff is text; what is not UTF-8 in it is kept as lone surrogates."""
        found = {**self.document, "trial": _trial_document(self.foresight)}
        if with_diff:
            found["hunks"] = hunk_documents(self.files)
            found["diff"] = None if self.text is None else self.text.decode("utf-8", "surrogateescape")
        return found

    def lines(self, theme: Theme | None, *, with_diff: bool) -> Iterator[str]:
        """For people: the sheet, then the diff, or else a line for each file."""
        yield from sheet(self.document, self.foresight, theme)
        yield ""
        if not with_diff:
            yield from file_lines(self.document)
        elif self.text is None:
            yield NO_TEXT
        else:
            yield from diff_lines(self.files, theme)


def show(arguments: argparse.Namespace) -> int:
    """`minipipe patch show`."""
    return _show(arguments, with_diff=arguments.diff)


def show_for_review(arguments: argparse.Namespace) -> int:
    """`minipipe review show`. JSON always holds the diff: programs take what they need."""
    return _show(arguments, with_diff=arguments.json or not arguments.stat)


def _show(arguments: argparse.Namespace, *, with_diff: bool) -> int:
    with opened_store() as (workspace, database):
        assert database is not None
        found = view(workspace, database, named_patch(database, arguments), with_diff=with_diff)
    if arguments.json:
        print_json(found.as_document(with_diff=with_diff))
    else:
        theme = load_theme() if wants_colour(sys.stdout) else None
        print_lines([*found.lines(theme, with_diff=with_diff), *what_next(found.document)])
    return 0


def what_next(document: Document) -> Iterator[str]:
    """The commands that make sense now."""
    actions = [action for action in document["available_actions"] if action != "comment"]
    if actions:
        yield ""
    for action in actions:
        yield command_of(action, document["patch_id"])


def view(workspace: Workspace, database: Database, patch: PatchRecord, *, with_diff: bool) -> View:
    document = patch_document(database, patch)
    is_ahead, is_shown = patch.state in _AHEAD, with_diff and patch.diff_path is not None
    if not (is_ahead or is_shown):
        return View(document, None)  # What is settled is read from the store alone.
    git = git_of(workspace)
    foresight = _foresight(git, database, patch) if is_ahead else None
    if not is_shown:
        return View(document, foresight)
    text = exported(git, patch, "diff")
    return View(document, foresight, text, parse_patch(text))


def _foresight(git: Git, database: Database, patch: PatchRecord) -> Foresight | None:
    """Tried on the head of its run, and against what else waits there."""
    run = queries.find_run(database, patch.run_id)
    head = None if run is None else run.head_commit or run.base_commit
    if head is None:
        return None
    return foresee(git, patch, head, patch_queries.waiting_for_review(database, run_id=patch.run_id))


def _trial_document(foresight: Foresight | None) -> dict[str, Any] | None:
    if foresight is None:
        return None
    return {
        "applies": foresight.applies,
        "is_there_already": foresight.is_there_already,
        "conflicts": list(foresight.conflicts),
        "overlaps": {patch_id: list(paths) for patch_id, paths in foresight.overlaps.items()},
    }
