"""Which refs of the user's our own runs have moved, by what they wrote down before they did."""

import json
from typing import Any

from engine.git.refs import branch_ref
from engine.store import queries
from engine.store.database import Database

OUR_BRANCHES = "minipipe"


def is_move_of_ours(database: Database, name: str, commit: str | None) -> bool:
    """Whether a run on record has moved, made or removed this ref."""
    own = branch_ref(f"{OUR_BRANCHES}/")
    if name.startswith(own):
        run = queries.find_run(database, name.removeprefix(own))
        return run is not None and commit in (None, run.head_commit, (run.promotion or {}).get("commit"))
    if commit is None:
        return False
    rows = database.rows("SELECT promotion FROM runs WHERE promotion LIKE ?", (f"%{commit}%",))
    return any((name, commit) in _moves(json.loads(kept)) for (kept,) in rows)


def _moves(facts: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Where a run's records say that it has moved, or is moving, something."""
    intent, moved = facts.get("intent") or {}, facts.get("moved") or {}
    done = [(branch_ref(str(facts.get("target"))), facts.get("commit"))] if facts.get("state") == "done" else []
    return [*done, (intent.get("ref"), intent.get("new")), (moved.get("ref"), moved.get("new"))]
