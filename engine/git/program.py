"""The git program: one fenced way to call it, whoever asks and in whatever repository.

Nothing of a repository's or the user's configuration makes it start another program, it asks nobody anything, goes
nowhere by network, and finds no other repository than the one it is given. A missing git is an unfit environment,
never a failed step; any other failure is GitFailed, and tells what git said.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import gettempdir
from typing import NamedTuple

from engine.errors import EnvironmentUnfit, GitFailed, SpawnFailed
from engine.git.seal import KEPT, Seal, make_seal
from engine.process.capture import Captured, capture
from engine.process.program import Finished, run_program

OLDEST = (2, 38)
"""The first version whose `merge-tree` merges without a working tree."""

PATIENCE_SECONDS = 900.0
"""How long one call may take: a first checkout of a very large repository does."""

FENCE: Mapping[str, str] = {
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.editor": "true",
    "core.sshCommand": "false",
    "core.askPass": "true",
    "core.protectNTFS": "true",
    "core.protectHFS": "true",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.fileMode": "true",
    "core.symlinks": "true",
    "core.ignoreStat": "false",
    "core.trustctime": "true",
    "core.checkStat": "default",
    "core.quotePath": "true",
    "core.logAllRefUpdates": "true",
    "core.splitIndex": "false",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "512m",
    "core.eol": "native",
    "core.whitespace": "",
    "index.sparse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "log.showSignature": "false",
    "diff.external": "",
    "diff.renames": "true",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.algorithm": "default",
    "diff.context": "3",
    "diff.interHunkContext": "0",
    "diff.suppressBlankEmpty": "false",
    "diff.indentHeuristic": "true",
    "diff.orderFile": "/dev/null",
    "diff.ignoreSubmodules": "none",
    "diff.submodule": "short",
    "diff.relative": "false",
    "apply.whitespace": "nowarn",
    "apply.ignoreWhitespace": "no",
    "merge.renames": "true",
    "merge.directoryRenames": "false",
    "merge.conflictStyle": "merge",
    "merge.verifySignatures": "false",
    "merge.autoStash": "false",
    "merge.renormalize": "false",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "submodule.recurse": "false",
    "protocol.allow": "never",
    "credential.helper": "",
    "safe.bareRepository": "explicit",
    "advice.addEmbeddedRepo": "false",
    "advice.updateSparsePath": "false",
}
"""What holds in every call, whatever is configured. Rename limits are fixed too: see RENAME_LIMIT."""

RENAME_LIMIT = 2000
"""How many files on each side are compared for renames, wherever we compare."""

DURABLE: Mapping[str, str] = {"core.fsync": "all", "core.fsyncMethod": "batch"}
"""What else holds where an object or ref is written that the ledger vouches for: it must survive a power cut."""

_INERT = frozenset(
    (
        *(
            "cat-file",
            "check-attr",
            "check-ignore",
            "check-ref-format",
            "commit-tree",
            "config",
            "for-each-ref",
            "grep",
        ),
        *("ls-tree", "merge-base", "rev-list", "rev-parse", "symbolic-ref", "update-ref", "write-tree"),
    )
)
"""What starts no driver: before anything else those are looked up."""

_DRIVER_KEYS = r"^(filter\..*\.(clean|smudge|process|required)|diff\..*\.(command|textconv)|merge\..*\.driver)$"


@dataclass(frozen=True, slots=True)
class Git:
    """git for one repository. Values are immutable: `at`, `holding` and `durable` answer a changed copy."""

    git_folder: Path
    """The repository's own folder, or that of one of its linked working trees."""
    work_tree: Path | None = None
    index: Path | None = None
    held: tuple[int, ...] = ()
    """Descriptors that git keeps open: a lock of ours lasts until it has ended, even if we die before it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    seal: Seal | None = None
    """The folder of our own that stands for the repository's where only its objects count."""

    def at(self, *, work_tree: Path | None = None, index: Path | None = None, git_folder: Path | None = None) -> "Git":
        """The same git with another working tree or index; what is not named stays."""
        return replace(
            self,
            git_folder=git_folder or self.git_folder,
            work_tree=work_tree or self.work_tree,
            index=index or self.index,
            seal=self.seal if git_folder is None else None,
        )

    def holding(self, *descriptors: int) -> "Git":
        return replace(self, held=(*self.held, *descriptors))

    def durable(self) -> "Git":
        return replace(self, settings={**self.settings, **DURABLE})

    def sealed(self) -> "Git":
        """git that knows the repository's objects and nothing else of it: no settings of anybody's, no refs, no HEAD,
        and no attributes but those in the working tree it is given. What is said to it by name must be an object id.
        """
        return self if self.seal is not None else replace(self, seal=_seal_of(self.git_folder))

    def ask(self, *words: str | bytes | os.PathLike[str], stdin: bytes = b"") -> Finished:
        """Run git for its answer, whatever its exit code. Killed by a signal, it has answered nothing: GitFailed."""
        done = self._run(words, stdin)
        if done.exit_code < 0:
            raise GitFailed(_shown(words), f"it was ended by signal {-done.exit_code}", retryable=True)
        return done

    def tell(self, *words: str | bytes | os.PathLike[str], stdin: bytes = b"") -> bytes:
        """Run git for its effect and what it prints; GitFailed unless it succeeds."""
        done = self.ask(*words, stdin=stdin)
        if done.exit_code != 0:
            raise GitFailed(_shown(words), _last_words(done))
        return done.output

    def line(self, *words: str | bytes | os.PathLike[str], stdin: bytes = b"") -> str:
        """The one line that git prints."""
        return os.fsdecode(self.tell(*words, stdin=stdin).rstrip(b"\n"))

    def _run(self, words: Sequence[str | bytes | os.PathLike[str]], stdin: bytes) -> Finished:
        cwd = self.work_tree or (self.git_folder if self.seal is None else self.seal.folder)
        try:
            return run_program(
                ["git", *words],
                cwd=cwd,
                env=self._environment(_shown(words)),
                stdin=stdin,
                held=self.held,
                timeout_seconds=PATIENCE_SECONDS,
            )
        except SpawnFailed as error:
            if not cwd.is_dir():
                raise GitFailed(_shown(words), f"{cwd} is gone") from error
            raise EnvironmentUnfit(error.message, hint="install git, or put it on the PATH") from error

    def _environment(self, command: str) -> dict[str, str]:
        places: dict[str, Path | None] = {
            "GIT_DIR": self.git_folder,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
        }
        drivers: Mapping[str, str] = {}
        if self.seal is not None:
            places |= self.seal.places
        elif command not in _INERT:
            # Asked anew each time: whoever works in the repository may have changed any file that settings come from.
            drivers = _neutralised(self.git_folder)
        return {
            **quiet_environment(),
            **{name: str(place) for name, place in places.items() if place is not None},
            **settings_in_environment({**FENCE, **drivers, **self.settings}),
        }


