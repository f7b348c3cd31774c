"""What a breaker does with the word of another process that uses the same channel."""

from __future__ import annotations

from itertools import permutations
from math import inf
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.breaker import Breaker, BreakerNews, State
from lasso_trio.providers.catalogue import Category

RNG = Random(1)


def opened(now: float = 10.0) -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker.failure(Category.NETWORK_ERROR, now, RNG)
    assert breaker.state(now) is State.OPEN
    return breaker


def test_an_opening_elsewhere_opens_it_until_the_same_moment() -> None:
    theirs, mine = opened(), Breaker()
    assert mine.adopt(theirs.news(10.0), 10.01)
    assert mine.state(10.01) is State.OPEN
    assert (mine.until, mine.reason) == (theirs.until, "network_error")
    assert (mine.opened_total, mine.adopted_total) == (1, 1)


def test_the_same_word_again_changes_nothing() -> None:
    news, mine = opened().news(10.0), Breaker()
    mine.adopt(news, 10.0)
    assert not mine.adopt(news, 10.5)
    assert len(mine.transitions) == 1


def test_a_closing_elsewhere_closes_it() -> None:
    theirs, mine = opened(), opened()
    theirs.close(20.0)
    assert mine.adopt(theirs.news(20.0), 20.0)
    assert (mine.state(20.0), mine.reason, mine.failures) == (State.CLOSED, "", 0)


def test_the_same_state_said_later_is_no_change_and_the_later_word() -> None:
    mine = opened()
    mine.close(20.0)
    told = BreakerNews(State.CLOSED, 30.0, inf, "", False, 0)
    assert not mine.adopt(told, 31.0)
    assert (mine.state(31.0), mine.news(31.0).at) == (State.CLOSED, 30.0)


def test_an_old_closing_does_not_end_a_later_opening() -> None:
    theirs, mine = opened(5.0), opened(10.0)
    theirs.close(7.0)
    assert not mine.adopt(theirs.news(7.0), 11.0)
    assert mine.state(11.0) is State.OPEN


def test_an_opening_whose_time_is_over_is_adopted_as_half_open() -> None:
    mine, news = Breaker(), BreakerNews(State.OPEN, 10.0, 70.0, "timeout", False, 1)
    assert mine.adopt(news, 100.0)
    assert (mine.state(100.0), mine.reason, mine.opened_total) == (State.HALF_OPEN, "timeout", 0)


def test_time_that_is_over_here_and_not_yet_there_is_no_contradiction() -> None:
    theirs, mine = opened(), Breaker()
    mine.adopt(theirs.news(10.0), 10.0)
    late = mine.until + 1
    assert mine.state(late) is State.HALF_OPEN
    assert not mine.adopt(theirs.news(late), late)
    theirs.success(late, late)
    theirs.success(late + 1, late + 1)
    assert mine.adopt(theirs.news(late + 1), late + 1)
    assert mine.state(late + 1) is State.CLOSED


def test_an_early_end_of_the_open_time_is_adopted() -> None:
    theirs, mine = opened(), opened()
    theirs.release(12.0)
    assert mine.adopt(theirs.news(12.0), 12.0)
    assert mine.state(12.0) is State.HALF_OPEN
    assert mine.until == inf


def test_a_quarantine_is_adopted_with_its_reason_and_its_endlessness() -> None:
    theirs, mine = Breaker(), opened(9.0)
    theirs.quarantine("wrong_chain", 10.0)
    assert not mine.adopt(theirs.news(10.0), 10.0)  # open it was, and is: only for another reason now
    assert (mine.until, mine.reason, mine.quarantined) == (inf, "wrong_chain", True)
    assert not mine.success(11.0, 10.5)
    mine.release(12.0)
    assert mine.state(12.0) is State.HALF_OPEN


def test_who_opens_again_after_adopting_stays_open_for_longer() -> None:
    theirs, mine = opened(), Breaker()
    late = theirs.until
    theirs.failure(Category.NETWORK_ERROR, late, RNG, late)
    mine.adopt(theirs.news(late), late)
    again = mine.until
    mine.failure(Category.NETWORK_ERROR, again, RNG, again)
    assert mine.until - again > 1.5 * (again - late)


news = st.builds(
    BreakerNews,
    state=st.sampled_from(State),
    at=st.sampled_from([1.0, 2.0, 3.0]),
    until=st.just(inf),
    reason=st.just("timeout"),
    quarantined=st.just(False),
    reopens=st.just(0),
)


@given(st.lists(news, min_size=1, max_size=4))
def test_in_whatever_order_it_is_heard_all_come_to_the_same(told: list[BreakerNews]) -> None:
    told = [attrs.evolve(each, until=100.0) if each.state is State.OPEN else each for each in told]
    ends = set()
    for order in permutations(told):
        breaker = Breaker()
        for each in order:
            breaker.adopt(each, 50.0)
        ends.add((breaker.state(50.0), breaker.until, breaker.moved_at))
    assert len(ends) == 1


@pytest.mark.parametrize("state", list(State))
def test_what_is_told_of_one_that_never_moved_changes_nobody(state: State) -> None:
    mine = opened()
    assert not mine.adopt(attrs.evolve(Breaker().news(10.0), state=state), 10.0)
