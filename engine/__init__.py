"""The minipipe engine: runs plans durably, and is usable as a library.

Importing this package loads nothing but this constant; import the room you need.
The engine never imports `minipipe_tui`, Textual or Rich.
"""

__version__ = "0.1.0"
