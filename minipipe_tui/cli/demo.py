"""`minipipe demo`: a small repository of its own, a plan that shows the ideas, and what to look at next."""

import argparse
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.api import open_engine
from engine.errors import EnvironmentUnfit, ExitCode, UsageError
from engine.git.program import tell_git
from minipipe_tui.cli.hosting import host_run
from minipipe_tui.cli.output import print_lines, say
from minipipe_tui.cli.parser import CommandParser
from minipipe_tui.resources import data_folder

PLAN = Path("plans", "demo.json")

_FILES = {
    "README.md": "# A small shop\n\nMade by `minipipe demo`. Delete it whenever you like.\n",
    "lib/price.sh": "# Prices, in cents.  \n\ntotal() {   \n    echo $(($1 * $2))\n}\n",
    "tests/run.sh": (
        ". lib/price.sh\n\n"
        "check() {\n"
        '    if [ "$2" = "$3" ]; then echo "ok: $1"; else echo "not ok: $1: $2 instead of $3"; exit 1; fi\n'
        "}\n\n"
        'check "three at 250" "$(total 3 250)" 750\n'
        'check "nothing" "$(total 0 250)" 0\n'
    ),
}
_SETTINGS = {
    "user.name": "minipipe demo",
    "user.email": "demo@minipipe.invalid",
    "commit.gpgSign": "false",
    "core.hooksPath": "/dev/null",
    "core.autocrlf": "false",
}
"""What holds in the demo's repository alone, so that the person's own hooks, keys and name stay out of it."""


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Make a small git repository, run an example plan in it that ends with a change for you to review, and say "
        "what to look at next. It takes three seconds, and touches nothing else.",
        examples=("minipipe demo", "minipipe demo --dir ~/minipipe-demo"),
    )
    parser.add_argument("--no-ui", action="store_true", help="never open the app (the demo always runs headless here)")
    parser.add_argument("--dir", metavar="DIR", help="where to make it: a new or empty folder (a temporary one)")


def run(arguments: argparse.Namespace) -> int:
    folder = _folder(arguments.dir)
    make_repository(folder)
    say(f"a small repository with a plan is in {folder}")
    with open_engine(folder) as orchestrator:
        run_id = orchestrator.create_run(folder / PLAN)
        code = host_run(orchestrator, run_id, as_json=False, is_followed_by_more=True)
    print_lines(_farewell(folder, code))
    return 0 if code == ExitCode.WAITING else code


def make_repository(folder: Path) -> None:
    """Files, a plan and one commit, in a folder that exists and is empty."""
    tell_git("init", "--quiet", "--initial-branch=main", "--template=", cwd=folder)
    for name, value in _SETTINGS.items():
        tell_git("config", "--local", name, value, cwd=folder)
    plan = (data_folder("plans") / PLAN.name).read_text(encoding="utf-8")
    for name, text in {**_FILES, str(PLAN): plan}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    tell_git("add", "--all", cwd=folder)
    tell_git("commit", "--quiet", "--no-verify", "--message=A small shop, and a plan for it", cwd=folder)


def _folder(given: str | None) -> Path:
    """The folder to use: made if it does not exist, refused if it holds anything."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="minipipe-demo-")).resolve()
    folder = Path(given).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except FileExistsError:
        raise UsageError(f"{folder} is not a folder", hint="name a new or an empty folder") from None
    except OSError as error:
        raise EnvironmentUnfit(f"cannot use {folder}: {error.strerror}", hint="name another folder") from error
    if not is_empty:
        raise UsageError(f"{folder} is not empty", hint="name a new or an empty folder")
    return folder


def _farewell(folder: Path, code: int) -> Iterator[str]:
    yield ""
    if code == ExitCode.WAITING:
        yield "What happened: format and discount changed files. The tests passed with each"
        yield "change, so it was committed on the run's own branch. They failed with shortcut:"
        yield "that change is in quarantine. publish touches CI, so the run waits for your"
        yield "decision. fetch failed once, as planned, and succeeded at its second attempt."
        yield "Until the run ends main stays as it is; then it gets all of it in one move."
    else:
        yield "That did not go as planned; the commands below tell more."
    yield ""
    yield f"Look around:  cd {shlex.quote(str(folder))}"
    if shutil.which("minipipe") is None:
        # The program was started by its path, as after an installation into a virtual environment.
        yield f"              export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
    width = max(len(command) for command, _ in NEXT)
    for command, about in NEXT:
        yield f"  {command:<{width}}  {about}"


NEXT = (
    ("minipipe review show last", "the change that waits, and why"),
    ("minipipe review approve last", "or reject, request-changes, comment"),
    ("minipipe resume last", "go on, and bring main up to date"),
    ("git log -p", "what main has got"),
    ("minipipe patch list", "every change, quarantined ones too"),
    ("minipipe show last", "what became of each step"),
    ("minipipe logs last fetch --attempt 1", "what the failed attempt printed"),
    ("minipipe doctor", "is everything here that it needs?"),
)
