"""A run's loop, put together: worktrees, captures and a pipeline where its steps are isolated, none of it elsewhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.backends.contract import Backend
from engine.config.keys import Config
from engine.executor.artifacts import Artifacts
from engine.executor.attempts import Attempts
from engine.executor.changes import Capturing
from engine.executor.control import Control
from engine.executor.environment import run_environment
from engine.executor.gatekeeper import Setting
from engine.executor.inbox import Inbox
from engine.executor.integration import Integration
from engine.executor.loop import RunLoop
from engine.executor.no_patches import NoPatches
from engine.executor.onlooker import Onlooker
from engine.executor.open_patches import OpenPatches
from engine.executor.own_moves import is_move_of_ours
from engine.executor.pipeline import Pipeline
from engine.executor.runbook import Runbook
from engine.executor.strays import Strays
from engine.executor.workplaces import OwnWorktrees, TheFolderItself, Workplaces
from engine.git.objects import Identity, identity_of
from engine.git.program import Git
from engine.git.repository import find_repository
from engine.patches.application import Signature
from engine.patches.intake import Intake
from engine.patches.judgement import Rules
from engine.plan.plan import Step
from engine.scheduler import Scheduler
from engine.store import queries
from engine.worktrees.inventory import tidy
from engine.worktrees.places import home_in
from engine.worktrees.pool import WorktreePool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run takes from the process that executes it."""

    environ: Mapping[str, str]
    config: Config
    held: tuple[int, ...] = ()
    """Descriptors that every git of ours keeps open: the run's lock lasts until the last of them has ended."""


class Workshop:
    """The parts that work on one run's changes; `git` is None where its steps work in the folder itself."""

    def __init__(self, book: Runbook, around: Surroundings) -> None:
        self._book = book
        self._around = around
        script = book.script
        folder = script.workspace.run_folder(book.run.run_id)
        self._logs, self._diffs = folder / "logs", folder / "patches"
        kept = (found / "artifacts" for found in self._folders())
        self._artifacts = Artifacts(*kept, secrets=script.values.secrets)
        self.git: Git | None = None
        self.identity: Identity | None = None
        self.places: Workplaces = TheFolderItself(script.workspace.root)
        if script.settings.isolation != "none":
            self._isolate()

    def _folders(self) -> Iterator[Path]:
        """The run's own folder, then those of the runs that it goes on from: what is carried over stands there."""
        journal, run = self._book.journal, self._book.run
        while True:
            yield self._book.script.workspace.run_folder(run.run_id)
            earlier = queries.find_run(journal.database, run.retry_of) if run.retry_of else None
            if earlier is None:
                return
            run = earlier

    def _isolate(self) -> None:
        workspace, settings = self._book.script.workspace, self._book.script.settings
        assert workspace.git_folder is not None
        repository = find_repository(workspace.root, workspace.git_folder)
        self.git = repository.git.holding(*self._around.held)
        self.identity = identity_of(repository.here)
        wishes = self._book.script.plan.globals.worktree
        pool = WorktreePool(
            repository.common,
            home_in(self._around.config, repository.common),
            cap=settings.worktree_cap,
            sparse=wishes.sparse,
            held=self._around.held,
        )
        self.places = OwnWorktrees(
            pool,
            self._book.run.run_id,
            settings.isolation,
            source=repository.root or repository.common,
            wishes=wishes,
            artifacts=self._artifacts,
        )

    def tidy(self) -> None:
        """The run has ended: what is left of it that nobody will want goes away."""
        wishes = self._around.config.worktrees
        if self.git is not None and wishes.cleanup_on_success:
            home = home_in(self._around.config, self.git.git_folder)
            tidy(self.git.git_folder, home, keep_idle=wishes.keep_idle, archives_older_than_days=wishes.archive_days)

    def attempts(self) -> Attempts:
        capturing = None
        if self.git is not None and self.identity is not None:
            capturing = Capturing(self.git, self.identity, self._artifacts)
        return Attempts(self._book, places=self.places, capturing=capturing, outer_environment=self._around.environ)

    def setting(self) -> Setting:
        """What the gates of this run have in common."""
        script = self._book.script
        return Setting(
            journal=self._book.journal,
            places=self.places,
            values=script.values,
            run_id=self._book.run.run_id,
            environment=run_environment(script, self._book.run.run_id, outer=self._around.environ),
            logs=self._logs,
            timeout_seconds=script.settings.timeout_seconds,
            grace_seconds=script.settings.grace_seconds,
            log_cap_bytes=script.settings.log_cap_bytes,
            setup=script.plan.globals.worktree.setup,
        )

    def loop(
        self,
        attempts: Attempts,
        scheduler: Scheduler,
        backend: Backend,
        control: Control,
        inbox: Inbox,
        *,
        stays_when_paused: bool,
    ) -> RunLoop:
        loop = RunLoop(
            self._book,
            attempts,
            scheduler,
            backend,
            control,
            inbox,
            places=self.places,
            stays_when_paused=stays_when_paused,
        )
        if self.git is not None and self.identity is not None:
            intake = Intake(self._book.journal, self.git, self._diffs)
            patches = OpenPatches(loop, self._book, intake, Integration(self.git, self._book), self.rules)
            loop.pipeline = Pipeline(patches, self.setting(), self.signature(), self._strays(self.git))
        else:
            loop.pipeline = NoPatches(Onlooker(self._book.script.workspace), self._warn)
        return loop

    def _warn(self, text: str) -> None:
        self._book.journal.note("warning", self._book.run, reason=text)

    def _strays(self, git: Git) -> Strays:
        run, database = self._book.run, self._book.journal.database
        folder = self._book.script.workspace.run_folder(run.run_id)
        return Strays(
            git,
            is_ours=lambda name, commit: is_move_of_ours(database, name, commit),
            kept=folder / "strays.json",
        )

    def signature(self) -> Signature:
        """Who this run's commits are by, and how they are signed, if the user wants that."""
        assert self.git is not None
        assert self.identity is not None
        is_signed = self._book.script.settings.sign_commits
        return Signature(self.identity, signing_settings(self.git) if is_signed else None)

    def rules(self, step: Step) -> Rules:
        """What the change of a step is judged by."""
        script = self._book.script
        return script.settings.rules(
            include=step.scope.include, exclude=step.scope.exclude, secrets=script.values.secrets
        )


_SIGNING: Mapping[str, str] = {
    "gpg.format": "openpgp",
    "gpg.program": "gpg",
    "gpg.ssh.program": "ssh-keygen",
    "gpg.x509.program": "gpgsm",
    "gpg.ssh.defaultKeyCommand": "",
    "user.signingKey": "",
}
"""What decides about signing, and what holds where the user has not said."""


def signing_settings(git: Git) -> dict[str, str]:
    """How the user signs: their own settings alone, for a repository's could start anything."""
    found = {key: git.ask("config", "--global", "--get", key) for key in _SIGNING}
    return {
        key: done.output.decode(errors="surrogateescape").rstrip("\n") if done.exit_code == 0 else _SIGNING[key]
        for key, done in found.items()
    }
