"""Weak answers in a race: how long one waits for a better one depends on whether its provider stands at the tip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy
from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.routing.service import Served, Wish
from tests.routing.races import HEDGE, STALLING, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock
TWICE = attrs.evolve(HEDGE, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50, max_extra=2))
TIP = 1000


def tell(it: Any, **behind: int) -> None:
    """Everybody is at the tip, but those that are so many blocks `behind`."""
    for candidate in it.routed.candidates:
        candidate.head.tell(TIP - behind.get(candidate.provider.id, 0), trio.current_time(), 12.0)


async def receipt(it: Any, wish: Wish | None = None) -> Served:
    """Of a transaction that nobody has."""
    served: Served = await it.serve("eth_getTransactionReceipt", '["0x' + "ab" * 32 + '"]', wish or Wish())
    it.assert_nothing_leaked()
    return served


def when(served: Served) -> tuple[str, float]:
    """Who won, and after how many seconds."""
    return facts(served)[0], pytest.approx(served.outcome.upstream_s, abs=0.002)


async def test_a_null_of_one_that_is_behind_waits_for_whoever_runs(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(250), "b": slow(10)}, routing=HEDGE)
    tell(it, b=10)
    assert when(await receipt(it)) == ("a", 0.25)


async def test_but_for_no_more_than_four_timers(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    tell(it, b=10)
    assert when(await receipt(it)) == ("b", 0.26)


async def test_who_is_one_block_back_was_asked_before_it_came_and_is_at_the_tip(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    tell(it, b=1)
    assert when(await receipt(it)) == ("b", 0.11)


async def test_one_more_timer_is_enough_for_the_null_of_one_at_the_tip(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(300), "b": slow(10)}, routing=HEDGE)
    tell(it, a=10)
    assert when(await receipt(it)) == ("b", 0.11)


async def test_it_wins_when_the_others_have_failed(autojump_clock: Clock, world: Build) -> None:
    late_failure = attrs.evolve(slow(200), failures=(Failure(Kind.HTTP, status=503),))
    it = world({"a": late_failure, "b": slow(10)}, routing=HEDGE)
    tell(it, b=10)
    assert when(await receipt(it)) == ("b", 0.2)


async def test_it_wins_at_the_deadline(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(80), "b": STALLING}, routing=HEDGE)
    tell(it, a=10)
    served = await receipt(it, Wish(deadline_s=0.2))
    assert when(served) == ("a", 0.2)
    assert not served.outcome.failed


async def test_a_null_from_the_tip_takes_its_place(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10), "c": slow(10)}, routing=TWICE)
    tell(it, b=10)
    assert when(await receipt(it)) == ("c", 0.16)  # heard at 110 ms, and one more timer


async def test_but_does_not_lose_it_to_one_that_is_behind(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10), "c": slow(5)}, routing=TWICE)
    tell(it, c=10)
    assert when(await receipt(it)) == ("b", 0.11)


async def test_any_null_is_better_than_an_error_that_nobody_knows(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": odd(70), "b": slow(40)}, routing=HEDGE)
    tell(it, b=10)
    assert when(await receipt(it)) == ("b", 0.09)


async def test_an_answer_that_says_something_wins_against_any(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(90), "b": odd(10)}, routing=HEDGE)
    served = await it.serve()
    assert when(served) == ("a", 0.09)
    assert [each.end for each in served.outcome.raced] == ["won", "failed"]
    it.assert_nothing_leaked()


def odd(ms: float) -> Faults:
    """It answers with an error that nobody knows."""
    return attrs.evolve(slow(ms), failures=(Failure(Kind.RPC, code=7777, message="an odd thing"),))
