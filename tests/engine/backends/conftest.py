import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.backends.contract import AttemptEnd, Backend, WorkOrder
from engine.backends.local import LocalBackend
from engine.clock import monotonic
from engine.ids import new_id

MakeOrder = Callable[..., WorkOrder]
WaitAll = Callable[[Backend, int], list[AttemptEnd]]


@pytest.fixture
def make_order(tmp_path: Path) -> MakeOrder:
    """Work orders in a folder of the test; a text is a shell script."""

    def make(command: str | tuple[str, ...] = "true", **changes: Any) -> WorkOrder:
        attempt_id = new_id("attempt")
        argv = ("/bin/sh", "-c", command) if isinstance(command, str) else command
        facts: dict[str, Any] = {
            "attempt_id": attempt_id,
            "run_id": "run_1",
            "step_id": "build",
            "number": 1,
            "argv": argv,
            "cwd": tmp_path,
            "env": {"PATH": os.environ["PATH"], "MINIPIPE_ATTEMPT_ID": attempt_id},
            "log_path": tmp_path / "logs" / f"{attempt_id}.log",
            "grace_seconds": 0.3,
        }
        return WorkOrder(**(facts | changes))

    return make


@pytest.fixture
def wait_all() -> WaitAll:
    """Waits until so many attempts have ended."""

    def wait(backend: Backend, count: int) -> list[AttemptEnd]:
        ends: list[AttemptEnd] = []
        until = monotonic() + 10
        while len(ends) < count:
            assert monotonic() < until, f"{len(ends)} of {count} ended"
            ends += backend.wait(1.0)
        return ends

    return wait


@pytest.fixture
def local() -> Iterator[LocalBackend]:
    backend = LocalBackend(slots=2)
    yield backend
    backend.close()
