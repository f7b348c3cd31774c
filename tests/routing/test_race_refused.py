"""Who is not raced against a late attempt, and that the call says why."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy, MethodOverride, Routing, Strategy
from lasso_trio.providers.verdict import Category
from lasso_trio.routing.service import Wish
from tests.routing.races import HEDGE, STALLING, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock


async def refused(it: Any, method: str = "eth_gasPrice", params: str = "[]", wish: Wish | None = None) -> str:
    """The reason why nobody was raced against the first, which answers after all."""
    served = await it.serve(method, params, wish or Wish())
    assert facts(served)[3] == 0
    suppressed = it.routed.counts.hedges.suppressed
    return next(iter(suppressed), "")


async def test_a_throttled_provider_is_not_raced(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    it.channel("b").cooldown.begin(trio.current_time(), 60.0, it.channel("b").rng)
    assert await refused(it) == "cooldown"


async def test_without_tokens_nobody_is_raced(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    it.routed.counts.hedges.tokens = 0.0
    assert await refused(it) == "budget"


async def test_a_call_that_found_no_room_to_its_end_counts_once(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(900), "b": slow(10)}, routing=HEDGE)
    it.routed.counts.hedges.tokens = 0.0
    assert await refused(it) == "budget"
    assert it.routed.counts.hedges.suppressed == {"budget": 1}


async def test_one_that_needs_longer_than_is_left_is_not_raced(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    for _ in range(9):
        it.channel("b").row("eth_gasPrice").record(0.5, trio.current_time())
    assert await refused(it, wish=Wish(deadline_s=0.3)) == "deadline"


@pytest.mark.parametrize(
    ("members", "raced"),
    [
        ('"fromBlock":"0x1","toBlock":"0x64"', True),
        ('"fromBlock":"0x1","toBlock":"0x65"', False),
        ('"fromBlock":"0x1","toBlock":"latest"', False),
        ('"fromBlock":"0x1"', False),
        ('"fromBlock":"earliest","toBlock":"latest"', False),
        ('"fromBlock":"0x3e0"', True),
        ('"fromBlock":"finalized"', False),  # which nobody has told
        ("", True),
    ],
)
@pytest.mark.parametrize("split", [True, False])
async def test_a_wide_range_of_logs_is_not_raced(
    autojump_clock: Clock, world: Build, members: str, raced: bool, split: bool
) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=attrs.evolve(HEDGE, split_logs=split))
    it.routed.latest_height = lambda: 1000
    assert facts(await it.serve("eth_getLogs", f"[{{{members}}}]"))[3] == raced
    assert it.routed.counts.hedges.suppressed.keys() == (set() if raced else {"wide_range"})


async def test_a_range_up_to_a_tip_that_nobody_knows_counts_as_wide(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    assert await refused(it, "eth_getLogs", '[{"fromBlock":"0x3e7"}]') == "wide_range"


async def test_a_wide_range_is_raced_where_the_profile_says_so(autojump_clock: Clock, world: Build) -> None:
    own = MethodOverride(hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50))
    named = Routing(Strategy.PRIORITY, {"eth_getLogs": own}, hedge=HEDGE.hedge)
    it = world({"a": slow(100), "b": slow(10)}, routing=named)
    assert facts(await it.serve("eth_getLogs", '[{"fromBlock":"0x1","toBlock":"0x70"}]'))[3] == 1


def shut(it: Any, name: str) -> None:
    """Its breaker opens."""
    for _ in range(5):
        it.channel(name).breaker.failure(Category.SERVER_ERROR, trio.current_time(), Random(1))


async def test_a_breaker_that_lets_nobody_through_leads_to_the_next(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": STALLING, "b": slow(10), "c": slow(10)}, routing=HEDGE)

    async def break_down() -> None:
        await trio.sleep(0.02)  # after the plan was made
        shut(it, "b")

    nursery.start_soon(break_down)
    served = await it.serve()
    assert facts(served) == ("c", "hedge", 0, 1, True)
    assert served.outcome.upstream_s == pytest.approx(0.06, abs=0.002)
    assert not it.routed.counts.hedges.suppressed
    it.assert_nothing_leaked()


async def test_a_call_that_no_breaker_lets_race_says_so(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": slow(100), "b": slow(10), "c": slow(10)}, routing=HEDGE)

    async def break_down() -> None:
        await trio.sleep(0.02)
        shut(it, "b")
        shut(it, "c")

    nursery.start_soon(break_down)
    assert await refused(it) == "not_admitted"


async def test_a_write_is_not_raced(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": slow(100), "b": slow(10)}, routing=HEDGE)
    await it.serve("eth_someWriteThatNobodyKnows", "[]", Wish(hedge_s=0.01))
    assert it.routed.counts.hedges.fired == 0
