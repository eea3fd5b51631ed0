"""Why a run, a step or a patch is where it is, in a person's words; JSON keeps the engine's own short names."""

from collections.abc import Mapping
from typing import Any

from engine.git.changes import DiffStats

_WORDS = {
    "condition": "its condition does not hold",
    "run_if": "nothing that it depends on failed",
    "dependency_failed": "a step that it depends on failed",
    "fail_fast": "another step failed (fail_fast)",
    "carried": "done in the run before",
    "orphaned": "minipipe ended while it ran",
    "crash_loop": "minipipe ended too often while it ran",
    "no_tool": "it cannot be started",
    "failed": "",
    "canceled": "",
    "timeout": "it ran longer than its timeout",
    "user": "on request",
    "check_failed": "a check of its change failed",
    "scope_violation": "it changed what it must not",
    "no_change": "it was to change something, and did not",
    "conflict": "its change conflicts with what was committed meanwhile",
    "changes_requested": "a reviewer wants its change otherwise",
    "rejected": "a reviewer rejected its change",
    "suspect": "it cannot be trusted",
    "review": "it waits for review",
    "already_there": "the change was there already",
    "shadow": "shadow mode: nothing is applied",
    "run_ended": "its run ended",
    "promotion": "what it committed is not on its target branch",
    "dropped": "",
    "exhausted": "nothing is left to try",
}

_WAITS = {
    "created": "to be checked",
    "validated": "its turn",
    "queued": "its turn",
    "awaiting_review": "review",
    "applied": "its checks",
    "verified": "to be committed",
    "apply_failed": "another try: it conflicts with what was committed meanwhile",
    "quarantined": "somebody to release or drop its patch",
}
"""What a step waits for while its change is in a state."""

_BLAME = "failed: "
"""How the reason of a failed run begins, before the names of the steps; the state beside it says as much."""


def in_words(reason: str | None, message: object = None) -> str:
    """The message where there is one, else what the reason means; nothing where the state says it all."""
    if message:
        return str(message)
    return _WORDS.get(reason or "", reason or "").removeprefix(_BLAME)


def review_in_words(status: str) -> str:
    """What somebody has decided, or that nobody has."""
    return "sent back" if status == "changes_requested" else status.replace("_", " ")


def waits_for(patch_state: str) -> str:
    """What a step that is validating waits for; nothing where its patch is settled."""
    return _WAITS.get(patch_state, "")


def why_of_patch(patch: Mapping[str, Any]) -> str:
    """Why a patch is in its state."""
    if patch["state"] == "quarantined":
        return str(patch["quarantine_reason"] or "")
    if patch["state"] == "awaiting_review":
        return str(patch["review"]["review_reason"] or "")
    if patch["state"] == "superseded" and patch["superseded_by"]:
        return f"replaced by {patch['superseded_by']}"
    return in_words(patch["reason"])


def stats_text(stats: Mapping[str, int]) -> str:
    """How large a change is: `[+5 files, +120 -30 lines]`."""
    known = {name: count for name, count in stats.items() if name in DiffStats.__dataclass_fields__}
    return str(DiffStats(**known))
