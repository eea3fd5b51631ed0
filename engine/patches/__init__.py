"""Patches: what a step changed, judged, reviewed and brought to a commit.

The pure files (`diff_stats`, `unified`, `text_rules`, `path_rules`, `scope`, `risk`) read bytes and answer; the others
act on git and the ledger. Importing a pure one loads nothing else: the names promised here are loaded when asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.git.changes import DiffStats
    from engine.patches.diff_stats import compute_diff_stats
    from engine.patches.ledger import PatchLedger

__all__ = ["DiffStats", "PatchLedger", "compute_diff_stats"]

_HOMES = {
    "DiffStats": "engine.git.changes",
    "PatchLedger": "engine.patches.ledger",
    "compute_diff_stats": "engine.patches.diff_stats",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
