"""`minipipe completion SHELL`: a completion script, made from the commands' real parsers."""

import argparse

from minipipe_tui.cli import shells
from minipipe_tui.cli.grammar import grammar
from minipipe_tui.cli.output import print_lines
from minipipe_tui.cli.parser import CommandParser

_SCRIPTS = {"bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish}


def add_arguments(parser: CommandParser) -> None:
    parser.describe(
        "Print a script that completes commands, options, plans, and the ids of runs and patches. "
        "It is static: print it again after an upgrade.",
        examples=(
            'eval "$(minipipe completion bash)"     # in ~/.bashrc',
            'eval "$(minipipe completion zsh)"      # in ~/.zshrc, after compinit',
            "minipipe completion fish > ~/.config/fish/completions/minipipe.fish",
        ),
    )
    parser.add_argument("shell", metavar="SHELL", choices=list(_SCRIPTS), help="bash, zsh or fish")


def run(arguments: argparse.Namespace) -> int:
    print_lines(_SCRIPTS[arguments.shell](grammar()))
    return 0
