"""How risky a patch is, and why."""

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.git.changes import EXECUTABLE, GITLINK, NO_MODE, REGULAR, SYMLINK, Change
from engine.patches.risk import NEEDS_REVIEW, Risk, assess
from engine.patches.risk_rules import RULES, RiskRule


def edited(path: str, *, added: int = 1, deleted: int = 1) -> Change:
    return Change("M", path.encode(), None, REGULAR, REGULAR, lines_added=added, lines_deleted=deleted)


def removed(path: str) -> Change:
    return Change("D", path.encode(), None, REGULAR, NO_MODE)


ALONE = [
    ".github/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", "build/Jenkinsfile", ".circleci/config.yml",
    ".husky/pre-commit", ".githooks/pre-push", "tools/hooks/pre-commit", ".pre-commit-config.yaml",
    ".claude/settings.json", "sub/.mcp.json", "AGENTS.md", "sub/CLAUDE.md", "claude.md", ".cursor/rules/x.mdc",
    ".vscode/tasks.json", ".idea/workspace.xml", ".devcontainer/devcontainer.json",
    ".env", "deploy/.env.production", "id_rsa", "keys/server.pem", "conf/tls.key", ".npmrc",
    "src/auth/views.py", "src/userAuth.ts", "app/login_form.py", "src/OAuthClient.java", "lib/security.py",
    "src/permissions/x.go", "src/oauth2_client.py", "src/JWTToken.cs", "src/password_reset.rb",
    "app/migrations/0001_initial.py", "db/migrate/2024_x.rb", "alembic/versions/a.py", "engine/store/migrations.py",
    ".gitattributes", "sub/.gitattributes", ".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS",
    "x.pth", "src/sitecustomize.py", "tests/conftest.py", "conftest.py", ".gitmodules",
]  # fmt: skip


@pytest.mark.parametrize("path", ALONE)
def test_such_a_path_needs_a_review_by_itself(path: str) -> None:
    risk = assess([edited(path)], {})
    assert risk.score >= NEEDS_REVIEW
    assert risk.needs_review
    assert path in risk.reasons[0]


@pytest.mark.parametrize(
    ("path", "least", "most"),
    [
        ("src/a.py", 0, 0), ("README.md", 0, 0), ("src/author.py", 0, 0), ("docs/authentication.md", 0, 0),
        ("src/hooks/useThing.ts", 0, 0), (".env.example", 0, 0), ("src/keyboard.py", 0, 0), ("lib/tokenizer.py", 0, 0),
        ("poetry.lock", 15, 40), ("web/package-lock.json", 15, 40), ("go.sum", 15, 40), ("pyproject.toml", 15, 40),
        ("setup.py", 15, 40), ("web/package.json", 15, 40), ("Makefile", 15, 40), ("app/build.gradle", 15, 40),
        ("Dockerfile", 15, 40), ("docker/api.Dockerfile", 15, 40), ("CMakeLists.txt", 15, 40),
    ],
)  # fmt: skip
def test_other_paths_weigh_less_or_nothing(path: str, least: int, most: int) -> None:
    assert least <= assess([edited(path)], {}).score <= most


def test_a_path_that_is_moved_away_counts() -> None:
    change = Change("R", b"old/ci.yml", b".github/workflows/ci.yml", REGULAR, REGULAR)
    assert assess([change], {}).reasons == ("changes what continuous integration runs: .github/workflows/ci.yml",)


SECRETS = [
    b"-----BEGIN RSA PRIVATE KEY-----", b"x = '-----BEGIN OPENSSH PRIVATE KEY-----", b"-----BEGIN PRIVATE KEY-----",
    b"-----BEGIN PGP PRIVATE KEY BLOCK-----", b"key: AKIA" + b"A1B2" * 4, b"ghp_" + b"a1B2" * 9,
    b"glpat-" + b"a1B2" * 5, b"xoxb-" + b"1" * 12, b"AIza" + b"x" * 35, b"sk-ant-" + b"a" * 30, b"sk_live_" + b"a" * 24,
]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_a_key_in_an_added_line_needs_a_review_and_is_not_repeated(line: bytes) -> None:
    risk = assess([edited("a.txt")], {b"a.txt": [b"harmless", line]})
    assert risk.reasons == ("adds what looks like a key or token: a.txt",)
    assert risk.needs_review


@pytest.mark.parametrize(
    "line", [b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PUBLIC KEY-----", b"AKIA", b"task-" + b"a" * 40]
)
def test_what_is_no_key_weighs_nothing(line: bytes) -> None:
    assert assess([edited("a.txt")], {b"a.txt": [line]}) == Risk()


@pytest.mark.parametrize(
    "text",
    [
        "if x:\u202e # y", "\u2066x", "a\u200bb", "a\u200db", "user\u200c", "x\ufeffy", "a\u2060b", "a\u00adb",
        "a\u061cb", "\U000e0041\U000e0042", "a\ufe0f", "é\ufe0f\ufe0f", "é\u200d\u200dé", "a\u3164", "a\U000e0100",
        "a\u2028b", "\u180e",
    ],
)  # fmt: skip
def test_what_cannot_be_seen_needs_a_review(text: str) -> None:
    assert assess([edited("a.py")], {b"a.py": [b"x", text.encode()]}).needs_review


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "größe 日本",
        "\ufeff# a file that begins with a mark",
        "❤️ yes",
        "👨‍👩‍👧",
        "1️⃣",
        "می‌خواهم",
        "a\u00a0b",
        "क्‍ष",
    ],
)
def test_what_people_write_can_be_seen(text: str) -> None:
    assert assess([edited("a.md")], {b"a.md": [text.encode()]}) == Risk()


