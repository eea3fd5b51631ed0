"""Memory: everything that minipipe knows, in one SQLite file, through Peewee.

`journal.py` is the only door by which state changes; `queries.py` and `documents.py` are the read side.
The store never knows why something changes. Nothing outside this room sees SQL or a Peewee model.
"""

from engine.store.database import Database

__all__ = ["Database"]
