"""Which runs somebody must own, as a condition in SQL: for the glance, which knows nothing else, and for the rest."""

UNFINISHED = (
    "state = 'running' OR promotion LIKE '%\"intent\":%' OR (state = 'succeeded' AND promotion LIKE "
    '\'%"state":"pending"%\')'
)
"""Runs, in SQL, that somebody must be running, or promoting, or rolling back."""