def test_a_name_that_cannot_be_seen_needs_a_review() -> None:
    assert assess([edited("a\u200bb.py")], {}).needs_review


@pytest.mark.parametrize(
    ("change", "reason", "is_enough"),
    [
        (Change("A", b"run", None, NO_MODE, EXECUTABLE), "makes files executable: run", False),
        (Change("M", b"run", None, REGULAR, EXECUTABLE), "makes files executable: run", False),
        (Change("A", b"l", None, NO_MODE, SYMLINK), "adds symbolic links: l", False),
        (Change("T", b"l", None, REGULAR, SYMLINK), "adds symbolic links: l", False),
        (Change("A", b"m", None, NO_MODE, GITLINK), "changes submodules: m", True),
        (Change("A", b"x.png", None, NO_MODE, REGULAR, is_binary=True), "changes binary files: x.png", False),
        (removed("tests/test_a.py"), "deletes tests: tests/test_a.py", False),
        (removed("src/a.spec.ts"), "deletes tests: src/a.spec.ts", False),
        (Change("R", b"a.txt", b"test_a.py", REGULAR, REGULAR), "deletes tests: test_a.py", False),
        (edited("a", added=0, deleted=500), "deletes much: a", False),
        (edited("a", added=1000, deleted=1000), "is large: a", False),
    ],
)
def test_what_is_done_to_a_file_weighs(change: Change, reason: str, is_enough: bool) -> None:
    risk = assess([change], {})
    assert risk.reasons == (reason,)
    assert risk.needs_review is is_enough


@pytest.mark.parametrize(
    "change",
    [
        Change("M", b"run", None, EXECUTABLE, EXECUTABLE),
        Change("M", b"run", None, EXECUTABLE, REGULAR),
        Change("M", b"l", None, SYMLINK, SYMLINK),
        Change("R", b"tests/test_b.py", b"tests/test_a.py", REGULAR, REGULAR),
        edited("a", added=1, deleted=500),
        edited("a", added=1000, deleted=999),
    ],
)
def test_what_stays_as_it_is_does_not(change: Change) -> None:
    assert assess([change], {}) == Risk()


def test_many_files_weigh_deleted_or_not() -> None:
    gone = [removed(f"{number}") for number in range(10)]
    assert assess(gone[:9], {}) == Risk()
    assert assess(gone, {}).reasons == ("deletes much: 0 and 9 more",)
    assert assess([edited(f"{number}") for number in range(50)], {}).reasons == ("is large: 0 and 49 more",)


def test_points_add_up_to_a_hundred_and_the_heaviest_reason_stands_first() -> None:
    risk = assess([edited("poetry.lock"), edited("pyproject.toml")], {})
    assert risk.score == 45
    assert not risk.needs_review
    assert risk.reasons == (
        "changes how packages are built: pyproject.toml",
        "changes locked dependencies: poetry.lock",
    )
    assert assess([edited(path) for path in ALONE], {}).score == 100


def test_rules_can_be_added() -> None:
    rules = (*RULES, RiskRule("billing", 80, "changes billing", globs=("billing/**",)))
    assert assess([edited("billing/a.py")], {}, rules=rules) == Risk(80, ("changes billing: billing/a.py",))
    assert assess([edited("billing/a.py")], {}, rules=()) == Risk()


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_strange_path_is_shown_as_git_shows_it() -> None:
    change = Change("A", b"\xff\n.pem", None, NO_MODE, REGULAR)
    assert assess([change], {}).reasons == ('changes files that hold secrets: "\\377\\n.pem"',)


some_changes = st.lists(
    st.sampled_from([edited(path) for path in ALONE] + [removed(str(n)) for n in range(20)]), max_size=15
)


@given(some_changes, st.randoms())
def test_the_order_of_changes_does_not_matter(changes: list[Change], random: Random) -> None:
    shuffled = random.sample(changes, len(changes))
    risk = assess(changes, {})
    assert assess(shuffled, {}) == risk
    assert 0 <= risk.score <= 100
    assert len(risk.reasons) <= len(RULES)


def test_a_hostile_patch_is_weighed_in_linear_time() -> None:
    lines = [
        "\u200d".encode() * 300_000,
        b"-----BEGIN " * 50_000,
        b"sk-" * 300_000,
        b"A" * 1_000_000,
        b"ghp_" * 200_000,
    ]
    changes = [edited("a/" * 2000 + f"{number}" + "aA" * 100) for number in range(300)]
    started = time.process_time()
    assess(changes, {b"a": lines})
    assert time.process_time() - started < 10
