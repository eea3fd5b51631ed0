"""Runs as a whole: made, executed by the process that owns them, and steered from any process.

Every action asks the run's lock who is in charge. Where nobody is, it is done here and now; where somebody is, it
becomes a command row for the owner, and the answer is waited for.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import clock, ownership, promotion, recovery
from engine.backends.contract import Backend
from engine.backends.local import LocalBackend
from engine.closing import close_run
from engine.config.keys import Config
from engine.errors import ActionRefused, CommitsLost, EnvironmentUnfit, NotFound, RunOwned
from engine.events import EventBus
from engine.events.poke import PokeListener, Poker, commands_role
from engine.executor.assembly import Surroundings, Workshop, signing_settings, worktrees_home
from engine.executor.attempts import Attempts
from engine.executor.control import Control, Verb
from engine.executor.creation import kept_variables, write_run
from engine.executor.demands import check_demands
from engine.executor.gatekeeper import Setting
from engine.executor.inbox import Inbox
from engine.executor.opening import build_scheduler, open_book, read_script
from engine.executor.ref_keeping import drop_needless_refs
from engine.executor.runbook import Runbook, RunScript
from engine.executor.settings import RunSettings, settings_for
from engine.executor.start import NO_TARGET, Start, start_of
from engine.executor.workplaces import Workplaces
from engine.executor.workstreams import succeeded
from engine.git.objects import identity_of
from engine.git.repository import find_repository
from engine.imports import Importing, ImportWishes, gates_of_step, read_branch, read_patch_file
from engine.owners import OWNER_GONE, Owners
from engine.patches.application import Signature
from engine.patches.decisions import Decision, check_decision
from engine.plan.expansion import expand
from engine.plan.load import load_plan, parse_plan
from engine.plan.plan import Plan
from engine.plan.variables import bind_variables
from engine.rollback import Rollback, check_run, finish_interrupted
from engine.states import RunState, RunStateMachine, TaskState
from engine.store import patch_queries, queries
from engine.store.database import Database, open_store
from engine.store.journal import Audience, Journal
from engine.store.records import CommandRecord, PatchRecord, RunRecord, TaskRecord
from engine.workspace import STATE_FOLDER, Workspace, find_workspace
from engine.worktrees.places import home_at
from engine.worktrees.rescue import rescue

PlanSource = Plan | Mapping[str, Any] | str | os.PathLike[str]


class Orchestrator:
    """Makes runs, executes them, steers them. One instance a process and store."""

    def __init__(
        self,
        db: Database | str | os.PathLike[str],
        *,
        workspace: Workspace | None = None,
        bus: EventBus | None = None,
        audience: Sequence[Audience] = (),
        environ: Mapping[str, str] | None = None,
        config: Config | None = None,
    ) -> None:
        self.database = open_store(db)
        self.workspace = workspace or _workspace_around(self.database.path)
        self.journal = Journal(self.database, bus=bus, audience=audience)
        self._environ = os.environ if environ is None else environ
        self.config = config or Config()
        self._poker = Poker(self.workspace.wake_folder)
        self._poker.sweep()
        self._owners = Owners(self.journal, self._poker, self.workspace)
        self._plan_at_hand: Plan | None = None

    # -- making ----------------------------------------------------------------------------------------

    def create_run(
        self,
        plan: PlanSource,
        *,
        path: Path | None = None,
        variables: Mapping[str, str] | None = None,
        settings: RunSettings | None = None,
        project_id: str | None = None,
        target: str | None = None,
    ) -> str:
        """Write a pending run of a plan (a Plan, its JSON as a mapping, or a path) and answer its id.

        `target` is the branch that gets the run's changes: by default the one that is checked out, `none` for none.
        """
        plan, path = _read_plan(plan, path)
        self._plan_at_hand = plan
        values = bind_variables(plan, variables or {}, self._environ)
        steps = expand(plan, values)
        settings = settings or settings_for(plan, self.config)
        check_demands(plan, steps, settings, self.workspace)
        start = start_of(self.workspace, settings, target=target)
        self.journal.hide(values.secrets)
        run = write_run(
            self.journal,
            plan,
            steps,
            values,
            settings,
            workspace=self.workspace.root,
            plan_path=str(path.absolute()) if path else None,
            project_id=project_id,
            base_commit=start.base_commit,
            target=start.target,
            warnings=start.warnings,
        )
        return run.run_id

    def retry_run(self, run_id: str, *, variables: Mapping[str, str] | None = None) -> str:
        """A new run of an ended run's plan, in which what was completed is carried over; answer its id."""
        old = self._find(run_id)
        if not RunStateMachine.is_terminal(old.state):
            raise ActionRefused("retry", run_id, f"it is {old.state}", hint=f"minipipe resume {run_id}")
        plan = self._plan_of(old)
        values = bind_variables(plan, {**kept_variables(old, plan), **(variables or {})}, self._environ)
        settings = RunSettings.from_dict(old.settings)
        self.journal.hide(values.secrets)
        run = write_run(
            self.journal,
            plan,
            expand(plan, values),
            values,
            settings,
            workspace=self.workspace.root,
            plan_path=old.plan_path,
            project_id=old.project_id,
            retry_of=old,
            carried=self._carried(old),
            # What the old run has committed is there already: the new one goes on from it.
            base_commit=old.base_commit if old.mode == "shadow" else old.head_commit,
            target=old.target,
        )
        return run.run_id

    def _carried(self, old: RunRecord) -> dict[str, TaskRecord]:
        """What need not be done again; of a shadow run all that was done is gone."""
        if old.mode == "shadow":
            return {}
        return {task.step_id: task for task in queries.tasks_of(self.database, old.run_id) if _is_done(task)}

    def import_patch(
        self, text: bytes, *, name: str, strip: int | None = None, target: str | None = None, how: ImportWishes
    ) -> str:
        """A pending run that takes a patch file in; answer its id. `execute_run` goes on with it."""
        start, importing = self._importing(target, how)
        assert start.base_commit is not None
        foreign = read_patch_file(importing.git, text, start.base_commit, name=name, strip=strip)
        return importing.make_run(how.plan_for(name), foreign, start, how.settings)

    def import_branch(self, branch: str, *, target: str | None = None, how: ImportWishes) -> str:
        """The same for everything that a branch has and the target has not."""
        start, importing = self._importing(target, how)
        assert start.base_commit is not None
        foreign = read_branch(importing.git, branch, start.base_commit)
        return importing.make_run(how.plan_for(branch), foreign, start, how.settings)

    def release_into_new_run(self, patch_id: str, *, operator: str | None = None) -> str:
        """A pending run of a patch that stands in quarantine and whose own run has ended; answer its id."""
        patch = patch_queries.find_patch(self.database, patch_id)
        if patch is None:
            raise NotFound("patch", patch_id, hint="minipipe patch list lists them")
        check_decision(patch, Decision("release", patch_id, operator))
        old = self._find(patch.run_id)
        gates, wanted = gates_of_step(old, patch.step_id)
        how = ImportWishes(RunSettings.from_dict(old.settings), gates=tuple(gates), wanted=tuple(wanted))
        start, importing = self._importing(old.target or NO_TARGET, how)
        return importing.make_run_of_released(
            how.plan_for(patch.step_id), patch, start, how.settings, operator=operator
        )

    def _importing(self, target: str | None, how: ImportWishes) -> tuple[Start, Importing]:
        check_demands(how.plan_for("import"), (), how.settings, self.workspace)
        start = start_of(self.workspace, how.settings, target=target)
        assert self.workspace.git_folder is not None
        repository = find_repository(self.workspace.root, self.workspace.git_folder)
        return start, Importing(self.journal, self.workspace, repository.git)

    # -- executing -------------------------------------------------------------------------------------

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
        with self._own(run_id) as lock:
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

        home = home_at(worktrees_home(self.config, git.git_folder), git.git_folder)
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

    def _plan_of(self, run: RunRecord) -> Plan:
        """The plan that a run was started with: the one at hand if it is the same, else read again from the record."""
        if self._plan_at_hand is None or self._plan_at_hand.digest != run.plan_digest:
            self._plan_at_hand = parse_plan(run.plan_text, source=run.plan_path or run.plan_id)
        return self._plan_at_hand

    def _own(self, run_id: str) -> ownership.RunLock:
        """Become the owner of a run, or RunOwned."""
        return ownership.claim(run_id, self.workspace.run_folder(run_id))

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

    # -- steering --------------------------------------------------------------------------------------

    def start_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Mark a pending run as running; `execute_run` does its work. False for an unknown id."""
        return self._move_unowned(run_id, RunState.RUNNING, "start", operator, started_at=clock.utc_now())

    def pause_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Let running attempts finish and start nothing more. False for an unknown id."""
        return self.tell_owner(run_id, "pause", operator) or self._move_unowned(
            run_id, RunState.PAUSED, "pause", operator, reason="user", pause_reason="user"
        )

    def resume_run(self, run_id: str, *, operator: str | None = None) -> bool:
        """Let a paused run go on: its owner does, or whoever executes it next. False for an unknown id."""
        return self.tell_owner(run_id, "resume", operator) or self._move_unowned(
            run_id, RunState.RUNNING, "resume", operator, pause_reason=None
        )

    def cancel_run(self, run_id: str, *, operator: str | None = None, control: Control | None = None) -> bool:
        """End a run; its `finally` steps still run. False for an unknown id."""
        if self.tell_owner(run_id, "cancel", operator):
            return True
        run = queries.find_run(self.database, run_id)
        if run is None:
            return False
        if run.state == RunState.PENDING or RunStateMachine.is_terminal(run.state):
            self._close_unowned(run_id, RunState.CANCELED, "cancel", reason="canceled", operator=operator)
            return True
        own_control = control or Control()
        own_control.ask("cancel", operator=operator)
        try:
            self.execute_run(run_id, control=own_control)
        except CommitsLost:
            # There is nothing that its `finally` steps could start from.
            self._close_unowned(run_id, RunState.CANCELED, "cancel", reason="canceled", operator=operator)
        finally:
            if control is None:
                own_control.close()
        return True

    def complete_run(self, run_id: str, *, state: str = RunState.SUCCEEDED, reason: str | None = None) -> bool:
        """End a run by hand. A success is refused while a critical task has none. False for an unknown id."""
        run = queries.find_run(self.database, run_id)
        if run is None:
            return False
        RunStateMachine.validate_transition(run.state, state, entity_id=run_id)
        if not RunStateMachine.is_terminal(state):
            raise ActionRefused("complete", run_id, f"{state} is not an end")
        if state == RunState.SUCCEEDED:
            open_steps = [
                task.step_id
                for task in queries.tasks_of(self.database, run_id)
                if task.critical and not succeeded(task)
            ]
            if open_steps:
                raise ActionRefused("complete", run_id, f"{', '.join(open_steps[:3])} did not succeed")
        self._close_unowned(run_id, state, "complete", reason=reason)
        return True

    def ask(self, run_id: str, verb: Verb, *, operator: str | None = None) -> CommandRecord:
        """Ask the owner of a run for something, and wait for what becomes of it."""
        return self._owners.ask(self._find(run_id), verb, operator=operator)

    def tell_owner(self, run_id: str, verb: Verb, operator: str | None = None) -> bool:
        """Whether the run's owner has done it; False where nobody owns the run, or no longer."""
        if not self._has_owner(run_id):
            return False
        run = self._find(run_id)
        if RunStateMachine.is_terminal(run.state) and promotion.is_unfinished(run):
            why = f"it has {run.state}, and its changes are on their way to {run.target or 'a branch of their own'}"
            raise ActionRefused(verb, run_id, why, hint="Ctrl-C where it runs stops that")
        return self._owners.have_done(run, verb, operator=operator)

    def _move_unowned(self, run_id: str, state: str, trigger: str, operator: str | None, **details: Any) -> bool:
        if queries.find_run(self.database, run_id) is None:
            return False
        with self._own(run_id):
            # What a dead owner left running would go on with nobody to see how it ends.
            recovery.end_leftovers(recovery.open_work(self.database, run_id))
            self.journal.move(
                self._find(run_id),
                state,
                trigger=trigger,
                operator=operator,
                owner_pid=None,
                owner_host=None,
                **details,
            )
        return True

    def _close_unowned(
        self, run_id: str, state: str, trigger: str, *, reason: str | None, operator: str | None = None
    ) -> None:
        with self._own(run_id):
            close_run(self.journal, self._find(run_id), state, trigger=trigger, reason=reason, operator=operator)

    def _has_owner(self, run_id: str) -> bool:
        return self._owners.exist_for(run_id)

    def _find(self, run_id: str) -> RunRecord:
        run = queries.find_run(self.database, run_id)
        if run is None:
            raise NotFound("run", run_id)
        return run

    def _find_patch(self, patch_id: str) -> PatchRecord:
        patch = patch_queries.find_patch(self.database, patch_id)
        if patch is None:
            raise NotFound("patch", patch_id, hint="minipipe patch list lists them")
        return patch

    def interrupted_runs(self) -> list[RunRecord]:
        """Runs that are recorded as running, or as about to be promoted, but that nobody runs."""
        return [run for run in queries.unfinished_runs(self.database) if not self._has_owner(run.run_id)]

    def close(self) -> None:
        self._poker.close()
        self.journal.close()

    def __enter__(self) -> "Orchestrator":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _read_plan(source: PlanSource, path: Path | None) -> tuple[Plan, Path | None]:
    if isinstance(source, Plan):
        return source, path
    if isinstance(source, Mapping):
        return parse_plan(json.dumps(source)), path
    return load_plan(Path(source)), Path(source)


def _workspace_around(database_path: Path) -> Workspace:
    """The workspace of a store that was opened by its path alone."""
    folder = database_path.parent
    if folder.name != STATE_FOLDER:
        return Workspace(root=folder, state_folder=folder)
    found = find_workspace(folder.parent)
    workspace = found if found.state_folder == folder.resolve() else Workspace(folder.parent, folder)
    workspace.prepare()
    return workspace


def _kept_reason(book: Runbook) -> str | None:
    """What a takeover goes on with: a cancellation that had begun; a pause that had not come about is over."""
    return book.run.reason if book.is_canceling else None


def _is_done(task: TaskRecord) -> bool:
    """Whether a new run need not do a task again; what a condition decided is decided anew."""
    return task.state == TaskState.COMPLETED or (task.state == TaskState.SKIPPED and task.reason == "carried")
