"""The console script: finds the named command, imports it alone, and lets the boundary speak when it fails.

`--version` needs nothing but this module's own imports, so none of them may be heavy; everything else is
imported when it is known to be needed.
"""

import sys
from collections.abc import Sequence

from engine import __version__
from minipipe_tui.cli import boundary


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code is the return value, and nothing is raised."""
    words = list(sys.argv[1:] if argv is None else argv)
    return boundary.guard(lambda: _dispatch(words), words)


def _dispatch(words: Sequence[str]) -> int:
    place = next((place for place, word in enumerate(words) if not word.startswith("-")), len(words))
    leading, rest = words[:place], words[place + 1 :]
    if "--version" in leading:
        print(f"minipipe {__version__}")
        return 0
    if place == len(words) or _asks_for_overview(leading, words[place:]):
        return _overview(leading)
    # Options may come first: `minipipe --json states` is `minipipe states --json`.
    return _run(words[place], [*leading, *rest])


def _asks_for_overview(leading: Sequence[str], words: Sequence[str]) -> bool:
    return "--help" in leading or "-h" in leading or list(words) == ["help"]


def _overview(leading: Sequence[str]) -> int:
    from minipipe_tui.cli.commands import overview

    unknown = [word for word in leading if word not in ("-h", "--help", "--debug", "--")]
    if unknown:
        _refuse(f"minipipe {unknown[0]}: no command was given", "minipipe --help lists the commands")
    print(overview(__version__))
    return 0


def _run(name: str, words: Sequence[str]) -> int:
    from minipipe_tui.cli.commands import COMMANDS, closest

    if name == "help":
        name, words = next((word for word in words if not word.startswith("-")), name), ["--help"]
    if name not in COMMANDS:
        likely = closest(name)
        meant = f"did you mean {likely!r}? " if likely else ""
        _refuse(f"there is no command {name!r}", f"{meant}minipipe --help lists the commands")

    from minipipe_tui.cli import parser

    command = COMMANDS[name]
    arguments = parser.build(command, parser.load(command)).parse_args(boundary.without_debug(words))
    code: int = arguments.run(arguments)
    return code


def _refuse(message: str, hint: str) -> None:
    from engine.errors import UsageError

    raise UsageError(message, hint=hint)
