"""What can be done with an entity now: one answer for the command line, the screen and JSON.

An action is offered in a state only if the tables let it lead somewhere.
"""

from engine.states.tables import MACHINES

_ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {
        "pending": ("resume", "cancel"),
        "running": ("pause", "cancel"),
        "paused": ("resume", "cancel"),
        "quarantined": ("resume", "retry", "cancel"),
        "succeeded": ("retry",),
        "failed": ("retry",),
        "canceled": ("retry",),
    },
    "patch": {
        "validated": ("quarantine", "drop"),
        "awaiting_review": ("approve", "reject", "request-changes", "comment", "quarantine"),
        "queued": ("quarantine", "drop"),
        "apply_failed": ("quarantine", "drop"),
        "committed": ("rollback",),
        "quarantined": ("release", "drop"),
    },
}


_DECISIONS = ("approve", "reject", "request-changes")


def available_actions(entity: str, state: str, *, is_owned: bool = True, is_decided: bool = False) -> tuple[str, ...]:
    """The actions that make sense for an entity in a state.

    A run that nobody runs can be resumed; what was decided about a patch, and nobody has acted on, can be taken back.
    """
    actions = _ACTIONS.get(entity, {}).get(state, ())
    if is_decided:
        return ("undo", *(action for action in actions if action not in _DECISIONS))
    if entity == "run" and state == "running" and not is_owned:
        return ("resume", *actions)
    return actions


def exit_code_of_run(state: str) -> int | None:
    """What a command that waited for this run ends with; None while the run goes on."""
    return {"succeeded": 0, "failed": 1, "paused": 3, "quarantined": 4, "canceled": 130}.get(state)


assert all(set(states) <= set(MACHINES[entity].states()) for entity, states in _ACTIONS.items())
