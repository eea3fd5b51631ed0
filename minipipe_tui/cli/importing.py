"""`minipipe patch import`: a patch file, or what a branch has, taken in as a run with one change."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.api import open_engine, read_config
from engine.errors import EnvironmentUnfit, UsageError
from engine.executor.settings import RunSettings, settings_for
from engine.imports import ImportWishes, import_plan
from engine.orchestrator import Orchestrator
from engine.plan.load import load_plan
from engine.workspace import find_workspace
from minipipe_tui.cli.hosting import host_run


def run(arguments: argparse.Namespace) -> int:
    if bool(arguments.files) == bool(arguments.branch):
        raise UsageError("patch import: name files, or a --branch", hint="minipipe patch import -h")
    if arguments.json and len(arguments.files) > 1:
        raise UsageError("patch import: --json takes one file", hint="import one after the other")
    wishes = _wishes(arguments)
    with open_engine(Path.cwd()) as orchestrator:
        if arguments.branch:
            run_id = orchestrator.import_branch(arguments.branch, target=arguments.target, how=wishes)
            return host_run(orchestrator, run_id, as_json=arguments.json)
        return max(_take(orchestrator, name, arguments, wishes) for name in arguments.files)


def _take(orchestrator: Orchestrator, name: str, arguments: argparse.Namespace, wishes: ImportWishes) -> int:
    run_id = orchestrator.import_patch(
        _read(name), name=name, strip=arguments.strip, target=arguments.target, how=wishes
    )
    return host_run(orchestrator, run_id, as_json=arguments.json)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no file {name}") from None
    except OSError as error:
        raise EnvironmentUnfit(f"cannot read {name}: {error.strerror}") from error


def _wishes(arguments: argparse.Namespace) -> ImportWishes:
    gates = _gates(arguments.plan) if arguments.plan else []
    known = {gate["id"] for gate in gates}
    for name in arguments.gate:
        if name not in known:
            hint = f"the plan has {', '.join(sorted(known)) or 'none'}" if arguments.plan else "--plan PLAN says where"
            raise UsageError(f"--gate: there is no gate {name!r}", hint=hint)
    return ImportWishes(
        _settings(), tuple(gates), tuple(arguments.gate), review="always" if arguments.review else "auto"
    )


def _gates(path: str) -> list[Mapping[str, Any]]:
    """The gates of a plan, as they are written."""
    plan = load_plan(Path(path))
    found: list[Mapping[str, Any]] = json.loads(plan.text).get("gates", [])
    return found


def _settings() -> RunSettings:
    return settings_for(import_plan("import", review="auto"), read_config(find_workspace(Path.cwd())))
