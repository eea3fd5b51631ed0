"""The table of commands: name, group, one line of help, and the module that does the work.

`minipipe --help` is made from this table alone; only the named command's module is ever imported. A module offers
`add_arguments(parser)` and `run(arguments) -> int`; in a group each action sets its own `run` as a default of its
parser. To add a command, add a row.
"""

from collections.abc import Iterator

GROUPS = ("run", "look", "changes", "plans", "upkeep")


class Command:
    """One row of the table. A command that is a group of actions names them, and needs no other text."""

    __slots__ = ("actions", "group", "help", "module", "name")

    def __init__(
        self, name: str, group: str, text: str = "", *, module: str = "", actions: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.group = group
        self.help = text or ", ".join(actions)
        self.actions = actions
        self.module = module or f"minipipe_tui.cli.{name}"


_ACTING = "minipipe_tui.cli.acting"

_ROWS = (
    Command("run", "run", "run a plan, here and now"),
    Command("resume", "run", "go on with a run that is pending, paused or was killed"),
    Command("pause", "run", "let running steps finish and start nothing more", module=_ACTING),
    Command("cancel", "run", "end a run; its finally steps still run", module=_ACTING),
    Command("retry", "run", "run an ended run again, without what succeeded", module=_ACTING),
    Command("promote", "run", "take what a run has committed to its target branch"),
    Command("rollback", "run", "undo what a run has committed"),
    Command("demo", "run", "see it work: a small repository and a plan that shows the ideas"),
    Command("runs", "look", "the runs of this repository, newest first"),
    Command("show", "look", "one run: its steps and patches, and what it waits for"),
    Command("status", "look", "how many of everything are in which state"),
    Command("events", "look", "what happened, as JSON Lines; --follow goes on"),
    Command("logs", "look", "what a step printed; --follow goes on"),
    Command("states", "look", "every entity's states, and where it may go from each"),
    Command(
        "review",
        "changes",
        actions=("list", "show", "approve", "reject", "request-changes", "comment", "undo"),
    ),
    Command(
        "patch",
        "changes",
        "list, show, import, export, release, rollback, …",
        actions=("list", "show", "stats", "import", "export", "quarantine", "release", "drop", "rollback"),
    ),
    Command("plan", "plans", actions=("validate", "schema", "graph", "explain", "new")),
    Command("worktree", "upkeep", actions=("list", "prune")),
    Command("db", "upkeep", actions=("check", "backup", "migrate", "rebuild-audit")),
    Command("doctor", "upkeep", "is everything here that minipipe needs?"),
    Command("completion", "upkeep", "a completion script for bash, zsh or fish"),
)

COMMANDS = {row.name: row for row in _ROWS}

_OPTIONS = (
    ("-h, --help", "what a command does and takes, with examples"),
    ("--json", "one JSON document on stdout; errors too"),
    ("--debug", "show where an unexpected error comes from"),
    ("--version", "the version"),
)


def overview(version: str) -> str:
    """What `minipipe --help` prints."""
    return "\n".join(_overview_lines(version))


def closest(name: str) -> str | None:
    """The command, or the action of one, that somebody probably meant."""
    from difflib import get_close_matches

    if name.endswith(".json"):
        return f"run {name}"
    meant = {action: f"{row.name} {action}" for row in _ROWS for action in row.actions}
    meant.update((row.name, row.name) for row in _ROWS)
    return next((meant[match] for match in get_close_matches(name, meant, n=1)), None)


def _overview_lines(version: str) -> Iterator[str]:
    yield f"minipipe {version}: runs plans of tool and AI-agent steps, and loses nothing"
    yield ""
    yield "usage: minipipe COMMAND [arguments]       minipipe COMMAND -h tells more"
    for group in GROUPS:
        rows = [(row.name, row.help) for row in COMMANDS.values() if row.group == group]
        if rows:
            yield from _section(group, rows)
    yield from _section("options, anywhere on the line", _OPTIONS)


def _section(title: str, rows: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> Iterator[str]:
    yield ""
    yield title
    for name, text in rows:
        yield f"  {name:<12} {text}"
