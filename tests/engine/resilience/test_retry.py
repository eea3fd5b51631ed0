"""Every outcome's consequence, and delays that stay within their bounds whatever a plan says."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plan.plan import Backoff
from engine.resilience import RetryStrategy
from engine.resilience.retry import CRASH_LIMIT, MAX_SECONDS, MIN_SERVER_SECONDS, OUTCOME_RULES
from engine.states.outcomes import Outcome

STEADY = Backoff(initial_seconds=1, factor=2, max_seconds=60, jitter=0)
CHARGED = {"no_change", "failed", "timeout", "check_failed", "transient", "interrupted", "protocol_error"}
UNCHARGED = {"rate_limited", "orphaned", "conflict", "changes_requested"}
ANY_BACKOFF = st.builds(Backoff, *[st.floats() | st.integers(-(10**400), 10**400) for _ in range(4)])


def test_every_outcome_has_a_rule() -> None:
    assert set(OUTCOME_RULES) == set(Outcome)


@pytest.mark.parametrize("outcome", [outcome.value for outcome in Outcome])
def test_an_outcome_is_retried_and_charged_as_promised(outcome: str) -> None:
    decision = RetryStrategy(1, STEADY).decide(outcome, charged=0, orphaned=0, seed="s")
    assert decision.retry == (outcome in CHARGED | UNCHARGED)
    assert decision.is_charged == (outcome not in UNCHARGED)
    assert (decision.reason == "not_retryable") == (not decision.retry)


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        RetryStrategy(1).decide("nonsense", charged=0, orphaned=0, seed="s")


@pytest.mark.parametrize(("retries", "charged", "retry"), [(0, 0, False), (1, 0, True), (1, 1, False), (3, 2, True)])
def test_retries_count_the_attempts_after_the_first(retries: int, charged: int, *, retry: bool) -> None:
    decision = RetryStrategy(retries, STEADY).decide("failed", charged=charged, orphaned=0, seed="s")
    assert decision.retry is retry
    assert decision.reason == ("retry" if retry else "exhausted")


def test_the_delay_doubles_up_to_its_cap() -> None:
    strategy = RetryStrategy(10, STEADY)
    delays = [strategy.decide("failed", charged=n, orphaned=0, seed="s").delay_seconds for n in range(8)]
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_crash_of_ours_is_made_good_at_once_even_where_no_retries_are_left() -> None:
    decision = RetryStrategy(0, STEADY).decide("orphaned", charged=5, orphaned=CRASH_LIMIT - 1, seed="s")
    assert (decision.retry, decision.delay_seconds, decision.is_charged) == (True, 0.0, False)


def test_crashes_without_end_are_given_up() -> None:
    decision = RetryStrategy(5, STEADY).decide("orphaned", charged=0, orphaned=CRASH_LIMIT, seed="s")
    assert (decision.retry, decision.reason, decision.is_charged) == (False, "crash_loop", False)


def test_a_rate_limit_waits_at_least_as_long_as_the_server_asks() -> None:
    strategy = RetryStrategy(0, Backoff(jitter=0.5))
    delays = [
        strategy.decide("rate_limited", charged=0, orphaned=0, seed=str(n), server_delay=90).delay_seconds
        for n in range(50)
    ]
    assert 90 <= min(delays) < max(delays) <= 135


@pytest.mark.parametrize("server_delay", [None, 0.0, -5.0, nan])
def test_a_rate_limit_without_a_delay_does_not_spin(server_delay: float | None) -> None:
    strategy = RetryStrategy(0, Backoff(initial_seconds=0))
    decision = strategy.decide("rate_limited", charged=0, orphaned=0, seed="s", server_delay=server_delay)
    assert decision.delay_seconds >= MIN_SERVER_SECONDS


def test_jitter_is_spread_over_its_whole_range_and_depends_on_the_seed_alone() -> None:
    strategy = RetryStrategy(1, Backoff(initial_seconds=10, jitter=0.2))
    delays = [strategy.decide("failed", charged=0, orphaned=0, seed=f"run/step/{n}").delay_seconds for n in range(300)]
    assert 8 <= min(delays) < 8.2
    assert 11.8 < max(delays) <= 12
    assert strategy.decide("failed", charged=0, orphaned=0, seed="run/step/0").delay_seconds == delays[0]


def test_jitter_is_the_same_in_every_process() -> None:
    strategy = RetryStrategy(1, Backoff(initial_seconds=10, jitter=0.2))
    decision = strategy.decide("failed", charged=0, orphaned=0, seed="run_1/build/1")
    assert decision.delay_seconds == pytest.approx(10.808227649722937)


@given(
    st.sampled_from(Outcome),
    ANY_BACKOFF,
    st.integers(0, 10**9),
    st.text(),
    st.none() | st.floats() | st.integers(-(10**400), 10**400),
)
def test_a_delay_is_never_negative_and_never_over_a_cap(
    outcome: Outcome, backoff: Backoff, charged: int, seed: str, server_delay: float | None
) -> None:
    strategy = RetryStrategy(10**10, backoff)
    facts = {"charged": charged, "orphaned": 0, "seed": seed}
    decision = strategy.decide(outcome, **facts, server_delay=server_delay)  # type: ignore[arg-type]
    assert 0.0 <= decision.delay_seconds <= MAX_SECONDS
    if decision.reason == "retry" and 0 <= backoff.max_seconds < inf:
        assert decision.delay_seconds <= backoff.max_seconds
    assert decision == strategy.decide(outcome, **facts, server_delay=server_delay)  # type: ignore[arg-type]


@given(st.floats(0.001, 100), st.floats(1, 10), st.floats(0, 1), st.integers(0, 20), st.text())
def test_a_delay_stays_within_its_jitter(initial: float, factor: float, jitter: float, charged: int, seed: str) -> None:
    strategy = RetryStrategy(charged + 1, Backoff(initial, factor, 3600, jitter))
    delay = strategy.decide("failed", charged=charged, orphaned=0, seed=seed).delay_seconds
    middle = min(3600, initial * factor**charged)
    assert middle * (1 - jitter) - 1e-9 <= delay <= min(3600, middle * (1 + jitter)) + 1e-9
