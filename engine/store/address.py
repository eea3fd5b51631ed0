"""How a database is addressed for reading, also where nobody can write."""

import os
from pathlib import Path


def read_only_address(path: Path) -> str:
    """The URI under which SQLite opens a database for reading.

    Readers of a write-ahead log share a file that the first of them makes. Where it cannot be made nobody can write
    either, so the database may be read as it is, unless a log that must be read too was left behind.
    """
    log = Path(f"{path}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    is_frozen = not has_log and not os.access(path.parent, os.W_OK)
    return f"{path.as_uri()}?mode=ro" + ("&immutable=1" if is_frozen else "")
