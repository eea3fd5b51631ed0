"""The faces of minipipe: the command line and the terminal app.

They read through the engine's queries and write through its commands. Importing this package loads nothing.
"""
