"""Writes the pages that are made from the program's own tables: commands, configuration, events.

    python docs/generate.py

The tests make them again and compare, so that they stay true.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from engine.config.keys import ALIASES, SECTIONS, SETTINGS, describe_config  # noqa: E402
from engine.errors import ExitCode  # noqa: E402
from engine.events.catalogue import CATALOGUE  # noqa: E402
from minipipe_tui.cli import parser as parsers  # noqa: E402
from minipipe_tui.cli.commands import COMMANDS, GROUPS  # noqa: E402
from minipipe_tui.cli.parser import CommandParser  # noqa: E402

_MADE = "<!-- Made by docs/generate.py: change that, or the tables that it reads. -->"

_EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "the run failed; or an action was refused, or a check says no",
    ExitCode.USAGE: "wrong usage, an invalid plan, an unknown or ambiguous id",
    ExitCode.WAITING: "the run is paused: for review, or on request",
    ExitCode.QUARANTINED: "the run is quarantined: a patch waits for `patch release` or `patch drop`",
    ExitCode.UNFIT: "the environment is not fit: no git, no repository or commit, a database that is newer or locked",
    ExitCode.CANCELED: "the run was canceled",
}

_COMMANDS_INTRO = """\
# Commands

`minipipe` alone, and `minipipe --help`, list the commands; `minipipe COMMAND -h` says what one takes.

Data goes to stdout, talk to stderr. `--json` prints one JSON document on stdout and nothing else there; an error is
then `{"error": {"code", "message", "hint"}}`. `events` and every `--follow` in a pipe print JSON Lines. `--debug`
shows where an unexpected error comes from. Colour is for terminals only; `NO_COLOR` and `TERM=dumb` turn it off.

RUN is a run's id, the beginning of one (with or without `run_`), or `last`; PATCH is a patch's in the same way, and
`--ledger-id PATCH` names it as an option. For `minipipe review`, `last` is the newest patch that waits.

Everything is about the repository that one stands in; its memory is the folder `.minipipe` at the top of the main
working tree.

On a terminal `minipipe run` shows live progress; elsewhere it prints a line for each thing worth telling. Of a plan
of more than 40 steps, plain progress tells failures, retries and how far the run is, and the report lists the steps
that did not simply complete, at most 40 of them, with the counts of all. `minipipe show RUN --all` lists every step,
and JSON always has all of them.

What a step changes becomes a patch. One that a person must look at waits, and so does its step; a run in which nothing
else can go on pauses (exit code 3). A decision is written down at once; whoever runs the run goes on by itself, and
where nobody does, `minipipe resume RUN` goes on. Hunks are numbered from 1 over the whole patch, as `review show`
prints them; with one `--file` they are numbered within that file.

Whatever a patch, a path or a comment holds is shown and never obeyed: controls appear as `^[`, what cannot be seen as
`<U+202E>`. Only `patch export` writes bytes as they are, and not to a terminal.

The first Ctrl-C (or SIGTERM, or SIGHUP) cancels a run: its steps are stopped, its `finally` steps still run. The
second stops those too, at once. A terminal that is closed (SIGHUP) is never the second; `nohup minipipe run PLAN &`
outlives it.
"""

_DOCUMENTS = """\
## JSON documents

Keys may be added; none is ever renamed or removed.

- `run`, `show`, `resume`, `retry`, and `pause` and `cancel` with what became of the run: `run_id`, `plan_id`,
  `state`, `reason`, `exit_code`, `created_at`, `started_at`, `ended_at`, `diff_stats`, `variables` (secrets masked),
  `settings`, `owner`, `available_actions`, `patches`, and `tasks`: each with `task_id`, `step_id`, `state`, `reason`,
  `message`, `waiting_for`, `outputs`, `diff_stats` and `attempts`: each with `attempt_id`, `number`, `state`,
  `reason`, `outcome`, `message`, `tool_id`, `exit_code`, `duration_seconds`, `log_path`, `started_at`, `ended_at`.
