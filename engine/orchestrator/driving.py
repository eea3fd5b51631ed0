"""Runs on their way: executed, taken over from the dead, promoted and rolled back, always under the run's lock."""

from collections.abc import Mapping
from pathlib import Path

from engine import clock, ownership, promotion, recovery
from engine.backends.contract import Backend
from engine.backends.local import LocalBackend
from engine.errors import EnvironmentUnfit, RunOwned
from engine.events.poke import PokeListener, commands_role
from engine.executor.assembly import Surroundings, Workshop, signing_settings
from engine.executor.attempts import Attempts
from engine.executor.control import Control
from engine.executor.gatekeeper import Setting
from engine.executor.inbox import Inbox
from engine.executor.opening import build_scheduler, open_book, read_script
from engine.executor.ref_keeping import drop_needless_refs
from engine.executor.runbook import Runbook, RunScript
from engine.executor.settings import RunSettings
from engine.executor.workplaces import Workplaces
from engine.git.objects import identity_of
from engine.git.repository import find_repository, telling_if_unreadable
from engine.orchestrator.runs import Runs
from engine.owners import OWNER_GONE
from engine.patches.application import Signature
from engine.rollback import Rollback, check_run, finish_interrupted
from engine.states import RunState, RunStateMachine
from engine.store import patch_queries, queries
from engine.store.records import PatchRecord, RunRecord
from engine.worktrees.places import home_at, home_in
from engine.worktrees.rescue import rescue


