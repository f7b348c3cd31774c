"""A refused key keeps a channel out for long, and only time or a person lets it back."""

from __future__ import annotations

from lasso_trio.providers.breaker import (
    JITTER,
    LONGEST_WAIT_S,
    SHARED,
    Breaker,
    State,
)
from lasso_trio.providers.catalogue import Category
from tests.providers.breakers import RNG, fail, opened


def test_a_refused_key_is_quarantined_for_five_minutes_then_twice_as_long_up_to_an_hour() -> None:
    breaker, now, delays = opened(Category.AUTH_ERROR), 0.0, []
    for _ in range(6):
        assert breaker.quarantined
        delays.append(breaker.until - now)
        now = breaker.until
        assert breaker.admit(now)
        assert breaker.failure(Category.AUTH_ERROR, now, RNG)
    for delay, base in zip(delays, [300, 600, 1200, 2400, 3600, 3600], strict=True):
        assert base <= delay <= base * (1 + JITTER)


def test_a_refused_key_concerns_every_profile_of_a_shared_instance() -> None:
    breaker = Breaker(SHARED)
    fail(breaker, Category.AUTH_ERROR, 3)
    assert (breaker.state(0.0), breaker.quarantined, breaker.reason) == (State.OPEN, True, "auth_error")


def test_late_successes_do_not_end_a_quarantine() -> None:
    breaker = opened(Category.AUTH_ERROR)
    assert breaker.success(1.0, 0.0) is False
    assert breaker.state(1.0) is State.OPEN
    until = breaker.until
    assert breaker.admit(until)
    assert breaker.success(until + 1, 0.0) is False
    assert not breaker.admit(until + 1), "the probe is still under way"


def test_a_quarantine_that_is_over_ends_like_any_open_time() -> None:
    breaker = opened(Category.AUTH_ERROR)
    until = breaker.until
    for _ in range(2):
        assert breaker.admit(until)
        breaker.success(until, until)
    assert (breaker.state(until), breaker.quarantined, breaker.reason) == (State.CLOSED, False, "")


def test_a_quarantine_without_an_end_lasts_until_it_is_released() -> None:
    breaker = Breaker()
    breaker.quarantine("wrong_chain", 5.0)
    assert (breaker.state(1e9), breaker.quarantined, breaker.reason) == (State.OPEN, True, "wrong_chain")
    assert breaker.retry_after(10.0) == LONGEST_WAIT_S
    assert not breaker.admit(1e9)
    assert not breaker.success(1e9)
    breaker.release(1e9)
    assert breaker.state(1e9) is State.HALF_OPEN
    breaker.release(1e9)
    assert breaker.admit(1e9)


def test_a_quarantine_with_an_end_is_over_by_then() -> None:
    breaker = Breaker()
    breaker.quarantine("operator", 5.0, 60.0)
    assert breaker.state(64.9) is State.OPEN
    assert breaker.admit(65.0)


def test_an_operators_word_closes_it_at_once_and_is_no_news_for_a_closed_one() -> None:
    breaker = opened(Category.AUTH_ERROR)
    for _ in range(2):
        breaker.close(1.0)
        assert (breaker.state(1.0), breaker.quarantined, breaker.failures) == (State.CLOSED, False, 0)
    assert [step.reason for step in breaker.transitions][1:] == ["ordered"]
