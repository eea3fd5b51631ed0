"""The command line: `commands.py` is the table of commands, `main.py` the door, one module a command.

stdout is data, stderr is talk. Nothing here imports Textual or Pydantic; Rich only for live progress.
"""
