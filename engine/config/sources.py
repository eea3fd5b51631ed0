"""Reads a file of settings. A missing one is empty; ValueError says why one cannot be used."""

import json
import os
import stat
from pathlib import Path
from typing import Any

_MAX_BYTES = 1024 * 1024


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dictionary."""
    text = _text(path)
    if not text.strip():
        return {}
    # Loaded only for a file that exists: most commands run without one, and each waits for every import.
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file as a dictionary."""
    text = _text(path)
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("it must hold one JSON object")
    return document


def _text(path: Path) -> str:
    try:
        # Without waiting: something else than a file (a pipe) would hold us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    try:
        data = _bytes(descriptor)
    finally:
        os.close(descriptor)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def _bytes(descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ValueError("it is not a file")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(_MAX_BYTES + 1)
