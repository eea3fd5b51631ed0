"""Completion offers what the parsers accept. bash is really asked; zsh and fish where they are installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.states.tables import MACHINES
from minipipe_tui.cli import shells
from minipipe_tui.cli.commands import COMMANDS
from minipipe_tui.cli.grammar import FILES, PATCHES, RUNS, Option, Place, grammar
from minipipe_tui.cli.main import main

INVENTED = [
    Place(
        (), (("run", "run a plan"), ("plan", "it's about plans"), ("look", "look")), (Option(("--help",), "help"),), ""
    ),
    Place(
        ("run",),
        (),
        (
            Option(("--mode",), "how", takes_value=True, value="shadow pilot"),
            Option(("--var",), "a value", takes_value=True),
            Option(("-j", "--json"), "as JSON"),
        ),
        FILES,
    ),
    Place(("plan",), (("show", "show a run"), ("new", "make one")), (), ""),
    Place(("plan", "show"), (), (Option(("--ids",), "ids"),), RUNS),
    Place(("plan", "new"), (), (), ""),
    Place(("look",), (), (Option(("--of",), "of", takes_value=True, value=PATCHES),), f"{RUNS} {PATCHES}"),
]

ASK = """
set -u
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_minipipe
printf '%s\\n' "${COMPREPLY[@]+"${COMPREPLY[@]}"}"
"""


def ask(script: Path, *words: str, path: Path | None = None) -> list[str]:
    """What bash would offer for the last of these words."""
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, "--norc", "-c", ASK, "bash", str(script), "minipipe", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=script.parent,
        env={"PATH": f"{path}:/usr/bin:/bin"} if path else {"PATH": "/usr/bin:/bin"},
    )
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.fixture
def real(tmp_path: Path) -> Path:
    script = tmp_path / "real.bash"
    script.write_text("\n".join(shells.bash(grammar())))
    return script


@pytest.fixture
def invented(tmp_path: Path) -> Path:
    script = tmp_path / "invented.bash"
    script.write_text("\n".join(shells.bash(INVENTED)))
    (tmp_path / "my plan.json").touch()
    return script


def test_every_command_is_offered(real: Path) -> None:
    assert set(ask(real, "")) == set(COMMANDS)


def test_choices_and_options_of_a_real_command_are_offered(real: Path) -> None:
    assert set(ask(real, "states", "")) == set(MACHINES)
    assert set(ask(real, "states", "--")) == {"--help", "--json", "--mermaid"}
    assert ask(real, "states", "--json", "work") == ["workstream", "worker"]
    assert ask(real, "completion", "f") == ["fish"]


def test_actions_of_a_group_are_offered_and_then_what_they_take(invented: Path) -> None:
    assert ask(invented, "plan", "") == ["show", "new"]
    assert ask(invented, "plan", "show", "-") == ["--ids"]


def test_the_value_of_an_option_is_offered_and_nothing_else(invented: Path) -> None:
    assert ask(invented, "run", "--mode", "") == ["shadow", "pilot"]
    assert ask(invented, "run", "--mode", "p") == ["pilot"]
    assert ask(invented, "run", "--var", "") == []


def test_an_option_without_value_does_not_stop_what_follows(invented: Path) -> None:
    assert ask(invented, "run", "--json", "my") == ["my", "plan.json"]


def test_plans_complete_to_files(invented: Path) -> None:
    assert "plan.json" in ask(invented, "run", "my")


def test_run_ids_are_asked_for_and_only_ids_come_through(invented: Path, tmp_path: Path) -> None:
    fake = tmp_path / "minipipe"
    fake.write_text("#!/bin/sh\nprintf '%s\\n' run_01A run_01B '$(touch hacked)' 'run_01C;x'\n")
    fake.chmod(0o755)
    assert ask(invented, "plan", "show", "", path=tmp_path) == ["run_01A", "run_01B"]
    assert not (tmp_path / "hacked").exists()


def test_patch_ids_are_asked_for_where_a_patch_is_meant(invented: Path, tmp_path: Path) -> None:
    fake = tmp_path / "minipipe"
    fake.write_text(
        "#!/bin/sh\n[ \"$1\" = runs ] && echo run_01A\n[ \"$1 $2\" = 'patch list' ] && echo pat_01A && echo 'pat_;x'\n"
    )
    fake.chmod(0o755)
    assert ask(invented, "look", "--of", "", path=tmp_path) == ["pat_01A"]
    assert ask(invented, "look", "", path=tmp_path) == ["run_01A", "pat_01A"]


@pytest.mark.parametrize("words", [("review", "approve"), ("patch", "show"), ("review", "comment", "--ledger-id")])
def test_patches_are_offered_by_real_commands(real: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    fake = tmp_path / "minipipe"
    fake.write_text("#!/bin/sh\n[ \"$1 $2 $3\" = 'patch list --ids' ] && echo pat_01A\n")
    fake.chmod(0o755)
    assert ask(real, *words, "pat", path=tmp_path) == ["pat_01A"]


def test_without_run_ids_completion_stays_quiet(invented: Path, tmp_path: Path) -> None:
    fake = tmp_path / "minipipe"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 5\n")
    fake.chmod(0o755)
    assert ask(invented, "plan", "show", "", path=tmp_path) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_that_its_shell_can_read(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed: its syntax was not checked")
    script = tmp_path / "script"
    script.write_text(out)
    subprocess.run([program, "-n", str(script)], check=True)


@pytest.mark.parametrize("make", [shells.bash, shells.zsh])
def test_quotes_and_braces_of_the_script_are_balanced(make: object) -> None:
    assert callable(make)
    text = "\n".join(make(INVENTED))
    assert text.count('"') % 2 == 0
    assert text.count("{") == text.count("}")
    assert text.count("case ") == text.count("esac")


def test_fish_gets_a_rule_for_every_option_and_value() -> None:
    rules = "\n".join(shells.fish(INVENTED))
    assert "-a plan -d 'it\\'s about plans'" in rules
    assert "-n '__minipipe_in run' -l mode -r -a 'shadow pilot' -d 'how'" in rules
    assert "-n '__minipipe_in run' -s j -l json -d 'as JSON'" in rules
    assert "-n '__minipipe_in run' -F" in rules
    assert "-n '__minipipe_in plan show' -a '(minipipe runs --ids" in rules
    assert "-n '__minipipe_in look' -l of -r -a '(minipipe patch list --ids" in rules


def test_an_unknown_shell_is_wrong_usage() -> None:
    assert main(["completion", "tcsh"]) == 2
