"""The budget of hedges is a share of what providers are asked, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import trio
import trio.testing

from lasso_trio.config.profile import CachePolicy
from lasso_trio.devnet import Failure, Kind
from lasso_trio.routing.hedge import MOST_TOKENS
from tests.routing.races import HEDGE, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock
SHARE = HEDGE.hedge.budget
LATE = {"a": slow(100), "b": slow(100)}
"""Each call is late, so each takes what hedges there are."""
SHARED = attrs.evolve(HEDGE, coalesce=True)


def check_the_price(it: Any, needed: int) -> None:
    """`needed` calls were sent upstream, and no more than the budget's share of them twice."""
    counts = it.routed.counts
    assert counts.sent == needed
    assert counts.calls > 10 * needed
    assert counts.hedges.fired > MOST_TOKENS
    assert sum(it.asked.values()) - needed == counts.hedges.fired <= MOST_TOKENS + SHARE * needed


async def test_calls_that_share_an_answer_earn_no_hedge(autojump_clock: Clock, world: Build) -> None:
    it = world(LATE, routing=SHARED)
    for number in range(100):
        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(it.serve, "eth_getBlockByNumber", f'["{number:#x}",false]')
    check_the_price(it, 100)
    it.assert_nothing_leaked()


async def test_calls_that_are_answered_from_the_cache_or_by_ourselves_earn_none(
    autojump_clock: Clock, world: Build
) -> None:
    it = world(LATE, routing=SHARED, cache=CachePolicy(enabled=True))
    for _ in range(60):
        for _ in range(8):
            await it.serve("eth_gasPrice")
            await it.serve("eth_chainId")
        await trio.sleep(60)  # what was kept is too old for the next
    check_the_price(it, 60)


async def test_a_call_counts_once_however_many_are_asked_for_it(autojump_clock: Clock, world: Build) -> None:
    down = attrs.evolve(slow(70), failures=(Failure(Kind.HTTP, status=503),))
    it = world({"a": down, "b": down, "c": slow(10)}, routing=HEDGE)
    assert facts(await it.serve()) == ("c", "failover", 1, 1, False)
    assert (it.routed.counts.sent, sum(it.asked.values())) == (1, 3)


async def test_a_call_that_nobody_is_asked_for_earns_none(autojump_clock: Clock, world: Build) -> None:
    it = world(LATE, routing=HEDGE)
    for candidate in it.routed.candidates:
        candidate.channel.cordon(out=True)
    await it.serve()
    assert (it.routed.counts.calls, it.routed.counts.sent) == (1, 0)
