from __future__ import annotations

import pytest

from lasso_trio.subscriptions.feed_quality import HALF_LIFE_S, FeedQuality, Trouble


def test_the_one_that_lags_is_worse() -> None:
    fast, slow = FeedQuality(), FeedQuality()
    for _ in range(10):
        fast.arrived(0.0)
        slow.arrived(0.3)
    assert fast.score(0.0) < slow.score(0.0) == pytest.approx(0.3)


def test_lag_is_a_mean_that_follows() -> None:
    quality = FeedQuality()
    quality.arrived(1.0)
    quality.arrived(0.0)
    assert quality.lag_s == pytest.approx(0.8)
    assert quality.arrivals == 2


def test_who_was_never_heard_is_as_good_as_anybody() -> None:
    assert FeedQuality().score(5.0) == 0.0


def test_trouble_is_forgiven_by_half_each_minute() -> None:
    quality = FeedQuality()
    quality.suffered(Trouble.STALL, 100.0)
    assert quality.score(100.0) == pytest.approx(1.0)
    assert quality.score(100.0 + HALF_LIFE_S) == pytest.approx(0.5)
    quality.suffered(Trouble.GAP, 100.0 + HALF_LIFE_S)
    assert quality.score(100.0 + HALF_LIFE_S) == pytest.approx(1.5)
    assert quality.troubles == {Trouble.STALL: 1, Trouble.GAP: 1}


def test_a_refusal_of_one_wish_is_counted_and_says_nothing_of_others() -> None:
    quality = FeedQuality()
    quality.suffered(Trouble.REFUSED, 10.0)
    assert quality.troubles == {Trouble.REFUSED: 1}
    assert (quality.until, quality.score(10.0)) == (0.0, 0.0)


def test_a_lost_session_is_nothing_to_wait_for() -> None:
    quality = FeedQuality()
    for _ in range(5):
        quality.suffered(Trouble.BROKEN, 50.0, lived_s=20.0)
    assert quality.until <= 50.0


def test_feeds_that_do_not_live_are_opened_at_longer_and_longer_intervals() -> None:
    quality, waits = FeedQuality(), []
    for _ in range(9):
        quality.suffered(Trouble.BROKEN, 50.0)
        waits.append(quality.until - 50.0)
    assert waits == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
