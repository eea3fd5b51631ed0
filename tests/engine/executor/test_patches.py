"""What becomes of the changes of steps: captured, checked, reviewed, committed, or set aside."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.api import open_engine
from engine.errors import ActionRefused, InvalidTransition, MinipipeError
from engine.executor.control import Control
from engine.patches.decisions import Decision, Kind
from engine.patches.ledger import PatchLedger
from engine.store import patch_queries
from tests.engine.conftest import wait_until
from tests.engine.repository import Repo, outline

GATE = {"id": "good", "type": "UNIT", "shell": "! grep -rq bad . --include=*.txt"}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    made = Repo(tmp_path)
    yield made
    made.close()


def test_a_change_becomes_a_commit_on_the_runs_own_branch(repo: Repo) -> None:
    before = repo.belongings()
    document = repo.play({"id": "s", "name": "Say hello", "shell": "echo hello > b.txt"}, name="Greeter", target="none")
    run_id = document["run_id"]
    head = repo.head(run_id)
    assert outline(document) == {"s": "completed"}
    assert repo.git("rev-parse", f"{head}^") == repo.base
    assert repo.shown(head, "b.txt") == "hello"
    message = repo.git("show", "-s", "--format=%B", head)
    patch = repo.patch(run_id, "s")
    assert message.splitlines()[0] == "Greeter: Say hello"
    assert f"Minipipe-Run: {run_id}" in message
    assert f"Minipipe-Patch: {patch.patch_id}" in message
    assert (patch.state, patch.committed_commit) == ("committed", head)
    assert repo.git("show", "-s", "--format=%an", head) == "Ada"
    after = repo.belongings()
    assert {**after, "refs": None} == {**before, "refs": None}


def test_dependents_start_from_what_was_committed_before(repo: Repo) -> None:
    document = repo.play(
        {"id": "first", "shell": "echo 1 > n.txt"},
        {"id": "second", "shell": "cat n.txt && echo 2 >> n.txt", "depends_on": ["first"]},
    )
    assert repo.shown(repo.head(document["run_id"]), "n.txt") == "1\n2"


def test_independent_changes_are_merged(repo: Repo) -> None:
    steps = [{"id": f"s{number}", "shell": f"echo {number} > f{number}.txt"} for number in range(6)]
    document = repo.play(*steps)
    names = repo.git("ls-tree", "--name-only", repo.head(document["run_id"])).splitlines()
    assert names == ["a.txt", *(f"f{number}.txt" for number in range(6))]


def test_a_step_that_changes_nothing_completes_without_a_patch(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "true"})
    assert outline(document) == {"s": "completed"}
    assert repo.patches(document["run_id"]) == []
    assert not repo.refs("refs/minipipe/")


def test_a_code_edit_that_changes_nothing_has_failed(repo: Repo) -> None:
    document = repo.play({"id": "s", "kind": "code_edit", "shell": "true"})
    assert outline(document) == {"s": "failed(no_change)"}


def test_the_steps_own_commits_are_part_of_its_change(repo: Repo) -> None:
    commit = "git add -A; git -c user.name=t -c user.email=t@t commit -qm mine; git checkout -qb other"
    shell = f"echo x > x.txt; {commit}; echo y > y.txt"
    document = repo.play({"id": "s", "shell": shell})
    head = repo.head(document["run_id"])
    assert repo.git("ls-tree", "--name-only", head).splitlines() == ["a.txt", "x.txt", "y.txt"]
    assert repo.git("rev-list", "--count", head) == "2"


# -- gates -----------------------------------------------------------------------------------------------


def test_a_change_that_passes_its_gates_is_committed(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "echo fine > b.txt", "gates": ["good"]}, gates=[GATE])
    (gate,) = patch_queries.gates_of(repo.engine.database, run_id=document["run_id"])
    assert (gate.state, gate.name, gate.commit_id) == ("passed", "good", repo.head(document["run_id"]))


def test_what_a_gate_writes_is_thrown_away(repo: Repo) -> None:
    gate = {"id": "writes", "type": "CUSTOM", "shell": "echo dirt > a.txt; echo dirt > new.txt"}
    document = repo.play({"id": "s", "shell": "echo fine > b.txt", "gates": ["writes"]}, gates=[gate])
    assert repo.shown(repo.head(document["run_id"]), "a.txt") == "one\ntwo\nthree"
    assert "new.txt" not in repo.git("ls-tree", "--name-only", repo.head(document["run_id"]))


def test_a_critical_change_that_fails_its_gate_quarantines_the_run_and_moves_no_ref(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "echo bad > b.txt", "gates": ["good"]}, gates=[GATE])
    run_id = document["run_id"]
    patch = repo.patch(run_id, "s")
    assert (document["state"], document["exit_code"]) == ("quarantined", 4)
    assert outline(document) == {"s": "validating"}
    assert (patch.state, patch.findings) == ("quarantined", ("gate.good: exit code 1",))
    assert repo.refs("refs/minipipe/candidates") == {}
    assert repo.head(run_id) == repo.base


def test_a_change_that_fails_its_gate_fails_a_step_that_is_not_critical(repo: Repo) -> None:
    document = repo.play(
        {"id": "s", "shell": "echo bad > b.txt", "gates": ["good"], "critical": False},
        {"id": "t", "shell": "echo fine > c.txt", "gates": ["good"]},
        gates=[GATE],
    )
    assert document["state"] == "succeeded"
    assert outline(document) == {"s": "failed(check_failed)", "t": "completed"}
    assert repo.patch(document["run_id"], "s").state == "quarantined"


def test_a_failed_gate_is_tried_again_and_told_of(repo: Repo) -> None:
    shell = 'if [ -n "$MINIPIPE_FEEDBACK" ]; then cp "$MINIPIPE_FEEDBACK" told.md; else echo bad > b.txt; fi'
    gate = {**GATE, "shell": "cat b.txt 2>/dev/null; ! grep -q bad b.txt"}
    document = repo.play({"id": "s", "shell": shell, "gates": ["good"], "retries": 1}, gates=[gate])
    first, second = repo.patches(document["run_id"])
    assert (first.state, first.superseded_by, second.state) == ("superseded", second.patch_id, "committed")
    told = repo.shown(repo.head(document["run_id"]), "told.md")
    assert "The check 'good' failed" in told
    assert "bad" in told


def test_a_gate_whose_dependency_failed_is_never_started(repo: Repo) -> None:
    gates = [
        {"id": "first", "type": "LINT", "shell": "exit 3"},
        {"id": "second", "type": "UNIT", "shell": "touch /tmp/never", "depends_on": ["first"]},
    ]
    document = repo.play({"id": "s", "shell": "echo x > b.txt", "gates": ["second"]}, gates=gates)
    found = {gate.name: gate for gate in patch_queries.gates_of(repo.engine.database, run_id=document["run_id"])}
    assert (found["first"].state, found["first"].exit_code) == ("failed", 3)
    assert (found["second"].state, found["second"].reason) == ("failed", "not_started")


def test_a_gate_that_takes_too_long_fails(repo: Repo) -> None:
    gate = {"id": "slow", "type": "UNIT", "shell": "sleep 60", "timeout_seconds": 0.2}
    document = repo.play({"id": "s", "shell": "echo x > b.txt", "gates": ["slow"]}, gates=[gate])
    (found,) = patch_queries.gates_of(repo.engine.database, run_id=document["run_id"])
    assert (found.state, found.reason) == ("failed", "timeout")


# -- review ----------------------------------------------------------------------------------------------


def reviewed(repo: Repo, *more: dict[str, object], shell: str = "echo x > b.txt", **keys: object) -> str:
    """A run that is paused because a change waits for a person."""
    document = repo.play({"id": "s", "shell": shell, "review": "always", **keys}, *more)
    assert (document["state"], document["pause_reason"], document["exit_code"]) == ("paused", "review", 3)
    run_id: str = document["run_id"]
    return run_id


def test_independent_steps_go_on_while_one_waits_for_review(repo: Repo) -> None:
    run_id = reviewed(repo, {"id": "t", "shell": "echo t > t.txt"}, {"id": "u", "shell": "true", "depends_on": ["s"]})
    assert outline(repo.document(run_id)) == {"s": "validating", "t": "completed", "u": "pending"}
    (waiting,) = repo.ledger.list_patches_awaiting_review(run_id)
    assert waiting["review"]["review_reason"] == "the plan asks for review"


def test_an_approved_change_is_committed_by_whoever_resumes(repo: Repo) -> None:
    run_id = reviewed(repo)
    patch = repo.patch(run_id, "s")
    assert repo.ledger.approve_patch(patch.patch_id, "Grace", "well done")
    assert repo.ledger.list_patches_awaiting_review(run_id) == []
    assert repo.patch(run_id, "s").state == "awaiting_review"
    document = repo.drive(run_id)
    assert document["state"] == "succeeded"
    message = repo.git("show", "-s", "--format=%B", repo.head(run_id))
    assert "Reviewed-by: Grace" in message
    review = repo.patch_document(patch)["review"]
    assert (review["review_status"], review["reviewed_by"], review["review_comment"]) == (
        "approved",
        "Grace",
        "well done",
    )


def test_resuming_without_a_decision_waits_on(repo: Repo) -> None:
    run_id = reviewed(repo)
    assert repo.drive(run_id)["state"] == "paused"


def test_a_rejected_change_fails_its_step(repo: Repo) -> None:
    run_id = reviewed(repo)
    assert repo.ledger.reject_patch(repo.patch(run_id, "s").patch_id, "Grace", "no")
    document = repo.drive(run_id)
    assert (document["state"], outline(document)) == ("failed", {"s": "failed(rejected)"})
    assert repo.patch(run_id, "s").state == "dropped"


def test_a_change_that_was_sent_back_is_made_anew_from_where_it_was(repo: Repo) -> None:
    shell = 'test -z "$MINIPIPE_FEEDBACK" || cp "$MINIPIPE_FEEDBACK" told.md; echo more >> b.txt'
    run_id = reviewed(repo, shell=shell)
    first = repo.patch(run_id, "s")
    repo.ledger.comment(first.patch_id, "say it twice", author="Grace", path="b.txt", line=1)
    assert repo.ledger.request_changes(first.patch_id, "Grace", "not enough")
    assert repo.drive(run_id)["state"] == "paused"
    second = repo.patch(run_id, "s")
    assert repo.patches(run_id)[0].superseded_by == second.patch_id
    assert repo.shown(second.commit_id, "b.txt") == "more\nmore"
    assert second.base_commit == repo.base
    told = repo.shown(second.commit_id, "told.md")
    assert "not enough" in told
    assert "b.txt:1: say it twice" in told


def test_a_decision_about_a_patch_that_is_settled_is_refused(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "echo x > b.txt"})
    patch = repo.patch(document["run_id"], "s")
    with pytest.raises(InvalidTransition):
        repo.ledger.approve_patch(patch.patch_id, "Grace", None)
    assert not repo.ledger.approve_patch("pat_unknown", "Grace", None)


def test_an_approval_dies_when_the_change_reads_otherwise_on_the_new_head(repo: Repo) -> None:
    """Another step changes a line nearby: the merge is clean, but nobody has seen this."""
    run_id = repo.create(
        {"id": "s", "shell": "sed -i 's/one/ONE/' a.txt", "review": "always"},
        {"id": "t", "shell": "sed -i 's/three/three, four/; s/two/two!/' a.txt", "review": "always"},
    )
    repo.drive(run_id)
    s, t = repo.patch(run_id, "s"), repo.patch(run_id, "t")
    repo.ledger.approve_patch(t.patch_id, "Grace", None)
    repo.drive(run_id)
    repo.ledger.approve_patch(s.patch_id, "Grace", None)
    document = repo.drive(run_id)
    now = repo.patch(run_id, "s")
    assert document["state"] in ("paused", "quarantined", "succeeded")
    if now.state == "awaiting_review":
        assert now.review_status == "pending"
        assert now.base_commit == repo.head(run_id)
        repo.ledger.approve_patch(now.patch_id, "Grace", None)
        assert repo.drive(run_id)["state"] == "succeeded"


def test_a_conflict_is_tried_again_once_from_the_new_head(repo: Repo) -> None:
    document = repo.play(
        {"id": "s", "shell": "echo s > b.txt"},
        {"id": "t", "shell": "test -e b.txt || sleep 0.3; echo t >> b.txt"},
    )
    assert document["state"] == "succeeded"
    first, second = repo.patches(document["run_id"], "t")
    assert (first.state, second.state) == ("superseded", "committed")
    assert repo.shown(repo.head(document["run_id"]), "b.txt") == "s\nt"


# -- quarantine --------------------------------------------------------------------------------------------


def test_a_released_patch_goes_on_with_the_next_resume(repo: Repo) -> None:
    flag = repo.root.parent / "flag"
    gate = {"id": "moody", "type": "UNIT", "shell": f"test -e {flag}"}
    run_id = repo.create({"id": "s", "shell": "echo x > b.txt", "gates": ["moody"]}, gates=[gate])
    assert repo.drive(run_id)["state"] == "quarantined"
    assert repo.drive(run_id)["state"] == "quarantined"
    flag.touch()
    repo.ledger.release_patch(repo.patch(run_id, "s").patch_id, "Grace", "it was the weather")
    assert repo.drive(run_id)["state"] == "succeeded"
    assert repo.patch(run_id, "s").state == "committed"


def test_a_dropped_patch_fails_its_step_with_the_next_resume(repo: Repo) -> None:
    run_id = repo.create({"id": "s", "shell": "echo bad > b.txt", "gates": ["good"]}, gates=[GATE])
    repo.drive(run_id)
    repo.ledger.drop_patch(repo.patch(run_id, "s").patch_id, "Grace", "no use")
    assert outline(repo.drive(run_id)) == {"s": "failed(rejected)"}


# -- modes and isolation -----------------------------------------------------------------------------------


def test_in_shadow_nothing_is_applied_and_later_steps_still_see_it(repo: Repo) -> None:
    document = repo.play(
        {"id": "s", "shell": "echo 1 > n.txt", "review": "always"},
        {"id": "t", "shell": "cat n.txt; echo 2 >> n.txt", "depends_on": ["s"]},
        globals={"mode": "shadow"},
    )
    assert (document["state"], outline(document)) == ("succeeded", {"s": "completed", "t": "completed"})
    assert [(patch.state, patch.reason) for patch in repo.patches(document["run_id"])] == [("dropped", "shadow")] * 2
    assert set(repo.refs("refs/minipipe/")) == {
        f"refs/minipipe/patches/{patch.patch_id}" for patch in repo.patches(document["run_id"])
    }
    assert repo.git("rev-parse", "main") == repo.base


def test_isolation_run_keeps_ignored_files_between_steps(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {".gitignore": "build/\n"})
    document = repo.play(
        {"id": "s", "shell": "mkdir build; echo kept > build/x; echo 1 > n.txt"},
        {"id": "t", "shell": "cat build/x; test $(cat n.txt) = 1", "depends_on": ["s"]},
        globals={"isolation": "run"},
    )
    assert document["state"] == "succeeded"
    repo.close()


def test_outputs_that_git_ignores_reach_dependents_and_gates(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {".gitignore": "*.bin\n"})
    gate = {"id": "has", "type": "CUSTOM", "shell": "test -s dist/app.bin"}
    document = repo.play(
        {
            "id": "s",
            "shell": "mkdir dist; echo app > dist/app.bin; echo x > b.txt",
            "outputs": ["dist/app.bin"],
            "gates": ["has"],
        },
        {"id": "t", "shell": "true", "depends_on": ["s"]},
        {"id": "u", "shell": "test -s dist/app.bin", "depends_on": ["t"]},
        gates=[gate],
    )
    assert document["state"] == "succeeded"
    repo.close()


def test_worktrees_get_what_the_plan_copies_and_sets_up(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {".gitignore": ".env\n"})
    repo.write({".env": "KEY=1\n"})
    document = repo.play(
        {"id": "s", "shell": "cat .env set-up.txt"},
        globals={"worktree": {"copy": [".env"], "setup": "echo ready > set-up.txt"}},
    )
    assert document["state"] == "succeeded"
    repo.close()


def test_a_worktree_that_cannot_be_made_fails_the_step_and_nothing_else_is_used(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "pwd"}, globals={"worktree": {"copy": ["missing.env"]}})
    assert outline(document) == {"s": "failed(failed)"}
    assert "missing.env" in document["tasks"][0]["attempts"][0]["message"]


def test_what_a_failed_step_changed_is_kept(repo: Repo) -> None:
    document = repo.play({"id": "s", "shell": "echo half > b.txt; exit 1"})
    kept = repo.refs("refs/minipipe/archive")
    assert list(kept) == [f"refs/minipipe/archive/{document['run_id']}/s.1"]
    assert repo.shown(next(iter(kept.values())), "b.txt") == "half"


def test_a_step_that_loses_its_git_file_fails_and_reaches_nothing_else(repo: Repo) -> None:
    before = repo.belongings()
    document = repo.play({"id": "s", "shell": "rm .git; echo x > b.txt; git add -A; true"})
    assert outline(document) == {"s": "failed(failed)"}
    after = repo.belongings()
    assert after == before


def test_canceling_drops_what_is_not_committed(repo: Repo) -> None:
    run_id = reviewed(repo)
    repo.engine.cancel_run(run_id)
    assert repo.document(run_id)["state"] == "canceled"
    assert (repo.patch(run_id, "s").state, repo.patch(run_id, "s").reason) == ("dropped", "canceled")


# -- what is not a step's own to change --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "told"),
    [
        (
            "git update-ref refs/heads/main $(git commit-tree -m x HEAD^{tree})",
            "refs/heads/main was moved",
        ),
        ("git branch sneaky", "refs/heads/sneaky was made"),
        ("git config alias.x y", "the repository's settings (.git/config, .git/info) were changed"),
        ('echo exit > "$(git rev-parse --git-common-dir)/hooks/post-commit"', "the repository's hooks were changed"),
    ],
)
def test_what_a_step_changes_around_it_is_told(repo: Repo, shell: str, told: str) -> None:
    (repo.root / ".git" / "hooks").mkdir(exist_ok=True)
    shell = f"export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t; {shell}"
    document = repo.play({"id": "s", "shell": shell}, target="none")
    warnings = [event.reason for event in repo.events(document["run_id"]) if event.event_type == "warning"]
    assert warnings == [f"{told} while s ran"]


def test_what_the_user_commits_meanwhile_is_nobodys_fault(repo: Repo) -> None:
    commit = f"cd {repo.root} && git commit -q --allow-empty -m meanwhile"
    document = repo.play({"id": "s", "shell": commit}, target="none")
    assert not [event for event in repo.events(document["run_id"]) if event.event_type == "warning"]


# -- hooks, signatures, retries by hand ----------------------------------------------------------------------


def test_hooks_are_a_gate_where_the_user_wants_them(tmp_path: Path) -> None:
    repo = Repo(tmp_path, settings={"commits.hooks": True})
    hook = repo.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n! git diff --cached | grep -q '^+.*bad'\n")
    hook.chmod(0o755)
    document = repo.play(
        {"id": "s", "shell": "echo fine > b.txt"},
        {"id": "t", "shell": "echo bad > c.txt", "critical": False},
        target="none",
    )
    assert outline(document) == {"s": "completed", "t": "failed(check_failed)"}
    assert repo.patch(document["run_id"], "t").findings == ("gate.git:pre-commit: exit code 1",)
    repo.close()


def test_commits_are_signed_where_the_user_wants_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "key")], check=True)
    (home / ".gitconfig").write_text(f"[gpg]\n format = ssh\n[user]\n signingKey = {home}/key.pub\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    repo = Repo(tmp_path, settings={"commits.sign": True})
    repo.git("config", "gpg.ssh.program", "/bin/false")
    document = repo.play({"id": "s", "shell": "echo x > b.txt"}, target="none")
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in repo.git("cat-file", "commit", repo.head(document["run_id"]))
    repo.close()


def test_a_quarantined_step_can_be_tried_again_by_hand(repo: Repo, control: Control) -> None:
    flag = repo.root.parent / "flag"
    gate = {"id": "moody", "type": "UNIT", "shell": f"test -e {flag}"}
    run_id = repo.create({"id": "s", "shell": "echo x > b.txt", "gates": ["moody"]}, gates=[gate])
    assert repo.drive(run_id)["state"] == "quarantined"
    flag.touch()
    control.ask("retry")
    assert repo.drive(run_id, control=control)["state"] == "succeeded"
    first, second = repo.patches(run_id, "s")
    assert (first.state, second.state) == ("superseded", "committed")


# -- several people, and moved heads -------------------------------------------------------------------------


def test_a_second_decision_is_refused_until_the_first_is_taken_back(repo: Repo) -> None:
    run_id = reviewed(repo)
    patch_id = repo.patch(run_id, "s").patch_id
    assert repo.ledger.approve_patch(patch_id, "Grace", None)
    with pytest.raises(ActionRefused, match="Grace has decided already"):
        repo.ledger.reject_patch(patch_id, "Alan", "no")
    assert repo.ledger.decide(Decision("withdraw", patch_id, "Grace"))
    assert repo.ledger.reject_patch(patch_id, "Alan", "no")
    assert outline(repo.drive(run_id)) == {"s": "failed(rejected)"}


def test_a_patch_of_a_run_that_has_ended_is_not_released_into_nothing(repo: Repo) -> None:
    step = {"id": "s", "shell": "echo bad > b.txt", "gates": ["good"], "critical": False}
    document = repo.play(step, gates=[GATE])
    with pytest.raises(ActionRefused, match="its run has ended"):
        repo.ledger.release_patch(repo.patch(document["run_id"], "s").patch_id, "Grace", "why not")


def test_refused_decisions_of_others_leave_the_owner_alone(repo: Repo) -> None:
    """Two reviewers at the same time: one of them is told no, and the run goes on."""
    run_id = repo.create(
        {"id": "s", "shell": "echo x > b.txt", "review": "always"}, {"id": "t", "shell": "true", "depends_on": ["s"]}
    )
    control = Control()
    owner = threading.Thread(
        target=repo.engine.execute_run, args=(run_id,), kwargs={"control": control, "stays_when_paused": True}
    )
    owner.start()
    try:
        wait_until(lambda: repo.ledger.list_patches_awaiting_review(run_id))
        patch_id = repo.patch(run_id, "s").patch_id
        answers: list[object] = []

        def decide(kind: Kind) -> None:
            try:
                with open_engine(repo.root, config=repo.config) as engine:
                    ledger = PatchLedger(engine.database, journal=engine.journal)
                    answers.append(ledger.decide(Decision(kind, patch_id, kind)))
            except MinipipeError as error:
                answers.append(error)

        reviewers = [threading.Thread(target=decide, args=(kind,)) for kind in ("withdraw", "approve", "reject")]
        for reviewer in reviewers:
            reviewer.start()
        for reviewer in reviewers:
            reviewer.join()
        assert answers.count(True) >= 1
    finally:
        owner.join(20)
        if owner.is_alive():
            control.ask("cancel")
            owner.join()
        control.close()
    assert repo.document(run_id)["state"] in ("succeeded", "failed")


def test_a_second_conflict_is_for_a_person(repo: Repo) -> None:
    """Each time the step has ended, another one has committed to the same line."""
    shell = (
        'head=$(git rev-parse HEAD); echo "s $MINIPIPE_ATTEMPT" > b.txt; '
        f"touch {repo.root.parent}/go.$MINIPIPE_ATTEMPT; "
        f"while [ ! -e {repo.root.parent}/done.$MINIPIPE_ATTEMPT ]; do sleep 0.02; done"
    )
    other = "while [ ! -e {0}/go.{1} ]; do sleep 0.02; done; echo t{1} > b.txt"
    document = repo.play(
        {"id": "s", "shell": shell},
        {"id": "t1", "shell": other.format(repo.root.parent, 1)},
        {"id": "d1", "shell": f"touch {repo.root.parent}/done.1", "depends_on": ["t1"]},
        {"id": "t2", "shell": other.format(repo.root.parent, 2), "depends_on": ["t1"]},
        {"id": "d2", "shell": f"touch {repo.root.parent}/done.2", "depends_on": ["t2"]},
    )
    assert document["state"] == "quarantined"
    assert [patch.state for patch in repo.patches(document["run_id"], "s")] == ["superseded", "quarantined"]


def test_a_change_that_a_rename_leads_out_of_its_scope_is_quarantined(tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(50))
    repo = Repo(tmp_path, {"src/m.py": text})
    run_id = repo.create(
        {
            "id": "s",
            "shell": "sed -i 's/line 7$/LINE 7/' src/m.py",
            "scope": {"include": ["src/**"]},
            "review": "always",
        },
        {"id": "t", "shell": "mkdir other; git mv src/m.py other/m.py", "review": "always"},
    )
    repo.drive(run_id)
    for step in ("t", "s"):
        repo.ledger.approve_patch(repo.patch(run_id, step).patch_id, "Grace", None)
        document = repo.drive(run_id)
    assert document["state"] == "quarantined"
    found = repo.patch(run_id, "s").findings
    assert any(finding.startswith("merge.strayed: other/m.py") for finding in found)
    assert any(finding.startswith("scope.outside") for finding in found)
    repo.close()


def test_a_pilot_that_has_tripped_stays_tripped_after_a_resume(tmp_path: Path) -> None:
    repo = Repo(tmp_path, settings={"patches.pilot_share": 100})
    run_id = repo.create(
        {"id": "bad", "shell": "echo bad > b.txt", "gates": ["good"], "critical": False},
        {"id": "wait", "shell": "echo x > x.txt", "review": "always"},
        {"id": "later", "shell": "echo y > y.txt", "depends_on": ["wait"]},
        gates=[GATE],
        globals={"mode": "pilot"},
    )
    repo.drive(run_id)
    repo.ledger.approve_patch(repo.patch(run_id, "wait").patch_id, "Grace", None)
    assert repo.drive(run_id)["state"] == "paused"
    assert "a gate has failed" in (repo.patch(run_id, "later").review_reason or "")
    repo.close()


# -- worktrees that are scarce, set up, or of another run ------------------------------------------------------


def test_gates_are_set_up_as_steps_are(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {".gitignore": "build/\n"})
    gate = {"id": "ready", "type": "CUSTOM", "shell": "test -e build/ready"}
    setup = {"worktree": {"setup": "mkdir -p build; touch build/ready"}}
    document = repo.play({"id": "s", "shell": "echo x > b.txt", "gates": ["ready"]}, gates=[gate], globals=setup)
    assert document["state"] == "succeeded"
    repo.close()


@pytest.mark.parametrize("isolation", ["step", "run"])
def test_one_worktree_is_enough(tmp_path: Path, isolation: str) -> None:
    repo = Repo(tmp_path, settings={"worktrees.max": 1})
    steps = [{"id": f"s{number}", "shell": f"echo {number} > f{number}.txt", "gates": ["good"]} for number in range(3)]
    document = repo.play(*steps, gates=[GATE], globals={"isolation": isolation})
    assert document["state"] == "succeeded"
    repo.close()


def test_runs_that_share_few_worktrees_wait_for_each_other(tmp_path: Path) -> None:
    repo = Repo(tmp_path, settings={"worktrees.max": 2})
    run_ids = [
        repo.create(
            *[{"id": f"s{n}", "shell": f"sleep 0.05; echo {n} > r{run}s{n}.txt", "gates": ["good"]} for n in range(3)],
            gates=[GATE],
            target="none",
        )
        for run in range(4)
    ]
    engines = [open_engine(repo.root, config=repo.config) for _ in run_ids]
    runners = [
        threading.Thread(target=engine.execute_run, args=(run_id,))
        for engine, run_id in zip(engines, run_ids, strict=True)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    for engine in engines:
        engine.close()
    assert [repo.document(run_id)["state"] for run_id in run_ids] == ["succeeded"] * 4
    repo.close()


def test_a_retried_run_has_the_kept_files_of_what_it_carries_over(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {".gitignore": "build/\n"})
    flag = tmp_path / "flag"
    old = repo.play(
        {"id": "build", "shell": "mkdir build; echo app > build/x", "outputs": ["build/x"]},
        {"id": "use", "shell": f"cat build/x && test -e {flag}", "depends_on": ["build"]},
    )
    flag.touch()
    assert outline(repo.drive(repo.engine.retry_run(old["run_id"]))) == {
        "build": "skipped(carried)",
        "use": "completed",
    }
    repo.close()


def test_a_shadow_run_that_is_retried_begins_anew(repo: Repo) -> None:
    steps = ({"id": "s", "shell": "echo 1 > n.txt"}, {"id": "t", "shell": "cat n.txt; exit 1", "depends_on": ["s"]})
    old = repo.play(*steps, globals={"mode": "shadow"})
    document = repo.drive(repo.engine.retry_run(old["run_id"]))
    assert outline(document) == {"s": "completed", "t": "failed(failed)"}
