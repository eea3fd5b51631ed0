"""What makes a patch risky: the table that `risk` weighs a patch by.

A rule that reaches `risk.NEEDS_REVIEW` alone is about files that run by themselves, decide who may do what, or hide
something. Globs and words are matched without regard to case; tests look at contents and at the patch as a whole.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.git.changes import EXECUTABLE, GITLINK, SYMLINK, Change
from engine.patches.path_glob import PathGlobs
from engine.patches.path_rules import touched_paths

Added = Mapping[bytes, Sequence[bytes]]
"""The lines that each path gains."""


@dataclass(frozen=True, slots=True)
class RiskRule:
    """One thing that makes a patch risky: some paths of it, or a test that names the paths it is true of."""

    name: str
    points: int
    says: str
    globs: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    """Globs of paths that are left out, whatever else matches."""
    words: frozenset[str] = frozenset()
    """Words of which a path holds one, such as `auth` in `src/userAuth.py`."""
    test: Callable[[Sequence[Change], Added], Iterable[bytes]] | None = None
    _globs: PathGlobs = field(init=False, repr=False, compare=False)
    _but: PathGlobs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_globs", PathGlobs(self.globs))
        object.__setattr__(self, "_but", PathGlobs(self.but))

    def paths(self, changes: Sequence[Change], added: Added) -> list[bytes]:
        """The paths that the rule is true of, in order, each once."""
        found = set(self.test(changes, added)) if self.test else set()
        found.update(path for change in changes for path in touched_paths(change) if self._covers(path))
        return sorted(found)

    def _covers(self, path: bytes) -> bool:
        return (self._globs.matches(path) or self._has_word(path)) and not self._but.matches(path)

    def _has_word(self, path: bytes) -> bool:
        return bool(self.words) and not self.words.isdisjoint(_words(path))


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+[a-z]*")


def _words(path: bytes) -> set[str]:
    """The words in a path, of `camelCase` as of `snake_case`."""
    return {word.lower() for word in _WORD.findall(path.decode("ascii", "replace"))}


# -- tests of contents and of the whole -------------------------------------------------------------------

MANY_FILES_DELETED, MANY_LINES_DELETED = 10, 500
LARGE_FILES, LARGE_LINES = 50, 2000

_SECRET = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File-[0-9]"
    rb"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[opsur]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40}|\bglpat-[\w-]{20}"
    rb"|\bxox[abeoprs]-[A-Za-z0-9-]{10}|\bAIza[\w-]{35}|\bsk-ant-[\w-]{20}|\bsk-(?:proj-)?[A-Za-z0-9_]{32}"
    rb"|\b[rs]k_live_[A-Za-z0-9]{16}|\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[\w-]{40}|\bhf_[A-Za-z0-9]{30}"
)
_INVISIBLE = re.compile(
    rb"\xc2\xad|\xd8\x9c"  # soft hyphen, Arabic letter mark
    rb"|\xe1\x85[\x9f\xa0]|\xe3\x85\xa4|\xef\xbe\xa0|\xe1\xa0\x8e"  # fillers that show nothing
    rb"|\xe2\x80[\x8b\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"  # zero-width space, directions, separators, operators
    rb"|\xef\xbf[\xb9-\xbb]|\xf3\xa0[\x80-\x87][\x80-\xbf]"  # annotations, tags, further variation selectors
    rb"|(?<=[^\n])\xef\xbb\xbf"  # a byte order mark that does not begin a line
    # Emoji and some scripts need joiners and variation selectors: after or between ASCII, or in a row, they hide.
    rb"|(?<![\x80-\xff])\xe2\x80[\x8c\x8d]|\xe2\x80[\x8c\x8d](?![\x80-\xff])|(?:\xe2\x80[\x8c\x8d]){2}"
    rb"|(?<![\x80-\xff])\xef\xb8[\x80-\x8f](?!\xe2\x83\xa3)|(?:\xef\xb8[\x80-\x8f]){2}"
)


def _gains(pattern: re.Pattern[bytes]) -> Callable[[Sequence[Change], Added], Iterable[bytes]]:
    def paths(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
        return [path for path, lines in added.items() if pattern.search(b"\n".join(lines))]

    return paths


def _invisible(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
    names = (change.path for change in changes if change.status != "D")
    return [*_gains(_INVISIBLE)(changes, added), *(name for name in names if _INVISIBLE.search(name))]


def _of_change(is_true: Callable[[Change], bool]) -> Callable[[Sequence[Change], Added], Iterable[bytes]]:
    def paths(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
        return [change.path for change in changes if is_true(change)]

    return paths


def _becomes(mode: str) -> Callable[[Change], bool]:
    return lambda change: change.status != "D" and change.new_mode == mode and change.old_mode != mode


def _many_deletions(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
    files = [change.path for change in changes if change.status == "D"]
    more_lines = sum(change.lines_deleted - change.lines_added for change in changes)
    if len(files) >= MANY_FILES_DELETED:
        return files
    return [change.path for change in changes if change.lines_deleted] if more_lines >= MANY_LINES_DELETED else []


def _size(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
    lines = sum(change.lines_added + change.lines_deleted for change in changes)
    is_large = len(changes) >= LARGE_FILES or lines >= LARGE_LINES
    return [change.path for change in changes] if is_large else []


_TESTS = PathGlobs(
    (
        "**/tests/**", "**/test/**", "**/__tests__/**", "**/spec/**", "**/test_*.py", "**/*_test.*", "**/*_spec.*",
        "**/*.test.*", "**/*.spec.*", "**/*Test.java", "**/*Tests.cs", "**/conftest.py",
    )
)  # fmt: skip


def _tests_lost(changes: Sequence[Change], added: Added) -> Iterable[bytes]:
    for change in changes:
        if change.status == "D" and _TESTS.matches(change.path):
            yield change.path
        elif change.status == "R" and _TESTS.matches(change.old_path or b"") and not _TESTS.matches(change.path):
            yield change.old_path or b""


# -- the table --------------------------------------------------------------------------------------------

_PROSE = ("**/*.md", "**/*.rst", "**/*.txt", "**/*.adoc")

RULES: tuple[RiskRule, ...] = (
    RiskRule("ci", 60, "changes what continuous integration runs", globs=(
        ".github/**", ".gitlab-ci.yml", ".gitlab/**", "**/Jenkinsfile", "**/Jenkinsfile.*", ".circleci/**",
        ".travis.yml", "**/azure-pipelines*.yml", ".azure-pipelines/**", "bitbucket-pipelines.yml", ".drone.yml",
        ".buildkite/**", ".woodpecker/**", ".woodpecker.yml", "appveyor.yml", ".appveyor.yml", ".forgejo/**",
        ".gitea/**", ".cirrus.yml", ".semaphore/**", "**/cloudbuild.yaml", ".tekton/**",
        ".teamcity/**", "buildspec.yml",
    )),
    RiskRule("hooks", 60, "changes hooks that git runs", globs=(
        "**/.husky/**", "**/.githooks/**", "**/githooks/**", "**/git-hooks/**", "**/hooks/pre-*", "**/hooks/post-*",
        "**/hooks/*-msg", "**/hooks/update", "**/.pre-commit-config.yaml", "**/.pre-commit-hooks.yaml",
        "**/lefthook.yml", "**/.lefthook/**", "**/.lintstagedrc*", "**/.overcommit.yml",
    )),
    RiskRule("agents", 60, "changes what programs agents or editors", globs=(
        "**/.claude/**", "**/.mcp.json", "**/mcp.json", "**/AGENTS.md", "**/AGENTS.override.md", "**/CLAUDE.md",
        "**/CLAUDE.local.md", "**/GEMINI.md", "**/.gemini/**", "**/.cursor/**", "**/.cursorrules", "**/.codex/**",
        "**/.vscode/**", "**/.idea/**", "**/.devcontainer/**", "**/.devcontainer.json", "**/.aider*", "**/.windsurf/**",
        "**/.windsurfrules", "**/.clinerules", "**/.clinerules/**", "**/.continue/**", "**/.roo/**", "**/.zed/**",
        "**/.opencode/**", "**/opencode.json", "**/copilot-instructions.md", "**/.envrc", "**/*.code-workspace",
        "**/.junie/**", "**/.kiro/**", "**/.amazonq/**", "**/SKILL.md",
    )),
    RiskRule("secret_files", 60, "changes files that hold secrets", globs=(
        "**/.env", "**/.env.*", "**/*.env", "**/id_rsa*", "**/id_dsa*", "**/id_ecdsa*", "**/id_ed25519*", "**/*.pem",
        "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.keystore", "**/*.kdbx", "**/*.ppk", "**/.npmrc",
        "**/.pypirc", "**/.netrc", "**/_netrc", "**/.htpasswd", "**/.pgpass", "**/.git-credentials",
        "**/.aws/credentials", "**/credentials.json", "**/.docker/config.json", "**/.kube/config", "**/kubeconfig",
        "**/secrets.y*ml", "**/secrets.json", "**/secrets.toml", "**/*.tfstate", "**/*.tfvars", "**/.ssh/**",
    ), but=("**/.env.example", "**/.env.sample", "**/.env.template", "**/.env.dist")),
    RiskRule("secrets", 70, "adds what looks like a key or token", test=_gains(_SECRET)),
    RiskRule("invisible", 60, "adds characters that cannot be seen", test=_invisible),
    RiskRule("auth", 50, "changes code about access or security", words=frozenset({
        "auth", "authn", "authz", "authenticate", "authenticated", "authentication", "authenticator", "authorization",
        "authorize", "authorized", "authorizer", "login", "logout", "signin", "oauth", "oidc", "saml", "sso", "jwt",
        "password", "passwords", "passwd", "crypto", "cryptography", "encryption", "security", "permission",
        "permissions", "rbac", "acl", "acls", "credential", "credentials", "csrf", "mfa", "totp", "2fa", "sudoers",
    }), globs=("**/oauth2*", "**/oauth2*/**", "**/pam.d/**"), but=_PROSE),
    RiskRule("migrations", 50, "changes how stored data is migrated", words=frozenset({
        "migration", "migrations", "alembic", "flyway", "liquibase",
    }), globs=(
        "**/db/migrate/**", "**/migrate/**", "**/schema.prisma", "**/db/schema.rb", "**/db/structure.sql",
        "**/V[0-9]*__*.sql",
    ), but=_PROSE),
    RiskRule("attributes", 50, "changes how git treats files", globs=(
        "**/.gitattributes", "**/.gitmodules", "**/.gitconfig", "**/.lfsconfig",
    )),
    RiskRule("owners", 50, "changes who has to review", globs=("**/CODEOWNERS", "**/OWNERS")),
    RiskRule("startup", 60, "changes code that runs without being called", globs=(
        "**/*.pth", "**/sitecustomize.py", "**/usercustomize.py", "**/conftest.py", "**/.bashrc", "**/.bash_profile",
        "**/.profile", "**/.zshrc", "**/.zshenv", "**/crontab", "**/cron.d/**", "**/*.service", "**/.gdbinit",
        "**/.lldbinit", "**/.pdbrc", "**/.Rprofile", "**/.vimrc", "**/.exrc", "**/.nvim.lua",
    )),
    RiskRule("new_executables", 30, "makes files executable", test=_of_change(_becomes(EXECUTABLE))),
    RiskRule("tests_deleted", 35, "deletes tests", test=_tests_lost),
    RiskRule("many_deletions", 30, "deletes much", test=_many_deletions),
    RiskRule("submodules", 50, "changes submodules", test=_of_change(
        lambda change: GITLINK in (change.old_mode, change.new_mode)
    )),
    RiskRule("links", 25, "adds symbolic links", test=_of_change(_becomes(SYMLINK))),
    RiskRule("build", 25, "changes how packages are built", globs=(
        "**/setup.py", "**/setup.cfg", "**/pyproject.toml", "**/hatch_build.py", "**/MANIFEST.in", "**/package.json",
        "**/Makefile", "**/GNUmakefile", "**/*.mk", "**/CMakeLists.txt", "**/*.cmake", "**/meson.build", "**/configure",
        "**/configure.ac", "**/*.gradle", "**/*.gradle.kts", "**/gradlew", "**/gradlew.bat", "**/gradle-wrapper.*",
        "**/pom.xml", "**/mvnw", "**/.mvn/**", "**/build.xml", "**/build.sbt", "**/Dockerfile", "**/Dockerfile.*",
        "**/*.Dockerfile", "**/Containerfile", "**/docker-compose*.y*ml", "**/compose*.y*ml", "**/Rakefile",
        "**/Gemfile", "**/*.gemspec", "**/Cargo.toml", "**/build.rs", "**/.cargo/**", "**/go.mod", "**/BUILD",
        "**/BUILD.bazel", "**/WORKSPACE", "**/*.bzl", "**/.bazelrc", "**/composer.json", "**/*.csproj", "**/*.sln",
        "**/*.targets", "**/*.props", "**/Justfile", "**/Taskfile.y*ml", "**/noxfile.py", "**/tox.ini", "**/pytest.ini",
        "**/requirements*.txt", "**/Pipfile", "**/webpack.config.*", "**/vite.config.*", "**/rollup.config.*",
        "**/babel.config.*", "**/jest.config.*", "**/vitest.config.*", "**/.eslintrc*", "**/eslint.config.*",
        "**/gulpfile.*", "**/Gruntfile.*", "**/flake.nix", "**/*.tf", "**/Vagrantfile", "**/Procfile", "**/mix.exs",
        "**/Package.swift", "**/.yarnrc*", "**/bunfig.toml", "**/.pnpmfile.cjs", "**/pip.conf",
    )),
    RiskRule("locks", 20, "changes locked dependencies", globs=(
        "**/*.lock", "**/package-lock.json", "**/npm-shrinkwrap.json", "**/pnpm-lock.yaml", "**/bun.lockb",
        "**/go.sum", "**/gradle.lockfile", "**/packages.lock.json", "**/Package.resolved", "**/.terraform.lock.hcl",
        "**/pixi.lock", "**/conda-lock.yml", "**/pylock*.toml", "**/verification-metadata.xml",
    )),
    RiskRule("size", 25, "is large", test=_size),
    RiskRule("binary", 20, "changes binary files", test=_of_change(lambda change: change.is_binary)),
)  # fmt: skip
