"""Series of commands as users give them; the last one is the one that is killed, at every crossing in turn.

Each says how the repository is made ready, what was done before, how one goes on after a kill, and what must come of it
all, wherever the kill was.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.workshop import Json, Workshop

Words = tuple[str, ...]
Deed = Words | Callable[[Workshop], object]
"""A command of minipipe's, or something that the user does."""

RUN: Words = ("run", "PLAN", "--no-ui")
RESUME: Words = ("resume", "last")
NO_WAIT: Json = {"backoff": {"initial_seconds": 0.01, "jitter": 0.0}}


@dataclass(frozen=True, slots=True)
class Scenario:
    plan: Callable[[Workshop], Path]
    swept: Words = RUN
    after: tuple[Words, ...] = (RESUME,)
    """What is done after a kill, and again where there was none."""
    before: tuple[Deed, ...] = ()
    killed_before: int = 0
    """The crossing at which the last of the commands before is killed; 0 for not at all."""
    state: str = "succeeded"
    steps: Mapping[str, str] = field(default_factory=dict)
    """How steps must have ended, where that is not `completed`; `|` stands between what is allowed."""
    target: str | None = None
    is_checked_out: bool = False
    promotion: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """What files of the target, or of the run's branch where it has none, must hold at the end."""
    has_patches: bool = True
    runs: int = 1


# -- plans ---------------------------------------------------------------------------------------------------


def without_patches(shop: Workshop) -> Path:
    flaky = shop.step("flaky", "flaky", 0.005, retries=2, **NO_WAIT)
    return shop.plan(
        shop.step("give", "giving", 0.005),
        flaky,
        shop.step("read", "reading", 0.005, "${give.made}", depends_on=["give"]),
        shop.step("fork", "forking", 0.005, depends_on=["give"]),
        shop.step("scrub", "scrubbing", 0.005, workstream="w"),
        shop.step("join", "writing", 0.005, depends_on=["read", "fork", "flaky"], workstream="w"),
        final=[shop.step("final", "plain", 0.005)],
    )


def gate(shop: Workshop) -> Json:
    """It leaves a file, which must go nowhere; what is bad passes only once the workshop holds `lenient`."""
    shell = f"echo x > gate.txt; test -e {shop.side}/lenient || ! grep -qs bad written-*.txt"
    return {"id": "good", "type": "UNIT", "shell": shell}


def one(shop: Workshop, kind: str = "writing", *value: str, **keys: object) -> Path:
    """A single step with a single change, which has to pass a gate."""
    step = shop.step("s", kind, 0.0, *value, **{"gates": ["good"], **NO_WAIT, **keys})
    return shop.plan(step, isolation="step", gates=[gate(shop)])


def several(shop: Workshop) -> Path:
    """Side by side and one after the other; without change, with one that is merged, and one that is not critical."""
    return shop.plan(
        shop.step("a", "editing", 0.0, "2", gates=["good"]),
        shop.step("b", "editing", 0.0, "8"),
        shop.step("c", "plain", 0.0, depends_on=["a"]),
        shop.step("d", "writing", 0.0, depends_on=["a", "b"]),
        shop.step("e", "failing", 0.0, critical=False),
        isolation="step",
        gates=[gate(shop)],
    )


def conflicting(shop: Workshop) -> Path:
    """Two steps that change the same line: the later one makes its change anew."""
    return shop.plan(shop.step("a", "appending", 0.0), shop.step("b", "appending", 0.02), isolation="step")


def in_one_worktree(shop: Workshop) -> Path:
    return shop.plan(shop.step("a", "writing", 0.0), shop.step("b", "writing", 0.0, depends_on=["a"]), isolation="run")


def in_shadow(shop: Workshop) -> Path:
    return shop.plan(shop.step("a", "writing", 0.0), shop.step("b", "writing", 0.0, depends_on=["a"]), isolation="step")


# -- what the user does --------------------------------------------------------------------------------------


def step_aside(shop: Workshop) -> None:
    shop.git("switch", "-qc", "aside")


def move_target(shop: Workshop) -> None:
    """Somebody else's commit on main, which is checked out nowhere."""
    tree = shop.git("write-tree")
    blob = shop.git("hash-object", "-w", "--", "minipipe.toml")
    lines = shop.git("ls-tree", tree).splitlines()
    lines.append(f"100644 blob {blob}\ttheirs.txt")
    made = shop.git("mktree", stdin="\n".join(lines) + "\n")
    commit = shop.git("commit-tree", "-p", "main", "-m", "meanwhile", made)
    shop.git("update-ref", "refs/heads/main", commit)


def commit_on_target(shop: Workshop) -> None:
    """The user's own commit on the branch that is checked out."""
    shop.commit("meanwhile", theirs="theirs\n")


def write_patch_file(shop: Workshop) -> None:
    (shop.side / "change.patch").write_text(
        "--- a/shared.txt\n+++ b/shared.txt\n@@ -1,2 +1,2 @@\n-line 1\n+first\n line 2\n"
    )


IMPORT: Words = ("!import", "change.patch")
APPROVE: Words = ("review", "approve", "last")
DONE: Mapping[str, str] = {"written-s.txt": "s"}

