from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.telemetry.rates import MinuteRates

START = 1_000_000.25
"""Trio's clock begins at some large number."""


def test_what_was_counted_in_the_last_minute_is_counted() -> None:
    rates = MinuteRates()
    rates.add(START)
    rates.add(START, 4)
    rates.add(START + 30, 10)
    assert rates.total(START + 30) == 15
    assert rates.total(START + 59) == 15
    assert rates.total(START + 60) == 10
    assert rates.total(START + 90) == 0


def test_nothing_was_counted_at_first_and_after_a_long_silence() -> None:
    rates = MinuteRates()
    assert rates.total(START) == 0
    rates.add(START)
    assert rates.total(START + 1e6) == 0
    assert rates.per_second(START + 1e6) == 0.0


def test_the_rate_is_the_mean_of_the_last_whole_seconds() -> None:
    rates = MinuteRates()
    for second in range(20):
        rates.add(START + second, 5 if second < 15 else 10)
    rates.add(START + 20, 1000)  # the running second would make it jump
    assert rates.per_second(START + 20) == pytest.approx(7.5)
    assert rates.per_second(START + 20, over=5) == 10


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(1, 5)), max_size=30))
def test_the_total_is_that_of_the_seconds_it_can_still_tell_apart(additions: list[tuple[float, int]]) -> None:
    """Calls are counted at the time they came in, which may lie behind that of calls counted before."""
    rates, newest, kept = MinuteRates(), 0, []
    for after, n in additions:
        rates.add(START + after, n)
        second = int(START + after)
        newest = max(newest, second)
        if second > newest - 60:
            kept.append((second, n))
    assert rates.total(newest) == sum(n for second, n in kept if second > newest - 60)


def test_what_others_counted_is_merged_into_the_seconds_in_which_they_did() -> None:
    other, whole = MinuteRates(), MinuteRates()
    for second, times in ((100, 3), (110, 4), (159, 5)):
        other.add(second, times)
    whole.add(158, 1)
    whole.merge(other.recent(159), 159, 159)
    assert whole.total(159) == 13
    assert whole.per_second(160, over=2) == 3
    later = MinuteRates()
    later.merge(other.recent(159), 159, 170)
    assert later.total(170) == 5
    assert MinuteRates().recent(5) == []
    assert other.recent(1000) == []
