"""What calls of the service share: one upstream call among equals, and what the profile lets be cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import CachePolicy, Routing, Strategy
from lasso_trio.devnet import Faults, Latency
from lasso_trio.routing import service
from lasso_trio.routing.cache import cached
from lasso_trio.routing.call import Call
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock
SLOW = Faults(latency=Latency.constant(50))
SHARED = Routing(Strategy.PRIORITY)
ALONE = Routing(Strategy.PRIORITY, coalesce=False)
PRICED = CachePolicy(enabled=True)


async def together(it: Any, *wishes: Wish, method: str = "eth_gasPrice") -> list[str]:
    """Ask at one time; what the outcomes say of sharing."""
    told = []

    async def one(wish: Wish) -> None:
        served = await it.serve(method, "[]", wish)
        assert not served.outcome.failed
        told.append(served.outcome.cache)

    async with trio.open_nursery() as nursery:
        for wish in wishes:
            nursery.start_soon(one, wish)
    return sorted(told)


async def test_equal_reads_share_one_upstream_call(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW}, routing=SHARED)
    assert await together(it, *[Wish()] * 5) == ["", *["coalesced"] * 4]
    assert it.asked == {"a": 1}
    assert it.routed.counts.calls == 5
    it.assert_nothing_leaked()


async def test_a_profile_may_have_each_call_carried_out(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW}, routing=ALONE)
    assert await together(it, Wish(), Wish()) == ["", ""]
    assert it.asked == {"a": 2}


async def test_calls_that_wish_for_something_else_do_not_share(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW, "b": SLOW}, routing=SHARED)
    wishes = [Wish(), Wish(provider="b"), Wish(session="s"), Wish(min_block=1), Wish(bypass_cache=True)]
    assert "coalesced" not in await together(it, *wishes)


async def test_a_write_is_never_shared(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW}, routing=SHARED)

    async def one() -> None:
        await it.serve("eth_newBlockFilter")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(one)
    assert it.asked == {"a": 2}


async def test_what_was_asked_before_a_write_is_not_told_after_it(autojump_clock: Clock, world: Build) -> None:
    """A client that sends a transaction and asks for its next nonce must not be told the one before."""
    it = world({"a": SLOW}, routing=SHARED)
    nonce = ("eth_getTransactionCount", '["0x' + "01" * 20 + '","pending"]')
    async with trio.open_nursery() as nursery:
        it.provider("a").set_faults(Faults(latency=Latency.constant(500)))
        nursery.start_soon(it.serve, *nonce)
        await trio.testing.wait_all_tasks_blocked()
        it.provider("a").set_faults(SLOW)
        assert not (await it.serve("eth_sendRawTransaction", '["0x02c3010203"]')).outcome.failed
        assert (await it.serve(*nonce)).outcome.cache == ""
    assert it.provider("a").calls["eth_getTransactionCount"] == 2


async def test_what_the_profile_lets_be_cached_is_told_again(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW}, cache=PRICED)
    assert [(await it.serve()).outcome.cache for _ in range(2)] == ["miss; price", "hit; price"]
    assert it.asked == {"a": 1}
    assert it.routed.cache.told == {"miss; price": 1, "hit; price": 1}


@pytest.mark.parametrize(
    ("method", "wish", "why"),
    [
        ("eth_gasPrice", Wish(bypass_cache=True), "client"),
        ("eth_gasPrice", Wish(session="s"), "session"),
        ("eth_gasPrice", Wish(min_block=1), "min_block"),
        ("eth_gasPrice", Wish(provider="a"), "pinned"),
        ("debug_traceTransaction", Wish(), "method"),
        ("eth_newBlockFilter", Wish(), "method"),
        ("eth_sendRawTransaction", Wish(), "method"),
        ("eth_sendRawTransaction", Wish(bypass_cache=True), "client"),
    ],
)
async def test_what_goes_past_the_cache_says_why(
    autojump_clock: Clock, world: Build, method: str, wish: Wish, why: str
) -> None:
    it, params = world({"a": SLOW}, cache=PRICED), '["0x02c3010203"]'
    await it.serve()
    for _ in range(2):
        assert (await it.serve(method, params if "send" in method else "[]", wish)).outcome.cache == f"bypass; {why}"
    assert it.routed.cache.told == {"miss; price": 1, f"bypass; {why}": 2}
    assert (await world({"a": SLOW}).serve(method, params, wish)).outcome.cache == ""


async def test_with_a_cache_the_same_calls_share_as_without(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW}, routing=SHARED, cache=PRICED)
    pinned = Wish(provider="a")
    assert await together(it, pinned, pinned) == ["bypass; pinned", "coalesced"]
    assert await together(it, Wish(), Wish(), method="eth_syncing") == ["bypass; method", "coalesced"]
    for alone in (Wish(session="s"), Wish(min_block=1), Wish(bypass_cache=True)):
        assert "coalesced" not in await together(it, alone, alone)
    assert "coalesced" not in await together(it, Wish(), Wish(), method="eth_newBlockFilter")
    it.assert_nothing_leaked()


async def test_a_call_that_no_cache_concerns_does_not_go_by_way_of_it(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_way_of_it = list[str]()

    async def watched(call: Call, *args: Any, **how: Any) -> Outcome:
        by_way_of_it.append(call.method.name)
        return await cached(call, *args, **how)

    monkeypatch.setattr(service, "cached", watched)
    it = world({"a": SLOW}, routing=SHARED, cache=PRICED)
    for method in ("eth_syncing", "eth_gasPrice"):
        await it.serve(method)
    assert by_way_of_it == ["eth_gasPrice"]
    assert it.routed.cache.told == {"bypass; method": 1, "miss; price": 1}


async def test_what_is_cached_hears_which_blocks_there_are(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": SLOW, "b": SLOW}, cache=PRICED)
    for name in "ab":
        assert set(it[name].head.branches) == {it.routed.cache.branch}
    assert not world({"a": SLOW})["a"].head.branches


async def test_what_is_told_again_takes_of_a_batchs_room(autojump_clock: Clock, world: Build) -> None:
    it, room = world({"a": SLOW}, cache=PRICED), Room(100)
    await it.serve()
    told = []
    for _ in range(4):
        served = await it.service.serve(it.routed, Wish(), it.request(), trio.current_time(), stream=False, room=room)
        told.append((served.outcome.cache, served.outcome.failed))
    assert told == [("hit; price", False)] * 2 + [("hit; price", True)] * 2
    assert 0 <= room.left < 50
