"""The pipeline of a run whose steps work in the folder itself: nothing is captured, so nothing is ever under way."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from engine.backends.contract import AttemptEnd, ProcessFacts, WorkOrder
from engine.errors import ActionRefused
from engine.executor.onlooker import Onlooker
from engine.plan.plan import Step
from engine.store.records import AttemptRecord, PatchRecord


class NoPatches:
    """Answers like a pipeline in which there is no patch; an onlooker tells what became of the repository around."""

    is_idle = True
    is_working = False
    is_starved = False
    waits_for: str | None = None
    head = ""

    def __init__(self, onlooker: Onlooker | None = None, tell: Callable[[str], object] = str) -> None:
        self._onlooker = onlooker
        self._tell = tell

    def open(self) -> None:
        if self._onlooker is not None:
            self._onlooker.begin()

    def close(self) -> None:
        if self._onlooker is not None:
            for difference in self._onlooker.end():
                self._tell(f"{difference} while the run worked in the folder itself")

    def close_refs(self) -> None:
        self.close()

    def sum_up(self) -> None: ...

    def advance(self, room: int) -> list[WorkOrder]:
        return []

    def promotion_after(self, state: str) -> Mapping[str, Any] | None:
        return None

    def runs_gate(self, gate_id: str) -> bool:
        return False

    def gates_running(self) -> list[str]:
        return []

    def look_around(self, step_id: str) -> str:
        return ""

    def note_facts(self, gate_id: str, facts: ProcessFacts | None) -> None: ...

    def admit(self, step: Step, attempt: AttemptRecord, base: str, commit: str) -> PatchRecord:
        return _never()

    def settle_gate(self, end: AttemptEnd) -> None:
        _never()

    def obey(self, arguments: Mapping[str, Any]) -> None:
        raise ActionRefused("decide", "patches", "its steps work in the folder itself: there are none")

    def cancel(self, *, finally_too: bool) -> None: ...

    def drop(self, step_id: str, *, reason: str) -> None: ...

    def retry_held(self) -> int:
        return 0


def _never() -> NoReturn:
    raise AssertionError("nothing is captured in the folder itself")