def quiet_environment() -> dict[str, str]:
    """The environment of every git call: none of the outer `GIT_*` variables, nobody asked, English, no network."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **clean,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "true",
        "GIT_ALLOW_PROTOCOL": "",
    }


def settings_in_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings as git takes them from its environment: they win over every file."""
    shown = {"GIT_CONFIG_COUNT": str(len(settings))}
    for place, (key, value) in enumerate(settings.items()):
        shown[f"GIT_CONFIG_KEY_{place}"], shown[f"GIT_CONFIG_VALUE_{place}"] = key, value
    return shown


def _neutralised(git_folder: Path) -> dict[str, str]:
    """Every filter, diff and merge driver that is configured at this moment, so that none is ever started."""
    found = configured(git_folder, _DRIVER_KEYS)
    return {name: _harmless(name) for name in sorted(found)} | {
        name.rpartition(".")[0] + ".required": "false" for name in found if name.startswith("filter.")
    }


def _seal_of(git_folder: Path) -> Seal:
    """The one seal of this process for a git folder; made anew where somebody has cleared it away."""
    seal = _seals.get(git_folder)
    if seal is None or not seal.is_there:
        kept = configured(git_folder, KEPT)
        try:
            seal = _seals[git_folder] = make_seal(common_folder(git_folder), git_folder, kept)
        except OSError as error:
            raise EnvironmentUnfit(f"cannot write in {gettempdir()}: {error.strerror}") from error
    return seal