- a patch, as `review list`, `review show`, `patch list`, `patch show`, `show` and every decision print it:
  `patch_id`, `ledger_id` (the same), `run_id`, `task_id`, `step_id`, `attempt_id`, `origin`, `state`, `reason`,
  `base_commit`, `commit` (what is reviewed), `committed_commit`, `parent_patch_id`, `superseded_by`, `created_at`,
  `patch_hash`, `diff_path`, `diff_stats`, `risk` (`score`, `reasons`), `files` (each with `path`, `old_path`, `status`,
  `old_mode`, `new_mode`, `lines_added`, `lines_deleted`, `is_binary`), `review` (`manual_review_required`,
  `review_status`, `reviewer`, `reviewed_by`, `reviewed_at`, `review_comment`, `review_reason`, `comments`),
  `quarantine_reason`, `findings`, `gates` and `available_actions`. Paths are as git quotes them where they hold more
  than plain characters.
- `review list` and `patch list`: `{"patches": [...], "next": PATCH or null}`.
- `review show`, and `patch show --diff`: the patch with `hunks` (each with `number`, `path`, `header`, `lines_added`,
  `lines_deleted`; `header` is null for a file without hunks, such as a binary one) and `diff`, the text; null where it
  holds a secret value and is not kept. Bytes that are not UTF-8 are lone surrogates. `review show` and `patch show` add
  `trial`: null, or `applies` (`cleanly`, `three-way` or `conflicts`), `is_there_already`, `conflicts` and `overlaps`.
- `patch stats`: `patch_id` and `run_id`, `diff_stats`, and `display`, the same for people.
- `worktree list`: `{"worktrees": [...], "next": null}`: each with `kind` (`pooled`, `named` or `archive`), `name`,
  `state`, `path`, `holder`, `commit`, `since`, `size`. `worktree prune`: `dry_run`, `removed` (names), `left`
  (each with `name`, `why`).
- `runs`: `{"runs": [...], "next": RUN or null}`, newest first; `next` is what `--after` takes.
- `status`: `runs`, `tasks`, `patches` (counts by state), `oldest_review_at`, `owners`, `interrupted`, `daemon`.
- `logs`: `step_id`, `attempt`, `log_path`, `text`. With `--follow`: lines of `step_id`, `attempt`, `line`.
- `doctor`: `{"healthy": bool, "checks": [{"name", "state", "message", "hint"}]}`; a state is `ok`, `warn` or
  `problem`.
- `plan validate`: `valid`, `errors` (each with `path`, `line`, `column`, `message`, `hint`), `plan_id`, `steps`.
- `run --dry-run`: as `run`, with `dry_run` and `orders` (each with `step_id`, `argv`, `cwd`).
- `db check`: `{"sound": bool, "problems": [...]}`.
- `events`: one event a line; see [events](events.md).
"""


def commands_page() -> str:
    return "\n".join([_MADE, "", _COMMANDS_INTRO, *_exit_codes(), "", *_commands(), _DOCUMENTS])


def _exit_codes() -> Iterator[str]:
    yield from ("## Exit codes", "", "| code | means |", "|--:|---|")
    yield from (f"| {code:d} | {text} |" for code, text in _EXIT_CODES.items())


def _commands() -> Iterator[str]:
    for group in GROUPS:
        yield from (f"## To {group}" if group in ("run", "look") else f"## {group.capitalize()}", "")
        for command in COMMANDS.values():
            if command.group == group:
                yield from _command(parsers.build(command, parsers.load(command)), level="###")


def _command(parser: CommandParser, *, level: str) -> Iterator[str]:
    groups = [action for action in parser.arguments() if isinstance(action, argparse._SubParsersAction)]
    yield from (f"{level} `{parser.prog}`", "", " ".join((parser.description or "").split()), "")
    rows = [row for action in parser.arguments() if action not in groups for row in _argument(action)]
    if rows:
        yield from ("| argument | means |", "|---|---|", *rows, "")
    if parser.epilog and not groups:
        yield from ("```", *(line.strip() for line in parser.epilog.splitlines()[1:]), "```", "")
    for action in groups:
        about = {choice.dest: choice.help for choice in action._choices_actions}
        for name, below in action.choices.items():
            below.description = below.description or about[name]
            yield from _command(below, level="####")


def _argument(action: argparse.Action) -> Iterator[str]:
    if action.help == argparse.SUPPRESS or "-h" in action.option_strings:
        return
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        shown = f"[{value}]" if action.nargs == "?" else str(value)
    else:
        shown = ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")
    yield f"| `{shown}` | {(action.help or '').replace('|', chr(92) + '|')} |"


def configuration_page() -> str:
    return "\n".join([_MADE, "", _CONFIGURATION_INTRO, *_sections(), *_aliases(), ""])


_CONFIGURATION_INTRO = """\
# Configuration

