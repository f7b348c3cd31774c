"""A pace that several processes keep together."""

from __future__ import annotations

import pytest

from lasso_trio.providers.pacing import HEADROOM, KNOWN_FOR_S, Pacing


def test_a_cut_elsewhere_is_a_cut_here_to_the_same_rate() -> None:
    theirs, mine = Pacing(), Pacing()
    assert theirs.news() is None
    theirs.refused(10.0, 40.0)
    told = theirs.news()
    assert told is not None
    assert mine.adopt(told)
    assert (mine.rate, mine.times) == (20.0, 0)
    assert mine.news() == told


def test_two_cuts_of_one_moment_halve_once() -> None:
    theirs, mine = Pacing(), Pacing()
    theirs.refused(10.0, 40.0)
    mine.refused(10.2, 44.0)
    first, second = theirs.news(), mine.news()
    assert first is not None
    assert second is not None
    assert not mine.adopt(first)
    assert theirs.adopt(second)
    assert theirs.rate == mine.rate == 22.0


def test_of_a_limit_that_the_provider_names_each_process_keeps_its_part() -> None:
    mine = Pacing()
    mine.share = 0.25
    mine.refused(10.0, 40.0, told=100.0)
    assert mine.rate == pytest.approx(25 * HEADROOM)
    assert mine.known == 100.0
    for second in range(11, 300):
        mine.answered(float(second))
    assert mine.rate == pytest.approx(25 * HEADROOM)


def test_a_named_limit_is_kept_by_who_adopted_it_for_as_long() -> None:
    theirs, mine = Pacing(), Pacing()
    theirs.refused(10.0, 40.0, told=30.0)
    told = theirs.news()
    assert told is not None
    mine.adopt(told)
    now = 10.0 + KNOWN_FOR_S / 2
    for second in range(600):
        mine.answered(now + second)
    assert mine.rate == pytest.approx(30 * HEADROOM)