_seals: dict[Path, Seal] = {}


def configured(git_folder: Path, pattern: str) -> dict[str, str]:
    """What a repository's and the user's files set, by the names that match."""
    words = ("config", "--includes", "--null", "--get-regexp", pattern)
    try:
        done = run_program(["git", *words], cwd=git_folder, env={**quiet_environment(), "GIT_DIR": str(git_folder)})
    except SpawnFailed as error:
        if not git_folder.is_dir():
            raise GitFailed("config", f"{git_folder} is gone") from error
        raise EnvironmentUnfit(error.message, hint="install git, or put it on the PATH") from error
    if done.exit_code not in (0, 1):
        raise GitFailed("config", _last_words(done))
    pairs = (os.fsdecode(setting).partition("\n") for setting in done.output.split(b"\0") if setting)
    return {name: value for name, _, value in pairs}


def _harmless(name: str) -> str:
    """What a driver is set to: a merge driver must fail, so that its path counts as a conflict."""
    if name.startswith("merge."):
        return "false"
    return "false" if name.endswith(".required") else ""


def common_folder(git_folder: Path) -> Path:
    """The folder that all working trees of a repository share."""
    try:
        return (git_folder / (git_folder / "commondir").read_text().strip()).resolve()
    except OSError:
        return git_folder


def _shown(words: Sequence[str | bytes | os.PathLike[str]]) -> str:
    return next((os.fsdecode(word) for word in words if not os.fsdecode(word).startswith("-")), "git")


def _last_words(done: Finished) -> str:
    said = done.errors.decode(errors="surrogateescape").strip().splitlines()
    return said[-1] if said else f"exit code {done.exit_code}"


# -- before there is a repository ------------------------------------------------------------------------

_FENCE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def ask_git(*words: str, cwd: Path) -> Captured:
    """Run git for its answer, whatever its exit code."""
    try:
        return capture(["git", *_FENCE, *words], cwd=cwd)
    except SpawnFailed as error:
        raise EnvironmentUnfit(error.message, hint="install git, or put it on the PATH") from error


def tell_git(*words: str, cwd: Path) -> None:
    """Run git for its effect; a refusal is an unfit environment."""
    done = ask_git(*words, cwd=cwd)
    if done.exit_code != 0:
        said = done.errors.strip().splitlines() or [f"exit code {done.exit_code}"]
        raise EnvironmentUnfit(f"git {words[0]} failed in {cwd}: {said[-1]}")


def git_version(cwd: Path) -> tuple[int, ...]:
    """Major, minor and so on; empty if git says something else."""
    found = re.search(r"\d+(\.\d+)+", ask_git("--version", cwd=cwd).output)
    return tuple(map(int, found[0].split("."))) if found else ()


class Head(NamedTuple):
    """What git says of the commit that is checked out."""

    has_commit: bool
    trouble: str = ""
    """Why git cannot tell: damaged, of a strange version, somebody else's."""


def look_at_head(cwd: Path) -> Head:
    """Whether there is a commit to start from, or why that cannot be told."""
    done = ask_git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", cwd=cwd)
    if done.exit_code == 0:
        return Head(has_commit=True)
    if said := [line for line in done.errors.splitlines() if line.startswith("fatal: ")]:
        return Head(has_commit=False, trouble=said[0].removeprefix("fatal: "))
    found = ask_git("rev-parse", "--verify", "--quiet", "HEAD", cwd=cwd)
    is_lost = found.exit_code == 0
    return Head(has_commit=False, trouble=f"the commit {found.output.strip()} is missing" if is_lost else "")
