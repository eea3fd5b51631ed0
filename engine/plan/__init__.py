"""Plans: from the text that a person wrote to steps that can be scheduled.

Pure apart from reading the one file it is given. Nothing here starts, stores or draws anything.
"""
