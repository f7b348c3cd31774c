"""A cooldown that another process began."""

from __future__ import annotations

from random import Random

from lasso_trio.providers.cooldown import Cooldown

RNG = Random(1)


def test_a_cooldown_begun_elsewhere_holds_here_too() -> None:
    theirs, mine = Cooldown(), Cooldown()
    theirs.begin(10.0, 30.0, RNG)
    assert mine.adopt(theirs.news())
    assert mine.active(39.9)
    assert not mine.active(40.0)
    assert mine.times == 0


def test_the_later_end_holds_whoever_is_heard_last() -> None:
    short, long, mine, other = Cooldown(), Cooldown(), Cooldown(), Cooldown()
    short.begin(10.0, 5.0, RNG)
    long.begin(9.0, 60.0, RNG, long=True)
    assert mine.adopt(short.news())
    assert mine.adopt(long.news())
    assert other.adopt(long.news())
    assert not other.adopt(short.news())
    assert mine == other
    assert (mine.until, mine.long) == (69.0, True)


def test_who_adopted_goes_on_doubling_where_the_other_was() -> None:
    theirs, mine = Cooldown(), Cooldown()
    for now in (0.0, 2.0, 6.0):
        theirs.begin(now, None, RNG)
    mine.adopt(theirs.news())
    at = mine.until + 1
    assert mine.begin(at, None, RNG) - at > 4.0
