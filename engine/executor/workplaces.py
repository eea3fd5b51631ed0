"""Where the attempts of a run work: worktrees of their own, one for the whole run, or the folder itself.

A worktree is at the head of the run's own branch when its attempt starts, holds what earlier steps kept for it, and is
given back as soon as what was changed in it has been captured. There is no way from here to the user's own checkout.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from engine.errors import WorktreeUnavailable
from engine.executor.artifacts import Artifacts, copy_ignored
from engine.git.index import private_index
from engine.git.merging import merge
from engine.git.program import Git
from engine.plan.plan import Invocation, Isolation, WorktreeWishes
from engine.worktrees.pool import WorktreePool
from engine.worktrees.worktree import Worktree

_FIRST_PORT, _PORTS_EACH = 20_000, 10


class Workplace:
    """One folder to work in. `worktree` is None where it is the user's own, of which nothing is captured."""

    def __init__(self, root: Path, worktree: Worktree | None = None) -> None:
        self.root = root
        self.worktree = worktree

    @property
    def environment(self) -> dict[str, str]:
        """What tells a step where it is, and keeps its git from finding any other repository."""
        if self.worktree is None:
            return {}
        number = int(self.root.name.rpartition("-")[2])
        return {
            "MINIPIPE_WORKTREE": str(self.root),
            "MINIPIPE_BASE_COMMIT": self.worktree.commit,
            "MINIPIPE_PORT": str(_FIRST_PORT + _PORTS_EACH * number),
            "GIT_CEILING_DIRECTORIES": str(self.root.parent),
        }


class Workplaces(Protocol):
    """Gives attempts and gates a place, and takes it back."""

    def room(self) -> int | None:
        """How many more there may be now; None where it does not matter."""

    def open(self, name: str, commit: str, *, step_id: str, before: Sequence[str] = ()) -> Workplace:
        """A place at a commit for the attempt or gate of this name, with what the steps `before` it kept."""

    def rescue(self, attempt_ids: Collection[str]) -> None:
        """Keep what these attempts of a dead owner had changed, and take back its places; its processes have ended."""

    def of(self, name: str) -> Workplace:
        """The place that was opened under a name."""

    def close(self, name: str) -> None:
        """Nobody works there any more."""

    def close_all(self) -> None:
        """The end: give everything back."""


class TheFolderItself:
    """Isolation `none`: everybody works in one folder, at the same time."""

    def __init__(self, root: Path) -> None:
        self._place = Workplace(root)

    def room(self) -> int | None:
        return None

    def open(self, name: str, commit: str, *, step_id: str, before: Sequence[str] = ()) -> Workplace:
        return self._place

    def rescue(self, attempt_ids: Collection[str]) -> None:
        pass

    def of(self, name: str) -> Workplace:
        return self._place

    def close(self, name: str) -> None:
        pass

    def close_all(self) -> None:
        pass


class OwnWorktrees:
    """Isolation `step` and `run`: a worktree for each attempt, or the same one, kept between the steps of a run."""

    def __init__(
        self,
        pool: WorktreePool,
        run_id: str,
        isolation: Isolation,
        *,
        source: Path,
        wishes: WorktreeWishes,
        artifacts: Artifacts,
    ) -> None:
        self._pool = pool
        self._run_id = run_id
        self._is_kept = isolation == "run"
        self._kept: Worktree | None = None
        self._source = source
        self._wishes = wishes
        self._artifacts = artifacts
        self._places: dict[str, Workplace] = {}

    def room(self) -> int | None:
        room = self._pool.room()
        # The kept one counts as used there; while nobody works in it, it is to be had here.
        return room if room is None else room + self._is_kept_free

    def open(self, name: str, commit: str, *, step_id: str, before: Sequence[str] = ()) -> Workplace:
        """A clean worktree at a commit; WorktreeUnavailable if there can be none."""
        worktree = self._claim(name, commit, step_id)
        place = self._places[name] = Workplace(worktree.path, worktree)
        try:
            self._artifacts.place(before, worktree.path)
            missing = copy_ignored(self._wishes.copy_files, self._source, worktree.path)
        except (OSError, ValueError) as error:
            self.close(name)
            raise WorktreeUnavailable(f"what it needs could not be copied: {error}") from error
        if missing:
            self.close(name)
            raise WorktreeUnavailable(f"{missing[0]}, which the plan copies into worktrees, is not in {self._source}")
        return place

    def _claim(self, name: str, commit: str, step_id: str) -> Worktree:
        is_gate = name.startswith("gat_")
        if not self._is_kept or (is_gate and not (self._is_kept_free and self._pool.room() == 0)):
            return self._pool.claim(commit, run_id=self._run_id, step_id=name)
        if self._kept is None:
            self._kept = self._pool.claim(commit, run_id=self._run_id, step_id=name)
        else:
            self._kept.hand_over(name)
            self._kept.reset(commit, keep_ignored=True)
        return self._kept

    @property
    def _is_kept_free(self) -> bool:
        return self._kept is not None and all(place.worktree is not self._kept for place in self._places.values())

    def rescue(self, attempt_ids: Collection[str]) -> None:
        self._pool.rescue(self._run_id, only=attempt_ids)

    def of(self, name: str) -> Workplace:
        return self._places[name]

    def close(self, name: str) -> None:
        place = self._places.pop(name, None)
        if place is not None and place.worktree is not None and place.worktree is not self._kept:
            place.worktree.release()

    def close_all(self) -> None:
        for name in list(self._places):
            self.close(name)
        if self._kept is not None:
            self._kept.release()
            self._kept = None


def after_setup(setup: str, invocation: Invocation) -> tuple[str, ...]:
    """The plan's set-up line, then, in the folder that is meant, the program itself in the same process."""
    script = f"( {setup}\n) || {{ echo 'minipipe: the set-up of the worktree failed' >&2; exit 97; }}\n"
    return ("/bin/sh", "-c", f'{script}cd -- "$0" && exec "$@"', invocation.cwd, *invocation.argv)


def apply_earlier(git: Git, place: Workplace, commit: str) -> bool:
    """Put an earlier change into a place, uncommitted, for whoever is to go on with it; whether it still fits."""
    assert place.worktree is not None
    merged = merge(git, place.worktree.commit, commit)
    if not merged.is_clean:
        return False
    with private_index(place.worktree.git().sealed(), like=place.worktree.index_path) as own:
        own.tell("read-tree", "-m", "-u", place.worktree.commit, merged.tree)
    return True
