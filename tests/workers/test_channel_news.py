"""What is told of a channel: taken from one, sent, and put into another."""

from __future__ import annotations

from math import inf
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import Transport
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import Category
from lasso_trio.providers.channel import Aspect, Channel, Version
from lasso_trio.providers.classify import classify, verdict_for
from lasso_trio.providers.learned import Kind
from lasso_trio.workers.channel_news import ChannelNews, apply, gather, shifted, whole

MISSING = classify(200, -32601, "the method trace_block does not exist/is not available", None)


def channel() -> Channel:
    return Channel("1:x", "http://x", Transport.HTTP, None, Version(), Random(1))


def troubled(now: float = 100.0) -> Channel:
    made = channel()
    made.failed("eth_call", verdict_for(Category.RATE_LIMIT), 0.1, now, hint_s=30.0)
    for _ in range(3):
        made.failed("eth_call", verdict_for(Category.NETWORK_ERROR), 0.1, now)
    made.failed("trace_block", MISSING, 0.1, now)
    made.learned.told(Kind.BLOCKS, 800, now)
    made.cordon(out=True, now=now)
    return made


def sent(news: ChannelNews) -> ChannelNews:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(news), type=ChannelNews)


def standing(made: Channel, now: float) -> tuple[object, ...]:
    return (
        made.breaker.state(now),
        made.breaker.until,
        made.breaker.reason,
        made.cooldown.until,
        made.pacing.rate,
        made.bans.current(now),
        made.learned.known(now),
        made.cordoned,
    )


def test_whoever_is_told_all_stands_as_who_told_it() -> None:
    theirs, mine = troubled(), channel()
    apply(mine, sent(whole(theirs, 100.0)), 100.0)
    assert standing(mine, 100.0) == standing(theirs, 100.0)
    assert mine.breaker.state(100.0) is State.OPEN


def test_what_is_adopted_makes_plans_anew_once_and_is_told_to_nobody() -> None:
    mine, told = channel(), list[Aspect]()
    mine.on_news = lambda _, aspect, __: told.append(aspect)
    mine.learned.on_change = lambda _: told.append(Aspect.LIMIT)
    news, before = whole(troubled(), 100.0), mine.version.value
    apply(mine, news, 100.0)
    assert mine.version.value > before
    again = mine.version.value
    apply(mine, news, 101.0)
    assert (mine.version.value, told) == (again, [])
    mine.cordon(out=False, now=200.0)
    assert told == [Aspect.CORDON]


def test_a_listener_that_fails_leaves_it_telling_as_before() -> None:
    mine = channel()
    hook = mine.on_news = lambda *_: None
    mine.breaker.on_transition = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):
        apply(mine, whole(troubled(), 100.0), 100.0)
    assert mine.on_news is hook


def test_only_what_changed_is_told() -> None:
    theirs = troubled()
    news = gather(theirs, [(Aspect.COOLDOWN, ""), (Aspect.BAN, "trace_block"), (Aspect.LIMIT, "blocks")], 100.0)
    assert (news.breaker, news.pace, news.cordon) == (None, None, None)
    assert news.cooldown is not None
    assert (list(news.bans), list(news.limits)) == (["trace_block"], [Kind.BLOCKS])


def test_a_lifted_ban_is_told_as_lifted() -> None:
    theirs, mine = troubled(), troubled()
    theirs.bans.lift("trace_block")
    apply(mine, sent(gather(theirs, [(Aspect.BAN, "trace_block")], 101.0)), 101.0)
    assert not mine.bans.banned("trace_block", 101.0)


def test_of_an_untouched_channel_there_is_nothing_to_say() -> None:
    assert not whole(channel(), 100.0).says_something
    assert not gather(channel(), [(Aspect.PACE, ""), (Aspect.LIMIT, "blocks")], 100.0).says_something


@given(st.floats(-1e6, 1e6))
def test_the_zero_of_a_clock_changes_nothing(by: float) -> None:
    theirs, mine = troubled(), channel()
    apply(mine, shifted(sent(shifted(whole(theirs, 100.0), by)), -by), 100.0)
    assert mine.cooldown.until == pytest.approx(theirs.cooldown.until)
    assert mine.breaker.until == pytest.approx(theirs.breaker.until)
    assert mine.bans.until == pytest.approx(theirs.bans.until)
    assert mine.learned.known(100.0) == theirs.learned.known(100.0)


def test_an_endless_quarantine_stays_endless_by_every_clock() -> None:
    theirs, mine = channel(), channel()
    theirs.breaker.quarantine("operator", 5.0)
    apply(mine, shifted(sent(shifted(whole(theirs, 5.0), 77.0)), -77.0), 5.0)
    assert (mine.breaker.until, mine.breaker.quarantined) == (inf, True)
