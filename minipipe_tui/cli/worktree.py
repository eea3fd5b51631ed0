"""`minipipe worktree`: the working trees that steps run in, what was archived of failed ones, and clearing up."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.api import open_engine, read_config
from engine.config.keys import Config
from engine.executor.assembly import worktrees_home
from engine.git.program import common_folder
from engine.workspace import Workspace, find_workspace
from engine.worktrees.inventory import ARCHIVED, IDLE, ORPHANED, Found, list_pool, prune
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.listing import is_narrow, shown_time
from minipipe_tui.cli.opening import git_of
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.cli.table import print_table

_DAY = 86_400.0
_SHORT = 12


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Look at the working trees that steps run in, and clear up what is of no use any more.",
        examples=("minipipe worktree list", "minipipe worktree prune --dry-run"),
    )
    actions = parser.add_actions()
    _add_list(actions.add_parser("list", help="working trees and archives of this repository"))
    _add_prune(actions.add_parser("prune", help="remove orphans, unused trees beyond a few, and old archives"))


def _add_list(parser: CommandParser) -> None:
    parser.describe(
        "List the working trees of this repository that minipipe has made, and the archives of failed steps (refs, "
        "which `git show` shows). Yours are not among them: `git worktree list` lists those.",
        examples=("minipipe worktree list --size", "minipipe worktree list --json"),
    )
    parser.add_argument("--size", action="store_true", help="how much each takes on the disk; this reads them all")
    parser.add_json_option()
    parser.set_defaults(run=_list)


def _list(arguments: argparse.Namespace) -> int:
    workspace = find_workspace(Path.cwd())
    found = list_pool(*_places(workspace, read_config(workspace)), is_measured=arguments.size)
    if arguments.json:
        print_json({"worktrees": [_document(each) for each in found], "next": None})
    elif not found:
        say("no working trees of minipipe here")
    else:
        _print(found, has_sizes=arguments.size)
    return 0


def _places(workspace: Workspace, config: Config) -> tuple[Path, Path]:
    """The folder that all working trees of the repository share, and where ours are."""
    common = common_folder(git_of(workspace).git_folder)
    return common, worktrees_home(config, common)


def _document(found: Found) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "state": found.state,
        "path": None if found.path is None else str(found.path),
        "holder": found.holder or None,
        "commit": found.commit,
        "since": found.since or None,
        "size": found.size,
    }


def _print(found: list[Found], *, has_sizes: bool) -> None:
    headings = ["NAME", "KIND", "STATE", "SINCE", "COMMIT", *(["SIZE"] if has_sizes else []), "HOLDER"]
    rows = [
        [
            each.name,
            each.kind,
            each.state,
            shown_time(each.since) if each.since else "",
            (each.commit or "")[:_SHORT],
            *([_shown_size(each.size)] if has_sizes else []),
            each.holder,
        ]
        for each in found
    ]
    if not is_narrow():
        headings.append("PATH")
        for row, each in zip(rows, found, strict=True):
            row.append(str(each.path or ""))
    print_table(headings, rows, right=("SIZE",))


def _shown_size(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{size / 1_000:.0f} kB"


def _add_prune(parser: CommandParser) -> None:
    parser.describe(
        "Remove working trees that lack a half, unused ones beyond the few that are kept ready (worktrees.keep_idle), "
        "and archives that are too old (worktrees.archive_days). Nothing is removed that somebody uses, that minipipe "
        "has not made, or that holds work which is nowhere else.",
        examples=("minipipe worktree prune --dry-run", "minipipe worktree prune"),
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    parser.add_json_option()
    parser.set_defaults(run=_prune)


def _prune(arguments: argparse.Namespace) -> int:
    if arguments.dry_run:
        removed, left = _foreseen()
    else:
        removed, left = _pruned()
    if arguments.json:
        shown_left = [{"name": name, "why": why} for name, why in left]
        print_json({"dry_run": arguments.dry_run, "removed": removed, "left": shown_left})
        return 0
    verb = "would remove" if arguments.dry_run else "removed"
    print_lines(inert_line(f"{verb} {name}") for name in removed)
    print_lines(inert_line(f"left {name}: {why}") for name, why in left)
    if not removed:
        say("nothing to remove")
    return 0


def _pruned() -> tuple[list[str], list[tuple[str, str]]]:
    with open_engine(Path.cwd()) as orchestrator:
        # What a dead owner's steps still do in their trees must have ended.
        orchestrator.end_leftovers()
        settings = orchestrator.config.worktrees
        done = prune(
            *_places(orchestrator.workspace, orchestrator.config),
            keep_idle=settings.keep_idle,
            archives_older_than_days=settings.archive_days,
        )
    return done.removed, done.left


def _foreseen() -> tuple[list[str], list[tuple[str, str]]]:
    """What pruning would look at; of orphans it keeps those that hold something."""
    workspace = find_workspace(Path.cwd())
    config = read_config(workspace)
    found = list_pool(*_places(workspace, config))
    return [each.name for each in _removable(found, config)], []


def _removable(found: list[Found], config: Config) -> Iterator[Found]:
    idle = [each for each in found if each.kind == "pooled" and each.state == IDLE]
    kept = sorted(idle, key=lambda each: each.since, reverse=True)[: config.worktrees.keep_idle]
    for each in found:
        is_old = each.state == ARCHIVED and each.age_seconds > config.worktrees.archive_days * _DAY
        if each.state == ORPHANED or is_old or (each in idle and each not in kept):
            yield each
