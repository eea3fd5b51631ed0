"""Whether an attempt that ended is followed by another, and after how long: all of it is decided here.

`OUTCOME_RULES` says what each outcome leads to, `RetryStrategy.decide` applies it. The same inputs give the
same decision, jitter included. A delay is never negative and never over its cap; an attempt that did not
fail through its own fault is never charged to `retries`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from engine.plan.plan import Backoff
from engine.states.outcomes import Outcome

CRASH_LIMIT = 20
"""How often a step whose attempts are lost with the engine itself is started again."""

MAX_SECONDS = 24 * 3600.0
"""No delay is longer, whatever a plan or a server asks for."""

MIN_SERVER_SECONDS = 1.0
"""Limited attempts are not charged, so nothing else would stop them from being repeated without a pause."""


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """What an outcome leads to. `delay` says who decides how long to wait."""

    is_retryable: bool
    is_charged: bool = True
    delay: Literal["backoff", "server", "none"] = "backoff"


_AGAIN = OutcomeRule(is_retryable=True)
_WHEN_ALLOWED = OutcomeRule(is_retryable=True, is_charged=False, delay="server")
_AT_ONCE = OutcomeRule(is_retryable=True, is_charged=False, delay="none")
_NEVER = OutcomeRule(is_retryable=False, delay="none")

OUTCOME_RULES: Mapping[Outcome, OutcomeRule] = {
    Outcome.OK: _NEVER,
    Outcome.NO_CHANGE: _AGAIN,  # asked about only where a change was expected
    Outcome.FAILED: _AGAIN,
    Outcome.TIMEOUT: _AGAIN,
    Outcome.CHECK_FAILED: _AGAIN,
    Outcome.TRANSIENT: _AGAIN,
    Outcome.INTERRUPTED: _AGAIN,
    Outcome.PROTOCOL_ERROR: _AGAIN,
    Outcome.RATE_LIMITED: _WHEN_ALLOWED,
    Outcome.ORPHANED: _AT_ONCE,
    Outcome.CONFLICT: _AT_ONCE,  # once, from the new head: whoever asks sees to that
    Outcome.CHANGES_REQUESTED: _AT_ONCE,
    Outcome.REJECTED: _NEVER,
    Outcome.CANCELED: _NEVER,
    Outcome.DENIED: _NEVER,
    Outcome.AUTH: _NEVER,
    Outcome.CAP: _NEVER,  # a person raises it
    Outcome.CONTEXT_OVERFLOW: _NEVER,  # the same prompt would be as long again
    Outcome.SUSPECT: _NEVER,
    Outcome.SCOPE_VIOLATION: _NEVER,
    Outcome.NO_TOOL: _NEVER,
    Outcome.SPAWN: _NEVER,
    Outcome.PLAN_ERROR: _NEVER,
}

DEFAULT_BACKOFF = Backoff()

Reason = Literal["retry", "rate_limited", "orphaned", "exhausted", "crash_loop", "not_retryable"]


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Whether and when to try again, and whether the attempt that ended counts against `retries`."""

    retry: bool
    delay_seconds: float
    is_charged: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """How one step is retried; `retries` are the attempts after the first."""

    retries: int = 0
    backoff: Backoff = DEFAULT_BACKOFF
    crash_limit: int = CRASH_LIMIT

    def decide(
        self, outcome: str, *, charged: int, orphaned: int, seed: str, server_delay: float | None = None
    ) -> RetryDecision:
        """What follows an attempt that ended.

        `charged` and `orphaned` count the attempts of the same task *before* this one. `seed` is made of
        run, step and attempt number, so that steps that failed together do not come back together.
        """
        rule = OUTCOME_RULES[Outcome(outcome)]
        if not rule.is_retryable:
            return _end(rule, "not_retryable")
        if rule.delay == "server":
            return _again(rule, "rate_limited", self._server_delay(charged, seed, server_delay))
        if rule.delay == "none" and outcome != Outcome.ORPHANED:
            return _again(rule, "retry")
        if rule.delay == "none":
            return _again(rule, "orphaned") if orphaned < self.crash_limit else _end(rule, "crash_loop")
        if charged < self.retries:
            return _again(rule, "retry", self._backoff_delay(charged, seed))
        return _end(rule, "exhausted")

    def _backoff_delay(self, charged: int, seed: str) -> float:
        """`initial * factor ** charged`, jitter added or taken away, within the cap."""
        cap = min(MAX_SECONDS, max(0.0, self.backoff.max_seconds))
        spread = min(1.0, max(0.0, self.backoff.jitter)) * (2.0 * _fraction(seed) - 1.0)
        return min(cap, _grown(self.backoff, charged, cap) * (1.0 + spread))

    def _server_delay(self, charged: int, seed: str, asked: float | None) -> float:
        """What the server asked for, jitter only added: coming back sooner would be refused again."""
        if asked is None:
            return max(MIN_SERVER_SECONDS, self._backoff_delay(charged, seed))
        spread = min(1.0, max(0.0, self.backoff.jitter)) * _fraction(seed)
        return min(MAX_SECONDS, min(MAX_SECONDS, max(MIN_SERVER_SECONDS, asked)) * (1.0 + spread))


def _again(rule: OutcomeRule, reason: Reason, delay: float = 0.0) -> RetryDecision:
    return RetryDecision(retry=True, delay_seconds=delay, is_charged=rule.is_charged, reason=reason)


def _end(rule: OutcomeRule, reason: Reason) -> RetryDecision:
    return RetryDecision(retry=False, delay_seconds=0.0, is_charged=rule.is_charged, reason=reason)


def _grown(backoff: Backoff, times: int, cap: float) -> float:
    """The delay before jitter, between 0 and the cap."""
    initial = max(0.0, backoff.initial_seconds)
    if initial == 0.0:
        return 0.0
    try:
        # As floats: whole numbers would be raised exactly, to numbers of any length.
        return min(cap, initial * max(0.0, float(backoff.factor)) ** times)
    except OverflowError:
        return cap


def _fraction(seed: str) -> float:
    """A number from 0 up to 1 that depends on the text alone, the same in every process."""
    return int.from_bytes(blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=6).digest()) / 2**48
