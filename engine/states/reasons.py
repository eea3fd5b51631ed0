"""Why something is in its state, in our own words: code decides by them, so nothing may ever alter one.

Any other reason is text for people.
"""

from engine.states.outcomes import Outcome

OUR_REASONS = frozenset(
    {
        *(outcome.value for outcome in Outcome),
        "canceling",
        "carried",
        "condition",
        "crash_loop",
        "dependency_failed",
        "exhausted",
        "fail_fast",
        "pausing",
        "promotion",
        "review",
        "run_if",
        "shadow",
        "user",
    }
)
