"""The outermost face: what a command raises becomes a line for a person or a JSON document, and an exit code.

A traceback appears only with `--debug`. With `--json` anywhere on the line stdout holds one document, the
error's own. A reader that went away (`| head`) is no error, and nothing more is said. What shows errors is
imported when there is one, so that a command that succeeds does not pay for it.
"""

import os
import sys
from collections.abc import Callable, Sequence

CANCELED = 130
READER_GONE = 141
"""What the shell shows for any program that a closed pipe ended."""


def guard(work: Callable[[], int], words: Sequence[str]) -> int:
    """Run the command; never raises."""
    _prepare_streams()
    try:
        return _finish(work)
    except BrokenPipeError:
        return _reader_gone()
    except KeyboardInterrupt:
        return _interrupted()
    # The outermost boundary: nothing stands above it that could do better.
    except Exception as error:  # noqa: BLE001
        return _report(error, words)


def without_debug(words: Sequence[str]) -> list[str]:
    """The command line for the command's own parser: `--debug` is ours, wherever it stands before a `--`."""
    own = _before_separator(words)
    return [word for word in own if word != "--debug"] + list(words[len(own) :])


def _finish(work: Callable[[], int]) -> int:
    """The command's exit code, once all it wrote has left."""
    try:
        code = int(work())
    except SystemExit as stop:  # argparse, after it printed a help text
        code = stop.code if isinstance(stop.code, int) else 0
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _report(error: Exception, words: Sequence[str]) -> int:
    from minipipe_tui.cli import complaint

    own = _before_separator(words)
    if "--debug" in own:
        complaint.show_traceback(error)
    try:
        code = complaint.show(error, as_json="--json" in own)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # What cannot be written (a full disk, a closed pipe) must not fail once more at the end.
        _discard_stdout()
        return 1
    return code


def _reader_gone() -> int:
    _discard_stdout()
    return READER_GONE


def _interrupted() -> int:
    from minipipe_tui.cli.output import say

    say("minipipe: interrupted")
    return CANCELED


def _discard_stdout() -> None:
    """Point stdout to nowhere, so that what is still buffered does not fail when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _prepare_streams() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # A closed standard stream would lend its number to the next file opened, which prints would hit.
            os.open(os.devnull, os.O_RDWR)
    if hasattr(sys.stdout, "reconfigure"):
        # A symbol that the locale cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")


def _before_separator(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words
