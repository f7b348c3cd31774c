from __future__ import annotations

from lasso_trio.providers.hour_count import HourCount


def test_what_is_older_than_an_hour_is_no_longer_counted() -> None:
    count = HourCount()
    for minute in range(90):
        count.add(60.0 * minute)
    assert (count.last_hour(60.0 * 89), count.total) == (60, 90)
    assert count.last_hour(60.0 * 89 + 1800) == 30
    assert count.last_hour(1e9) == 0


def test_a_minute_counts_all_that_fell_into_it() -> None:
    count = HourCount()
    for second in range(10):
        count.add(100.0 + second)
    assert count.last_hour(110.0) == 10
