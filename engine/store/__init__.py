"""Memory: everything that minipipe knows, in one SQLite file, through Peewee.

`journal.py` is the only door by which state changes; `queries.py` and `documents.py` are the read side.
The store never knows why something changes. Nothing outside this room sees SQL or a Peewee model.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.store.database import Database

__all__ = ["Database"]


def __getattr__(name: str) -> Any:
    """`Database`, loaded when somebody asks for it: the quick look of `glance.py` must not pay for Peewee."""
    if name == "Database":
        from engine.store.database import Database

        return Database
    raise AttributeError(name)
