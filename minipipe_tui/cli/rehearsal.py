"""`minipipe run PLAN --dry-run`: the real loop on a backend that starts nothing and a store that is thrown away."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.backends.contract import WorkOrder
from engine.executor.settings import RunSettings
from engine.masking import mask_text
from engine.plan.plan import Plan
from engine.rehearsal import rehearse_run
from engine.states.actions import exit_code_of_run
from engine.workspace import find_workspace
from minipipe_tui.cli.output import print_json, say
from minipipe_tui.cli.table import print_table
from minipipe_tui.cli.wording import in_words


def rehearse(plan: Plan, settings: RunSettings, variables: Mapping[str, str], *, as_json: bool) -> int:
    """Say what a run would start, in which order, and how it would end if everything went well."""
    document, orders = rehearse_run(find_workspace(Path.cwd()), plan, settings=settings, variables=variables)
    if as_json:
        print_json({**document, "dry_run": True, "orders": list(_order_documents(orders))})
    else:
        print_table(("#", "STEP", "STARTS"), _rows(document, orders), right=("#",))
        say("nothing was started or written down; conditions on values of steps are taken to hold")
    return exit_code_of_run(document["state"]) or 0


def _order_documents(orders: Iterable[WorkOrder]) -> Iterator[dict[str, Any]]:
    for order in orders:
        yield {"step_id": order.step_id, "argv": _shown(order), "cwd": str(order.cwd)}


def _rows(document: Mapping[str, Any], orders: Iterable[WorkOrder]) -> Iterator[tuple[str, str, str]]:
    for number, order in enumerate(orders, start=1):
        yield str(number), order.step_id, shlex.join(_shown(order))
    for task in document["tasks"]:
        if not task["attempts"]:
            yield "-", task["step_id"], f"{task['state']}: {in_words(task['reason'])}"


def _shown(order: WorkOrder) -> list[str]:
    return [mask_text(word, order.secrets) for word in order.argv]
