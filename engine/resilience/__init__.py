"""What keeps a run going when attempts fail. Where retry delays are decided: `retry.py`, and nowhere else.

Decides, and touches nothing: no clock, no sleeping, no state of its own.
"""

from engine.resilience.retry import RetryDecision, RetryStrategy

__all__ = ["RetryDecision", "RetryStrategy"]
