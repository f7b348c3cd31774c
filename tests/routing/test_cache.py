from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.branch import SILENCE_S, Header
from lasso_trio.routing.cache import ChainCache, cached
from lasso_trio.routing.cache_policy import Keep
from lasso_trio.routing.cache_store import MemoryStore
from lasso_trio.routing.coalesce import Flights
from lasso_trio.routing.execute import execute
from lasso_trio.routing.execute_logs import execute_logs
from lasso_trio.routing.outcome import Outcome
from tests.routing.conftest import told
from tests.routing.shared_calls import RNG, call_of

Build = Callable[..., Any]
Clock = trio.testing.MockClock
FINALITY = 64
ACCOUNT = '"0x0000000000000000000000000000000000000001"'
BLOCK = "eth_getBlockByNumber"


@attrs.define(eq=False)
class Cached:
    """A world whose chain stands still, with a cache; `hear` tells the cache what a newHeads feed would."""

    it: Any
    cache: ChainCache

    @classmethod
    def over(cls, it: Any) -> Cached:
        it.provider("a").chain.block_time = None
        here = cls(it, ChainCache(b"default/1", MemoryStore(1 << 20), it.routed.heads))
        here.hear()
        return here

    @property
    def chain(self) -> Any:
        return self.it.provider("a").chain

    def hear(self, first: int | None = None) -> None:
        """The headers from `first` (else the newest alone) up, and every prober's look."""
        now = trio.current_time()
        view = self.chain.view(now)
        for candidate in self.it.routed.candidates:
            candidate.head.tell(view.head, now, 12.0)
            candidate.head.finalized = view.head - FINALITY
        self.it.routed.heads._view = attrs.evolve(self.it.routed.heads._view, at=-1.0)
        for number in range(view.head if first is None else first, view.head + 1):
            header = view.block(number).header
            self.cache.branch.hear(Header(number, header["hash"], header["parentHash"]), now)

    def advance(self, blocks: int = 1) -> None:
        height = self.chain.height(trio.current_time())
        self.chain.advance(blocks)
        self.hear(height + 1)

    def reorg(self, depth: int, longer_by: int = 1) -> None:
        now = trio.current_time()
        height = self.chain.height(now)
        self.chain.reorg(depth, now, longer_by=longer_by)
        self.hear(height - depth + 1)

    async def serve(self, method: str, params: str = "[]", bypass: str = "", **how: Any) -> Outcome:
        call = call_of(self.it, method, params)
        return await cached(call, RNG, execute, self.cache, bypass=bypass, **how)

    async def says(self, method: str, params: str = "[]", bypass: str = "") -> str:
        return (await self.serve(method, params, bypass)).cache


@pytest.fixture
def build(world: Build) -> Callable[..., Cached]:
    return lambda **faults: Cached.over(world(faults or {"a": Faults()}))


def at(here: Cached, back: int) -> str:
    return f'["{here.chain.height(trio.current_time()) - back:#x}",false]'


async def test_a_final_block_is_told_again_byte_for_byte(autojump_clock: Clock, build: Callable[..., Cached]) -> None:
    here = build()
    first = await here.serve(BLOCK, at(here, 64))
    again = await here.serve(BLOCK, at(here, 64).replace(",", " , "))
    assert (first.cache, again.cache, again.reason) == ("miss; final", "hit; final", "cache")
    assert again.reply.splice(b"7") == first.reply.splice(b"7")
    assert again is not first
    here.advance(200)
    here.reorg(50)
    assert await here.says(BLOCK, '["0x3a8",false]') == "hit; final"
    assert here.it.asked == {"a": 1}


