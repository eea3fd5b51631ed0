"""The checks of one commit, executed at once: for moves that are made outside of a run's loop.

A small synchronous loop over a backend of its own. A Ctrl-C aborts it: what runs is stopped, the rest never begins.
"""

from collections.abc import Sequence

from engine.backends.contract import Backend
from engine.backends.local import LocalBackend
from engine.errors import Refused
from engine.executor.control import Control
from engine.executor.gatekeeper import Check, Setting, Subject
from engine.plan.plan import Gate
from engine.store.journal import Journal

_LOOK_SECONDS = 0.2
"""How often to look whether a worktree has become free, while others have them all."""


class Stopped(Refused):
    """Somebody has stopped a round of checks."""

    def __init__(self) -> None:
        super().__init__("the checks were stopped before they had ended")


def failures_of(
    setting: Setting, subject: Subject, gates: Sequence[Gate], *, slots: int, control: Control | None = None
) -> list[str]:
    """Execute gates on a commit; why it did not pass, a line for each gate that did not. Stopped if it was aborted."""
    if not gates:
        return []
    backend = LocalBackend(slots)
    if control is not None:
        backend.watch(control.fileno())
    try:
        check = Check(setting, subject, gates)
        _execute(setting.journal, check, backend, control)
    finally:
        backend.close()
        setting.places.close_all()
    return check.failures


def _execute(journal: Journal, check: Check, backend: Backend, control: Control | None) -> None:
    while True:
        with journal.group():
            orders = check.start(backend.free_slots())
        if check.is_over:
            return
        for order in orders:
            backend.start(order)
        _note_facts(journal, check, backend)
        ended = backend.wait(None if check.is_working else _LOOK_SECONDS)
        with journal.group():
            for end in ended:
                check.settle(end)
        if control is not None and is_stopped(control):
            _stop(journal, check, backend)
            raise Stopped()


def _stop(journal: Journal, check: Check, backend: Backend) -> None:
    with journal.group():
        running = check.cancel()
    for gate_id in running:
        backend.abort(gate_id)
    while check.is_working:
        ended = backend.wait(None)
        with journal.group():
            for end in ended:
                check.settle(end)


def is_stopped(control: Control) -> bool:
    """Whether somebody has asked for an end since the last look."""
    return any(request.verb == "cancel" for request in control.take())


def _note_facts(journal: Journal, check: Check, backend: Backend) -> None:
    """Which processes run, so that they are found after our death."""
    with journal.group():
        for gate_id in check.running:
            check.note_facts(gate_id, backend.process_facts(gate_id))
