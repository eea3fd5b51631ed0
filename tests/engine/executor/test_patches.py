"""What becomes of the changes of steps: captured, checked, reviewed, committed, or set aside."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import InvalidTransition
from engine.executor.control import Control
from engine.store import patch_queries
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
        ("git config alias.x y", "the repository's settings (.git/config) were changed"),
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