async def test_a_chain_that_was_set_back_has_no_final_blocks_left(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    await here.says(BLOCK, at(here, 64))
    here.it.routed.heads.rollbacks += 1
    assert await here.says(BLOCK, at(here, 64)) == "miss; final"


async def test_who_else_uses_the_store_is_told_once_that_the_chain_was_set_back(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    told: list[bytes] = []

    class Store(MemoryStore):
        async def set_back(self, scope: bytes) -> None:
            told.append(scope)

    here = build()
    here.cache.store = Store(1 << 20)
    await here.says(BLOCK, at(here, 64))
    here.it.routed.heads.rollbacks += 1
    for _ in range(3):
        await here.says(BLOCK, at(here, 64))
    assert told == [b"default/1"]


async def test_what_a_provider_does_not_call_final_is_not_kept_as_final(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    here.it.routed.heads.view(trio.current_time())
    here.it["a"].head.finalized = None
    assert await here.says(BLOCK, at(here, 64)) == "miss; unconfirmed"


async def test_a_young_block_is_kept_across_heads_until_it_is_reorganised(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    here.advance(5)
    params = at(here, 2)
    assert [await here.says(BLOCK, params) for _ in range(2)] == ["miss; branch", "hit; branch"]
    here.advance(3)
    assert await here.says(BLOCK, params) == "hit; branch"
    here.reorg(4)
    assert await here.says(BLOCK, params) == "hit; branch"
    assert len(here.cache.store) == 1
    here.reorg(8)
    assert await here.says(BLOCK, params) == "miss; branch"
    assert len(here.cache.store) == 1


async def test_what_follows_from_the_head_ends_with_it(autojump_clock: Clock, build: Callable[..., Cached]) -> None:
    here = build()
    calls = [("eth_blockNumber", "[]"), (BLOCK, '["latest",false]'), ("eth_getBalance", f'[{ACCOUNT},"latest"]')]
    for call in calls:
        assert [await here.says(*call) for _ in range(2)] == ["miss; head", "hit; head"]
    here.advance()
    for call in calls:
        assert await here.says(*call) == "miss; head"
    assert len(here.cache.store) == 3
    here.reorg(1)
    for call in calls:
        assert await here.says(*call) == "miss; head"


async def test_an_answer_from_before_a_new_head_is_not_kept(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here, said = build(a=Faults(latency=Latency.constant(500))), []

    async def client() -> None:
        said.append(await here.says("eth_blockNumber"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client)
        await trio.sleep(0.2)
        here.advance()
    assert said == ["miss; head_moved"]
    assert len(here.cache.store) == 0


async def test_while_somebody_is_known_to_be_higher_the_head_is_not_told(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(), b=Faults())
    await here.says("eth_blockNumber")
    await trio.sleep(1)
    here.it["b"].head.tell(1001, trio.current_time(), 12.0)
    assert await here.says("eth_blockNumber") == "miss; head_unknown"


async def test_while_nobody_tells_headers_nothing_young_is_told(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    for call in ((BLOCK, at(here, 0)), ("eth_blockNumber", "[]")):
        await here.says(*call)
        assert (await here.says(*call)).startswith("hit")
    here.it.routed.heads.block_time.configured_s = 1.0
    await trio.sleep(SILENCE_S + 1)
    assert await here.says("eth_blockNumber") == "miss; head_unknown"
    assert (await here.says(BLOCK, at(here, 0))).startswith("miss")


async def test_what_is_impossibly_high_does_not_keep_the_head_from_being_told(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(), b=Faults(), c=Faults())
    await here.says("eth_blockNumber")
    here.it["c"].head.tell(10_000, trio.current_time(), 12.0)
    await trio.sleep(0.5)
    assert await here.says("eth_blockNumber") == "hit; head"


async def test_a_cache_that_never_heard_a_header_keeps_what_is_final_and_prices(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    here.cache.branch.lose()
    assert await here.says("eth_blockNumber") == "miss; head_unknown"
    assert await here.says(BLOCK, at(here, 0)) == "miss; unconfirmed"
    assert await here.says(BLOCK, at(here, 64)) == "miss; final"
    assert await here.says("eth_gasPrice") == "miss; price"
    assert len(here.cache.store) == 2


async def test_what_a_slow_store_still_has_is_not_told_when_it_no_longer_holds(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here, now = build(), trio.current_time()
    tip = here.cache.branch.tip
    assert here.cache.holds(Keep("head", head=tip.hash), now)
    assert not here.cache.holds(Keep("head", head=tip.parent), now)
    assert here.cache.holds(Keep("branch", blocks=((tip.number, tip.hash),)), now)
    assert not here.cache.holds(Keep("branch", blocks=((tip.number, tip.hash), (tip.number - 1, tip.parent))), now)
    assert not here.cache.holds(Keep("price", until=now), now)


async def test_prices_are_told_for_their_time_and_renewed_by_one_call_in_its_second_half(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(latency=Latency.constant(100)))
    assert await here.says("eth_gasPrice") == "miss; price"
    assert await here.says("eth_gasPrice") == "hit; price"
    await trio.sleep(0.6)
    said = []

    async def client() -> None:
        said.append(await here.says("eth_gasPrice"))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(client)
    assert sorted(said) == ["hit; price"] * 9 + ["miss; price"]
    assert here.it.asked == {"a": 2}
    await trio.sleep(1.0)
    assert await here.says("eth_gasPrice") == "miss; price"


async def test_a_price_is_renewed_by_the_next_when_the_first_is_cancelled(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(latency=Latency.constant(100)))
    await here.says("eth_gasPrice")
    await trio.sleep(0.5)
    with trio.move_on_after(0.05):
        await here.says("eth_gasPrice")
    assert await here.says("eth_gasPrice") == "miss; price"


async def test_a_price_that_cannot_be_renewed_is_told_while_it_holds(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build()
    await here.says("eth_gasPrice")
    here.it.provider("a").set_faults(Faults(failures=(Failure(Kind.HTTP, status=500),)))
    await trio.sleep(0.6)
    outcome = await here.serve("eth_gasPrice")
    assert (outcome.cache, outcome.failed) == ("hit; price", False)
    await trio.sleep(0.6)
    assert (await here.serve("eth_gasPrice")).failed


@pytest.mark.parametrize(
    ("method", "params", "why"),
    [
        ("eth_sendRawTransaction", '["0x01"]', "bypass; method"),
        ("web3_clientVersion", "[]", "bypass; method"),
        (BLOCK, '["pending",false]', "bypass; pending"),
        (BLOCK, "[1.5,false]", "bypass; params"),
        ("eth_call", f'[{{"data":"0x{"00" * 20_000}"}},"latest"]', "bypass; params"),
        (BLOCK, '["0x100000",false]', "miss; null"),
        ("eth_getBalance", '["0x01","0x100000"]', "miss; error"),
    ],
)
async def test_what_is_not_for_the_cache_is_asked_and_says_why(
    autojump_clock: Clock, build: Callable[..., Cached], method: str, params: str, why: str
) -> None:
    here = build()
    assert [await here.says(method, params) for _ in range(2)] == [why] * 2
    assert len(here.cache.store) == 0
    assert here.cache.told == {why: 2}


async def test_who_wants_to_bypass_it_does(autojump_clock: Clock, build: Callable[..., Cached]) -> None:
    here = build()
    params = at(here, 64)
    await here.says(BLOCK, params)
    assert [await here.says(BLOCK, params, "wish") for _ in range(3)] == ["bypass; wish"] * 3
    assert here.it.asked == {"a": 4}
    assert here.cache.told == {"miss; final": 1, "bypass; wish": 3}


async def test_what_is_not_for_the_cache_may_be_shared_all_the_same(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here, flights, said = build(a=Faults(latency=Latency.constant(100))), Flights(), []

    async def client() -> None:
        said.append((await here.serve("eth_syncing", "[]", "method", flights=flights)).cache)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(client)
    assert sorted(said) == ["bypass; method", "coalesced", "coalesced"]
    assert here.it.asked == {"a": 1}
    assert here.cache.told == {"bypass; method": 1, "coalesced": 2}


async def test_logs_that_several_providers_told_in_parts_are_not_kept(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(log_range=40))
    call = call_of(here.it, "eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x50"}]')
    assert (await cached(call, RNG, execute_logs, here.cache)).cache == "miss; split"
    assert len(here.cache.store) == 0


async def test_a_large_result_passes_through(autojump_clock: Clock, world: Build) -> None:
    here = Cached.over(world({"a": Faults()}, stream_threshold=1024))
    call = call_of(here.it, "eth_getLogs", '[{"fromBlock":"0x0","toBlock":"0x100"}]', stream=True)
    outcome = await cached(call, RNG, execute, here.cache)
    assert (outcome.cache, len(here.cache.store)) == ("miss; large", 0)
    await outcome.large.http.rest.aclose()


async def test_what_is_not_there_is_asked_for_once_by_all_who_spell_it_their_way(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here, flights, said = build(a=Faults(latency=Latency.constant(100))), Flights(), []

    async def client(params: str) -> None:
        said.append((await here.serve("eth_getBalance", params, flights=flights)).cache)

    async with trio.open_nursery() as nursery:
        for spelling in ('["0xAA","0x0"]', '["0xaa","0x0"]', '[ "0xaa", "0x0" ]'):
            params = spelling.replace("aa", "aa" * 20).replace("AA", "AA" * 20)
            nursery.start_soon(client, params)
    assert sorted(said) == ["coalesced", "coalesced", "miss; final"]
    assert here.it.asked == {"a": 1}


async def test_a_provider_that_is_behind_does_not_set_the_head(
    autojump_clock: Clock, build: Callable[..., Cached]
) -> None:
    here = build(a=Faults(lag=2))
    assert await here.says("eth_blockNumber") == "miss; behind_head"
    here.it["a"].head.tell(998, trio.current_time(), 12.0)
    assert await here.says("eth_getBalance", f'[{ACCOUNT},"latest"]') == "miss; behind_head"


async def test_the_answer_is_the_one_that_was_given(autojump_clock: Clock, build: Callable[..., Cached]) -> None:
    here = build()
    first, again = [await here.serve(BLOCK, at(here, 1)) for _ in range(2)]
    assert told(first) == told(again)
    assert told(again)["result"]["hash"] == here.chain.view(trio.current_time()).block(999).hash