class Driving(Runs):
    """Executes runs, and settles what is to become of what they have committed."""

    def execute_run(
        self,
        run_id: str,
        *,
        backend: Backend | None = None,
        control: Control | None = None,
        variables: Mapping[str, str] | None = None,
        stays_when_paused: bool = False,
    ) -> RunRecord:
        """Own a run and drive it until it ends or pauses; interrupted work of a dead owner is taken over first."""
        self._find(run_id)
        with telling_if_unreadable(self.workspace.git_folder), self._own(run_id) as lock:
            run = self._settle_moves(self._find(run_id), lock, control, variables)
            if RunStateMachine.is_terminal(run.state):
                self._clear_up_after(run, lock)
                return run
            # Where it began, wherever in the repository one stands now.
            workspace = self.workspace._replace(root=Path(run.workspace))
            script = read_script(run, self._plan_of(run), workspace, variables or {}, self._environ)
            book = open_book(self.journal, run, script)
            workshop = Workshop(book, Surroundings(self._environ, self.config, held=(lock.descriptor,)))
            attempts = workshop.attempts()
            self._take_over(book, attempts, workshop.places, lock.owner)
            backend = backend or LocalBackend(script.settings.max_concurrent)
            own_control = control or Control()
            with PokeListener(self.workspace.wake_folder, commands_role(run_id)) as listener:
                inbox = Inbox(
                    self.database,
                    run_id,
                    listener if listener.is_open else None,
                    poll_seconds=self.config.follow.poll_interval_seconds,
                )
                scheduler = build_scheduler(book, queries.recent_durations(self.database, run.plan_id))
                try:
                    run = workshop.loop(
                        attempts, scheduler, backend, own_control, inbox, stays_when_paused=stays_when_paused
                    ).execute()
                    if RunStateMachine.is_terminal(run.state):
                        workshop.tidy()
                    return self._settle_moves(run, lock, own_control, variables)
                finally:
                    backend.close()
                    if control is None:
                        own_control.close()

    # -- what follows a run ----------------------------------------------------------------------------

    def promote_run(
        self,
        run_id: str,
        *,
        operator: str | None = None,
        target: str | None = None,
        control: Control | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Take the changes of a run that has succeeded to its target branch, or another; what came of it is on record
        in `promotion`: done, or refused.
        """
        self._find(run_id)
        with self._own(run_id) as lock:
            run = self._settle_moves(self._find(run_id), lock, control, variables)
            run = promotion.begin(self.journal, run, target=target, operator=operator)
            return self._settle_moves(run, lock, control, variables)

    def rollback_run(
        self,
        run_id: str,
        *,
        operator: str | None = None,
        control: Control | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> RunRecord:
        """Undo everything that a run has committed, or nothing: ActionRefused says why not."""
        self._find(run_id)
        with self._own(run_id) as lock:
            check_run(self._find(run_id))
            run = self._settle_moves(self._find(run_id), lock, control, variables)
            return Rollback(self._grounds(run, lock, control, variables), run).undo_all(operator=operator)

    def rollback_patch(
        self,
        patch_id: str,
        *,
        operator: str | None = None,
        control: Control | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> PatchRecord:
        """Undo one committed patch where it lives now: ActionRefused or InvalidTransition says why not."""
        run_id = self._find_patch(patch_id).run_id
        with self._own(run_id) as lock:
            check_run(self._find(run_id))
            run = self._settle_moves(self._find(run_id), lock, control, variables)
            grounds = self._grounds(run, lock, control, variables)
            Rollback(grounds, run).undo_patch(self._find_patch(patch_id), operator=operator)
            return self._find_patch(patch_id)

    def _settle_moves(
        self,
        run: RunRecord,
        lock: ownership.RunLock,
        control: Control | None,
        variables: Mapping[str, str] | None,
    ) -> RunRecord:
        """Bring to an end what is on record as begun or to be done, and is not."""
        if not promotion.is_unfinished(run):
            return run
        grounds = self._grounds(run, lock, control, variables)
        if ((run.promotion or {}).get("intent") or {}).get("kind") == promotion.ROLLBACK:
            run = finish_interrupted(grounds, run)
        if promotion.is_unfinished(run):
            run = promotion.Promotion(grounds, run).settle()
        self.journal.settle()
        return run

    def _clear_up_after(self, run: RunRecord, lock: ownership.RunLock) -> None:
        """A kill may have come between the end of a run and the removal of what it needed."""
        workspace = self.workspace._replace(root=Path(run.workspace))
        if run.base_commit is not None and workspace.git_folder is not None:
            grounds = self._grounds(run, lock, None, None)
            drop_needless_refs(grounds.git, self.database)
            grounds.close_gates(run.run_id)

    def _grounds(
        self,
        run: RunRecord,
        lock: ownership.RunLock,
        control: Control | None,
        variables: Mapping[str, str] | None,
    ) -> promotion.Grounds:
        workspace = self.workspace._replace(root=Path(run.workspace))
        if workspace.git_folder is None:
            raise EnvironmentUnfit(f"{workspace.root} is in no git repository any more")
        git = find_repository(workspace.root, workspace.git_folder).git.holding(lock.descriptor)

        def open_script() -> tuple[RunScript, Setting]:
            script = read_script(run, self._plan_of(run), workspace, variables or {}, self._environ)
            book = open_book(self.journal, run, script)
            surroundings = Surroundings(self._environ, self.config, held=(lock.descriptor,))
            return script, Workshop(book, surroundings).setting()

        home = home_at(home_in(self.config, git.git_folder), git.git_folder)
        signs = RunSettings.from_dict(run.settings).sign_commits
        return promotion.Grounds(
            journal=self.journal,
            git=git,
            lock_path=workspace.state_folder / "promotion.lock",
            signature=Signature(identity_of(git), signing_settings(git) if signs else None),
            open_script=open_script,
            free_worktrees=lambda: rescue(home, run.run_id, only=()),
            control=control,
        )

    def _take_over(self, book: Runbook, attempts: Attempts, places: Workplaces, owner: ownership.Owner) -> None:
        orphans = queries.attempts_of(self.database, book.run.run_id, state="running")
        deathless = recovery.end_leftovers(recovery.open_work(self.database, book.run.run_id))
        places.rescue({attempt.attempt_id for attempt in orphans})
        with self.journal.group():
            if deathless:
                text = f"processes of a dead owner could not be ended: {', '.join(map(str, deathless))}"
                self.journal.note("warning", book.run, reason=text)
            for command in queries.pending_commands(self.database, book.run.run_id):
                if command.created_at < owner.since:
                    self.journal.answer(command, book.run, refusal=OWNER_GONE)
            recovery.close_orphans(book, attempts, orphans)
            if book.run.state == RunState.RUNNING:
                if book.run.owner_pid is not None:
                    self.journal.note("run_recovered", book.run, metadata={"orphaned_attempts": len(orphans)})
                book.amend_run(owner_pid=owner.pid, owner_host=owner.host, reason=_kept_reason(book))
            else:
                book.move_run(
                    RunState.RUNNING,
                    trigger="execute",
                    owner_pid=owner.pid,
                    owner_host=owner.host,
                    pause_reason=None,
                    started_at=book.run.started_at or clock.utc_now(),
                )

    def end_leftovers(self) -> list[RunRecord]:
        """End what runs of dead owners left running, without going on with them; answer those runs."""
        interrupted = self.interrupted_runs()
        for run in interrupted:
            try:
                with self._own(run.run_id):
                    recovery.end_leftovers(recovery.open_work(self.database, run.run_id))
            except RunOwned:
                continue  # Somebody took it over in this very moment, and ends them.
        self._close_checks_of_the_dead()
        return interrupted

    def _close_checks_of_the_dead(self) -> None:
        """What was started to promote or roll back runs that have ended, by somebody who is gone."""
        for run_id in patch_queries.runs_with_open_gates(self.database):
            run = self._find(run_id)
            if RunStateMachine.is_terminal(run.state) and not self._has_owner(run_id):
                try:
                    with self._own(run_id) as lock:
                        self._grounds(run, lock, None, None).close_gates(run_id)
                except RunOwned:
                    continue


def _kept_reason(book: Runbook) -> str | None:
    """What a takeover goes on with: a cancellation that had begun; a pause that had not come about is over."""
    return book.run.reason if book.is_canceling else None
