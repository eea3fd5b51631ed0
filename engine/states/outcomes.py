"""How an attempt turned out, in one word: what follows from it is decided elsewhere.

An outcome is more than an exit code: it is judged from how the attempt ended, what its tool said and what
it changed.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """Words for records and screens; the text is a contract."""

    OK = "ok"
    NO_CHANGE = "no_change"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CHECK_FAILED = "check_failed"
    """The work was done, and a gate or a check said no."""
    TRANSIENT = "transient"
    INTERRUPTED = "interrupted"
    """Something that is not ours ended it."""
    PROTOCOL_ERROR = "protocol_error"
    """The tool said something that cannot be read, or never said that it was done."""
    RATE_LIMITED = "rate_limited"
    ORPHANED = "orphaned"
    """The engine died, or handed over, while it ran."""
    CANCELED = "canceled"
    DENIED = "denied"
    AUTH = "auth"
    CAP = "cap"
    """It reached a limit on turns, tokens or money."""
    CONTEXT_OVERFLOW = "context_overflow"
    SUSPECT = "suspect"
    """It claims a success that the evidence does not show."""
    SCOPE_VIOLATION = "scope_violation"
    CONFLICT = "conflict"
    """What it changed cannot be merged with what others have committed meanwhile."""
    CHANGES_REQUESTED = "changes_requested"
    """A reviewer wants it otherwise."""
    REJECTED = "rejected"
    """A reviewer does not want it."""
    NO_TOOL = "no_tool"
    SPAWN = "spawn"
    """The program could not be started."""
    PLAN_ERROR = "plan_error"
    """The plan asks for something that cannot be, such as a value that no step produced."""
