"""Why a run or a step is where it is, in a person's words; JSON keeps the engine's own short names."""

_WORDS = {
    "condition": "its condition does not hold",
    "run_if": "nothing that it depends on failed",
    "dependency_failed": "a step that it depends on failed",
    "fail_fast": "another step failed (fail_fast)",
    "carried": "done in the run before",
    "orphaned": "minipipe ended while it ran",
    "crash_loop": "minipipe ended too often while it ran",
    "no_tool": "it cannot be started",
    "failed": "",
    "canceled": "",
    "timeout": "it ran longer than its timeout",
    "user": "on request",
}

_BLAME = "failed: "
"""How the reason of a failed run begins, before the names of the steps; the state beside it says as much."""


def in_words(reason: str | None, message: object = None) -> str:
    """The message where there is one, else what the reason means; nothing where the state says it all."""
    if message:
        return str(message)
    return _WORDS.get(reason or "", reason or "").removeprefix(_BLAME)
