"""Processes: starting them in groups of their own, ending them with all they started, keeping their output.

Knows nothing of plans, steps or the store.
"""
