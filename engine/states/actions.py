"""What can be done with an entity now: one answer for the command line, the screen and JSON.

An action is offered in a state only if the tables let it lead somewhere.
"""

from engine.states.tables import MACHINES

_ACTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {
        "pending": ("resume", "cancel"),
        "running": ("pause", "cancel"),
        "paused": ("resume", "cancel"),
        "quarantined": ("resume", "cancel"),
        "succeeded": ("retry",),
        "failed": ("retry",),
        "canceled": ("retry",),
    },
    "patch": {
        "validated": ("quarantine",),
        "awaiting_review": ("approve", "reject", "request-changes", "comment", "quarantine"),
        "queued": ("quarantine",),
        "apply_failed": ("quarantine",),
        "committed": ("rollback",),
        "quarantined": ("release", "drop"),
    },
}


def available_actions(entity: str, state: str, *, is_owned: bool = True) -> tuple[str, ...]:
    """The actions that make sense for an entity in a state; a run that nobody runs can be resumed."""
    actions = _ACTIONS.get(entity, {}).get(state, ())
    if entity == "run" and state == "running" and not is_owned:
        return ("resume", *actions)
    return actions


def exit_code_of_run(state: str) -> int | None:
    """What a command that waited for this run ends with; None while the run goes on."""
    return {"succeeded": 0, "failed": 1, "paused": 3, "quarantined": 4, "canceled": 130}.get(state)


assert all(set(states) <= set(MACHINES[entity].states()) for entity, states in _ACTIONS.items())
