"""`minipipe worktree prune`: clearing up working trees and archives, dry or for real."""

import argparse
from pathlib import Path

from engine.api import open_engine, read_config
from engine.config.keys import Config
from engine.workspace import Workspace, find_workspace
from engine.worktrees.inventory import Pruned, prune
from minipipe_tui.cli.inert import inert_line
from minipipe_tui.cli.output import print_json, print_lines, say
from minipipe_tui.cli.worktree import holders_of, places


def run(arguments: argparse.Namespace) -> int:
    done = _foreseen() if arguments.dry_run else _pruned()
    holders = holders_of(done.in_use)
    left = [*done.left, *((found.name, f"in use by {holders[found.name]}") for found in done.in_use)]
    if arguments.json:
        shown_left = [{"name": name, "why": why} for name, why in left]
        print_json({"dry_run": arguments.dry_run, "removed": done.removed, "left": shown_left})
        return 0
    verb = "would remove" if arguments.dry_run else "removed"
    print_lines(inert_line(f"{verb} {name}") for name in done.removed)
    print_lines(inert_line(f"left {name}: {why}") for name, why in left)
    if not done.removed:
        say("nothing to remove")
    return 0


def _pruned() -> Pruned:
    with open_engine(Path.cwd()) as orchestrator:
        # What a dead owner's steps still do in their trees must have ended.
        orchestrator.end_leftovers()
        return _prune(orchestrator.workspace, orchestrator.config, is_dry=False)


def _foreseen() -> Pruned:
    workspace = find_workspace(Path.cwd())
    return _prune(workspace, read_config(workspace), is_dry=True)


def _prune(workspace: Workspace, config: Config, *, is_dry: bool) -> Pruned:
    settings = config.worktrees
    return prune(
        *places(workspace, config),
        keep_idle=settings.keep_idle,
        archives_older_than_days=settings.archive_days,
        is_dry=is_dry,
    )