SCENARIOS: Mapping[str, Scenario] = {
    "run": Scenario(without_patches, has_patches=False),
    "resume": Scenario(without_patches, RESUME, before=(RUN,), killed_before=20, has_patches=False),
    "cancel": Scenario(
        without_patches,
        ("cancel", "last"),
        (("cancel", "last"),),
        before=(RUN,),
        killed_before=20,
        state="canceled",
        steps=dict.fromkeys(("give", "flaky", "read", "fork", "scrub", "join", "final"), "completed|canceled"),
        has_patches=False,
    ),
    "patch": Scenario(
        one, before=(step_aside,), swept=(*RUN, "--target", "main"), target="main", promotion="done", files=DONE
    ),
    "checked-out": Scenario(one, target="main", is_checked_out=True, promotion="done", files=DONE),
    "several": Scenario(
        several,
        (*RUN, "--target", "none"),
        steps={"e": "failed"},
        promotion="none",
        files={"written-d.txt": "d"},
    ),
    "conflict": Scenario(conflicting, (*RUN, "--target", "none"), promotion="none"),
    "one-worktree": Scenario(in_one_worktree, (*RUN, "--target", "none"), promotion="none"),
    "shadow": Scenario(in_shadow, (*RUN, "--mode", "shadow"), promotion="none"),
    "gate-fails": Scenario(
        lambda shop: one(shop, "learning", retries=1),
        (*RUN, "--target", "none"),
        promotion="none",
        files={"written-s.txt": "good"},
    ),
    "quarantined": Scenario(
        lambda shop: one(shop, "bad", critical=False), (*RUN, "--target", "none"), steps={"s": "failed"}
    ),
    "released": Scenario(
        lambda shop: one(shop, "bad"),
        RESUME,
        before=((*RUN, "--target", "none"), lambda shop: (shop.side / "lenient").touch(), ("patch", "release", "last")),
        promotion="none",
        files={"written-s.txt": "bad"},
    ),
    "approved": Scenario(
        lambda shop: one(shop, review="always"),
        RESUME,
        before=((*RUN, "--target", "none"), APPROVE),
        promotion="none",
        files=DONE,
    ),
    "approving": Scenario(
        lambda shop: one(shop, review="always"),
        APPROVE,
        (APPROVE, RESUME),
        before=((*RUN, "--target", "none"),),
        promotion="none",
        files=DONE,
    ),
    "in-part": Scenario(
        lambda shop: one(shop, "two", review="always"),
        RESUME,
        before=((*RUN, "--target", "none"), (*APPROVE, "--file", "written-s.txt")),
        promotion="none",
        files=DONE,
    ),
    "sent-back": Scenario(
        lambda shop: one(shop, "two", review="always"),
        RESUME,
        (RESUME, APPROVE, RESUME),
        before=((*RUN, "--target", "none"), (*APPROVE, "--file", "written-s.txt", "--send-back")),
        promotion="none",
        files={**DONE, "other-s.txt": "other"},
    ),
    "rejected": Scenario(
        lambda shop: one(shop, review="always"),
        RESUME,
        before=((*RUN, "--target", "none"), ("review", "reject", "last", "--reason", "no")),
        state="failed",
        steps={"s": "failed"},
    ),
    "changes-requested": Scenario(
        lambda shop: one(shop, "learning", review="always"),
        RESUME,
        (RESUME, APPROVE, RESUME),
        before=((*RUN, "--target", "none"), ("review", "request-changes", "last", "--comment", "better")),
        promotion="none",
        files={"written-s.txt": "good"},
    ),
    "moved-target": Scenario(
        lambda shop: one(shop, review="always"),
        RESUME,
        before=(step_aside, (*RUN, "--target", "main"), APPROVE, move_target),
        target="main",
        promotion="done",
        files={**DONE, "theirs.txt": "[run]"},
    ),
    "moved-checked-out": Scenario(
        lambda shop: one(shop, review="always"),
        RESUME,
        before=(RUN, APPROVE, commit_on_target),
        target="main",
        is_checked_out=True,
        promotion="done",
        files={**DONE, "theirs.txt": "theirs"},
    ),
    "promote": Scenario(
        one,
        ("promote", "last", "--target", "main"),
        (("promote", "last", "--target", "main"),),
        before=((*RUN, "--target", "none"),),
        target="main",
        is_checked_out=True,
        promotion="done",
        files=DONE,
    ),
    "rollback-run": Scenario(
        several,
        ("rollback", "last"),
        (("rollback", "last"),),
        before=(RUN,),
        steps={"e": "failed"},
        target="main",
        is_checked_out=True,
        files={"shared.txt": "line 1"},
    ),
    "rollback-patch": Scenario(
        one,
        ("patch", "rollback", "last"),
        (("patch", "rollback", "last"),),
        before=((*RUN, "--target", "none"),),
    ),
    "cancel-patches": Scenario(
        lambda shop: one(shop, review="always"),
        ("cancel", "last"),
        (("cancel", "last"),),
        before=((*RUN, "--target", "none"), APPROVE),
        state="canceled",
        steps={"s": "canceled"},
    ),
    "canceled-anywhere": Scenario(
        one,
        (*RUN, "--target", "none"),
        (("cancel", "last"),),
        state="succeeded|canceled|failed",
        steps={"s": "completed|canceled"},
    ),
    "import": Scenario(
        one,
        IMPORT,
        (RESUME, IMPORT),
        before=(write_patch_file,),
        target="main",
        is_checked_out=True,
        promotion="done",
        files={"shared.txt": "first"},
    ),
}
