"""`minipipe worktree`: the working trees that steps run in, what was archived of failed ones, and clearing up."""

import argparse
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.config.keys import Config
from engine.config.loading import load_config
from engine.store.patch_queries import worker_name
from engine.workspace import Workspace, find_workspace
from engine.worktrees.inventory import IN_USE, Found, list_pool
from engine.worktrees.places import home_in
from minipipe_tui.cli.listing import is_narrow, shown_time
from minipipe_tui.cli.opening import git_of, opened_store
from minipipe_tui.cli.output import print_json, say
from minipipe_tui.cli.parser import CommandParser, Later
from minipipe_tui.cli.table import print_table

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
    config = load_config(workspace.root, environ=os.environ)
    found = list_pool(*places(workspace, config), is_measured=arguments.size)
    holders = holders_of(found)
    if arguments.json:
        print_json({"worktrees": [_document(each, holders.get(each.name)) for each in found], "next": None})
    elif not found:
        say("no working trees of minipipe here")
    else:
        _print(found, holders, has_sizes=arguments.size)
    return 0


def places(workspace: Workspace, config: Config) -> tuple[Path, Path]:
    """The folder that all working trees of the repository share, and where ours are."""
    common = git_of(workspace).git_folder
    return common, home_in(config, common)


def holders_of(found: Iterable[Found]) -> dict[str, str]:
    """Who uses each of those that somebody uses; the store, which knows the step, is only asked where there is one."""
    used = {each.name: each.holder for each in found if each.holder or each.state == IN_USE}
    if not used:
        return {}
    shown = {}
    with opened_store(missing_ok=True) as (_, database):
        for name, holder in used.items():
            if holder is None:
                shown[name] = "somebody"
                continue
            worker = database and worker_name(database, holder.run_id, holder.step_id)
            process = f"process {holder.pid} on {holder.host}"
            shown[name] = f"{worker or holder.step_id} of {holder.run_id} ({process})"
    return shown


def _document(found: Found, holder: str | None) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "name": found.name,
        "state": found.state,
        "path": None if found.path is None else str(found.path),
        "holder": holder,
        "commit": found.commit,
        "since": found.since or None,
        "size": found.size,
    }


def _print(found: list[Found], holders: Mapping[str, str], *, has_sizes: bool) -> None:
    headings = ["NAME", "KIND", "STATE", "SINCE", "COMMIT", *(["SIZE"] if has_sizes else []), "HOLDER"]
    rows = [
        [
            each.name,
            each.kind,
            each.state,
            shown_time(each.since) if each.since else "",
            (each.commit or "")[:_SHORT],
            *([_shown_size(each.size)] if has_sizes else []),
            holders.get(each.name, ""),
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
    parser.set_defaults(run=Later("minipipe_tui.cli.pruning", "run"))
