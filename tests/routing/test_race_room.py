"""Late calls that find no room for a hedge: they ask again, leave who says nothing any more, and are counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy
from lasso_trio.providers.verdict import Category
from lasso_trio.routing.hedge import MOST_TOKENS
from lasso_trio.routing.service import Served
from tests.routing.races import HEDGE, STALLING, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock
TWICE = attrs.evolve(HEDGE, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50, max_extra=2))


async def test_calls_that_find_no_room_for_a_hedge_ask_again(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    took: list[float] = []

    async def one(number: int) -> None:  # equal ones would be one call
        started = trio.current_time()
        assert facts(await it.serve("eth_getBlockByNumber", f'["{number:#x}",false]'))[0] == "b"
        took.append(trio.current_time() - started)

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(one, number)
    # Two at a time: the others ask again after 50 ms more, 100, 200…
    assert sorted(round(seconds, 2) for seconds in took) == [0.06, 0.06, 0.11, 0.11, 0.21, 0.21]
    assert not it.routed.counts.hedges.suppressed
    it.assert_nothing_leaked()


async def test_a_call_that_found_no_token_asks_again(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    hedges = it.routed.counts.hedges
    hedges.tokens = 0.0

    async def earn() -> None:
        await trio.sleep(0.06)
        hedges.tokens = 1.0

    nursery.start_soon(earn)
    served = await it.serve()
    assert (facts(served)[0], served.outcome.hedge_delay_s) == ("b", pytest.approx(0.1))
    assert not hedges.suppressed


async def many(it: Any, number: int) -> list[tuple[Served, float]]:
    """So many different calls at the same time, and how long each took."""
    done: list[tuple[Served, float]] = []

    async def one(block: int) -> None:
        started = trio.current_time()
        served = await it.serve("eth_getBlockByNumber", f'["{block:#x}",false]')
        done.append((served, trio.current_time() - started))

    async with trio.open_nursery() as nursery:
        for block in range(number):
            nursery.start_soon(one, block)
    it.assert_nothing_leaked()
    return done


async def test_of_many_late_calls_as_many_are_raced_as_the_bucket_pays_for_and_each_counts_once(
    autojump_clock: Clock, world: Build
) -> None:
    it, number = world({"a": STALLING, "b": STALLING}, routing=HEDGE), 60
    await many(it, number)
    hedges = it.routed.counts.hedges
    assert hedges.fired <= MOST_TOKENS
    assert hedges.fired + hedges.suppressed.total() == number


async def test_calls_without_a_hedge_leave_a_provider_that_says_nothing_while_another_one_answers(
    autojump_clock: Clock, world: Build
) -> None:
    it, number = world({"a": STALLING, "b": slow(10)}, routing=HEDGE), 60
    done = await many(it, number)
    reasons = Counter(facts(served)[1] for served, _ in done)
    assert {facts(served)[0] for served, _ in done} == {"b"}
    assert reasons == {"hedge": 20, "failover": 40}
    assert max(took for _, took in done) == pytest.approx(0.41, abs=0.01)  # asked for at 50, 100, 200 and 400 ms
    assert not it.routed.counts.hedges.suppressed


async def test_leaving_a_silent_provider_is_a_failover_and_paid_as_one(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": slow(10)}, routing=HEDGE)
    it.service.retries.tokens = 5.0
    done = await many(it, 60)
    left = [took for served, took in done if facts(served)[1] == "failover"]
    assert 5 < len(left) < 40  # each call pays a fifth of a token in, and ten come every second
    assert it.service.retries.spent == len(left)


async def test_a_failover_that_a_breaker_refuses_leaves_no_debt_for_the_hedge_after_it(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = world({"a": STALLING, "b": slow(10), "c": slow(10)}, routing=HEDGE)
    monkeypatch.setattr("lasso_trio.routing.race.is_silent", lambda *_: True)
    hedges = it.routed.counts.hedges
    hedges.tokens = 0.0

    async def fill() -> None:
        await trio.sleep(0.02)
        for _ in range(5):
            it.channel("b").breaker.failure(Category.SERVER_ERROR, trio.current_time(), Random(1))
        await trio.sleep(0.05)  # between the first refusal of a hedge and the second
        hedges.tokens = 5.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fill)
        served = await it.serve()
    assert facts(served) == ("c", "hedge", 0, 1, True)
    assert it.service.retries.spent == 0


async def test_a_call_that_was_hedged_is_not_without_a_hedge_because_it_found_no_room_for_a_second(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": slow(300), "b": slow(300), "c": slow(300)}, routing=TWICE)
    hedges = it.routed.counts.hedges
    hedges.tokens = 1.0
    served = await it.serve()
    assert served.outcome.hedges == 1
    assert not hedges.suppressed
