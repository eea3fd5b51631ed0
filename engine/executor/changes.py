"""What an attempt has changed: captured from its worktree before anything else happens to it."""

from dataclasses import dataclass

from engine.errors import GitFailed, MinipipeError
from engine.executor.artifacts import Artifacts
from engine.executor.evidence import Finding
from engine.executor.workplaces import Workplace, apply_earlier
from engine.git.objects import Identity
from engine.git.program import Git
from engine.patches.capture import capture_tree, commit_of_tree
from engine.plan.plan import Step
from engine.states.outcomes import Outcome
from engine.worktrees.archive import archive_changes
from engine.worktrees.traps import clear_traps


@dataclass(frozen=True, slots=True)
class Change:
    """A captured commit on the commit that its attempt started from."""

    base: str
    commit: str


class Capturing:
    """Captures for one run. Where steps work in the user's own folder there is nothing to capture."""

    def __init__(self, git: Git, identity: Identity, artifacts: Artifacts) -> None:
        self._git = git
        self._identity = identity
        self._artifacts = artifacts

    def capture(self, step: Step, place: Workplace) -> Change | None:
        """The change in a worktree, if there is one; GitFailed where it cannot be told."""
        worktree = place.worktree
        assert worktree is not None
        worktree.put_git_file_back()
        if trouble := worktree.check():
            raise GitFailed("capture", f"the worktree is no longer what it was: {trouble}")
        clear_traps(worktree.path)
        tree = capture_tree(worktree.git(), worktree.index_path)
        commit = commit_of_tree(self._git, worktree.commit, tree, f"{step.id}: captured\n", self._identity)
        return None if commit is None else Change(worktree.commit, commit)

    def examine(self, step: Step, place: Workplace, finding: Finding) -> tuple[Finding, Change | None]:
        """A finding that knows what was changed: a success without the change that was expected is none."""
        if place.worktree is None or finding.outcome is not Outcome.OK:
            return finding, None
        try:
            change = self.capture(step, place)
            self._artifacts.keep(step.id, place.worktree.git(), step.outputs)
        except (MinipipeError, OSError, ValueError) as error:
            return Finding(Outcome.FAILED, str(error)), None
        if change is None and expects_change(step):
            return Finding(Outcome.NO_CHANGE, "it changed nothing, and a change was expected"), None
        return finding, change

    def put_back(self, place: Workplace, commit: str) -> bool:
        """Let an attempt go on from an earlier change, uncommitted in its worktree; whether it still fits there."""
        return apply_earlier(self._git, place, commit)

    def archive(self, place: Workplace, ref: str) -> str | None:
        """Keep what a failed attempt has changed, without any consequence; why that was not possible, or None."""
        if place.worktree is None:
            return None
        try:
            archive_changes(place.worktree, ref)
        except (MinipipeError, OSError) as error:
            return str(error)
        return None


def expects_change(step: Step) -> bool:
    """Whether an attempt that changes nothing has failed."""
    return step.kind == "code_edit" if step.expect_change is None else step.expect_change