None is needed. Where something is set in several places, the later of these wins:

1. the defaults below
2. `router_config.json` and `.minipipe/daemon_config.json` in the repository, older files of which a few keys are read
3. `minipipe.toml` at the top of the repository, shared with everybody
4. `~/.config/minipipe/config.toml` (or below `$XDG_CONFIG_HOME`), your own
5. the environment: `run.retries` is `MINIPIPE_RUN_RETRIES`; lists are separated by commas; empty counts as not set
6. options of a command, such as `--max-concurrent`

What a plan says about itself wins over all but the options.

```toml
# minipipe.toml
[run]
max_concurrent_steps = 8
env_allow = ["CI", "SSH_AUTH_SOCK"]
```

An unknown key or a value that does not fit is an error (exit code 2), with everything that is wrong said at once.
A key marked *own file* reaches outside the plans: the repository's file may not set it. `minipipe doctor` says
whether the configuration is sound.

`[sessions]`, `[tui]`, `[daemon]`, and `[worktrees]` but for `enabled`, are read and checked; nothing uses them yet.
"""


def _sections() -> Iterator[str]:
    for section, rows in groupby(describe_config(), key=lambda row: row[0].partition(".")[0]):
        about = (SECTIONS[section].__doc__ or "").strip()
        yield from (f"## [{section}]", "", about, "", "| key | type | default | what it is |", "|---|---|---|---|")
        for key, kind, default, says in rows:
            own = " *own file*" if SETTINGS[key].limits.own_only else ""
            yield f"| `{key}` | {kind} | `{_toml(default)}` | {says}{own} |"
        yield ""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _aliases() -> Iterator[str]:
    yield from ("## Older names", "")
    yield from (f"- `{old}` is `{new}`" for old, new in ALIASES.items())


def events_page() -> str:
    return "\n".join([_MADE, "", _EVENTS_INTRO, *_event_types(), ""])


_EVENTS_INTRO = """\
# Events

Everything that happens is an event: a row in the database, a line in `.minipipe/events.jsonl`, and what
`minipipe events` prints. The database is the truth; the file is the audit trail, and `minipipe db rebuild-audit`
writes it anew.

| key | what it is |
|---|---|
| `event_id` | unique, and sortable by time |
| `timestamp` | UTC, with microseconds |
| `event_type` | one of those below |
| `severity` | debug, info, warning or error |
| `entity_type`, `entity_id` | what it is about |
| `from_state`, `to_state` | for a change of state; see `minipipe states` |
| `trigger`, `reason`, `operator` | what caused it, why, and who (null for minipipe itself) |
| `run_id` | the run that it belongs to |
| `metadata` | more, by type: `step_id`, `number` (of an attempt), `message`, `duration_seconds`, `delay_seconds` |
| `seq` | its place in the journal: what `minipipe events --after` takes |

Types are only ever added. Those of patches, gates, workers, breakers, sessions and gaps are reserved, and so are
`run_quarantined`, `step_blocked`, `step_orphaned`, `step_output`, `workstream_blocked`, `planning_complete` and
`log_capped`: nothing makes them yet.
"""


def _event_types() -> Iterator[str]:
    yield from ("| type | severity | says |", "|---|---|---|")
    yield from (f"| `{each.name}` | {each.severity} | {each.says} |" for each in CATALOGUE.values())


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "events.md": events_page,
}


def main() -> None:
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
