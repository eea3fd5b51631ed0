"""A backend that acts out a script: which attempt of a step ends how, when, leaving what behind.

It starts no process and has a clock of its own, which jumps to the next end, so an hour of steps passes at
once and always in the same order. An attempt whose seconds are infinite ends only by its timeout or an
abort. Timeouts count in scripted seconds.
"""

import math
import selectors
import signal
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from engine.backends.contract import AttemptEnd, EndedBy, ProcessFacts, ScriptedEnd, WorkOrder
from engine.errors import ConfigError
from engine.masking import mask_text
from engine.process.logs import append_log

_SUCCESS = ScriptedEnd()


@dataclass(frozen=True, slots=True)
class _Scene:
    """An attempt that is being acted: when it will end, and how."""

    order: WorkOrder
    script: ScriptedEnd
    began: float
    ends_at: float
    ended_by: EndedBy
    exit_code: int


class ScriptedBackend:
    """The nth attempt of a step takes the nth entry, the last repeats; without one it succeeds."""

    def __init__(self, script: Mapping[str, Sequence[ScriptedEnd]], slots: int) -> None:
        for entry in (entry for entries in script.values() for entry in entries):
            _check_names(entry.files)
        self.clock = 0.0
        """Scripted seconds since the beginning."""
        self._script = script
        self._slots = slots
        self._selector = selectors.DefaultSelector()
        self._started: Counter[str] = Counter()
        self._scenes: dict[str, _Scene] = {}

    def free_slots(self) -> int:
        """How many more attempts may be started now."""
        return max(self._slots - len(self._scenes), 0)

    def start(self, order: WorkOrder) -> None:
        """Begin to act the step's next entry."""
        entries = self._script.get(order.step_id) or (_SUCCESS,)
        script = entries[min(self._started[order.step_id], len(entries) - 1)]
        self._started[order.step_id] += 1
        self._scenes[order.attempt_id] = self._scene(order, script)

    def wait(self, timeout: float | None) -> list[AttemptEnd]:
        """Jump to the next end and give all that end then; if there is none, wait as any backend does."""
        next_end = min((scene.ends_at for scene in self._scenes.values()), default=math.inf)
        if next_end == math.inf:
            if timeout is not None or self._selector.get_map():
                self._selector.select(timeout)
            return []
        self.clock = next_end
        over = [scene for scene in self._scenes.values() if scene.ends_at <= next_end]
        for scene in over:
            del self._scenes[scene.order.attempt_id]
        return [_perform(scene) for scene in over]

    def abort(self, attempt_id: str, *, now: bool = False) -> None:
        """Let an attempt end here, by the signal that a process would have got."""
        scene = self._scenes.get(attempt_id)
        if scene is not None:
            number = signal.SIGKILL if now else signal.SIGTERM
            self._scenes[attempt_id] = _Scene(
                scene.order, scene.script, scene.began, self.clock, EndedBy.CANCEL, -number
            )

    def watch(self, descriptor: int) -> None:
        """Let `wait` return early when this descriptor becomes readable."""
        if descriptor not in self._selector.get_map():
            self._selector.register(descriptor, selectors.EVENT_READ)

    def process_facts(self, attempt_id: str) -> ProcessFacts | None:
        """There is no process."""
        return None

    def close(self) -> None:
        """Forget whatever is left."""
        self._scenes.clear()
        self._selector.close()

    def _scene(self, order: WorkOrder, script: ScriptedEnd) -> _Scene:
        limit = math.inf if order.timeout_seconds is None else order.timeout_seconds
        if script.seconds > limit:
            ends_at, ended_by, exit_code = self.clock + limit, EndedBy.TIMEOUT, -signal.SIGTERM
        else:
            ends_at, ended_by, exit_code = self.clock + script.seconds, EndedBy.EXIT, script.exit_code
        return _Scene(order, script, self.clock, ends_at, ended_by, int(exit_code))


class _Entry(BaseModel):
    """A scripted end as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    exit_code: int = 0
    seconds: float = Field(default=0.0, ge=0.0)
    output: str = ""
    values: dict[str, str] = {}
    files: dict[str, str] = {}


_SCRIPT = TypeAdapter(dict[str, list[_Entry]])


def read_script(text: str) -> dict[str, tuple[ScriptedEnd, ...]]:
    """A script from JSON: `{"STEP": [{"exit_code": 1, "seconds": 2, "output": "…"}, {}]}`."""
    try:
        steps = _SCRIPT.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the text"
        raise ConfigError(f"script: {place}: {first['msg']}") from error
    return {step: tuple(ScriptedEnd(**dict(entry)) for entry in entries) for step, entries in steps.items()}


def _perform(scene: _Scene) -> AttemptEnd:
    """What the attempt leaves behind; one that was stopped has written its output but done no work."""
    order, script = scene.order, scene.script
    if script.output:
        append_log(order.log_path, mask_text(script.output, order.secrets))
    if scene.ended_by is EndedBy.EXIT:
        _write_values(order.output_path, script.values)
        _write_files(order.cwd, script.files)
    return AttemptEnd(order.attempt_id, scene.ended_by, scene.exit_code, scene.ends_at - scene.began)


def _write_values(path: Path | None, values: Mapping[str, str]) -> None:
    if path is not None and values:
        with path.open("a", encoding="utf-8") as output:
            output.writelines(f"{key}={value}\n" for key, value in values.items())


def _write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ConfigError(f"script: file {name!r} is not inside the step's folder")
