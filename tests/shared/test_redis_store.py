from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.cache_policy import Keep
from lasso_trio.routing.cache_store import Entry
from lasso_trio.shared.keys import Keys
from lasso_trio.shared.reading import Reading
from lasso_trio.shared.redis_store import FINAL_S, HEAD_S, LARGEST, YOUNG_S, Engine, SharedStore, lifetime_s
from lasso_trio.shared.sealed_entry import Sealer
from lasso_trio.shared.writing import Writing
from tests.shared.engine import FakeEngine

KEY = b"public/1\x000\x00eth_getBlockByNumber\x00[]"
FINAL = Keep("final")


def entry(text: str = "1", keep: Keep = FINAL, tags: tuple[bytes, ...] = ()) -> Entry:
    reply = Reply(b'{"jsonrpc":"2.0","id":', b',"result":"%b"}' % text.encode(), None, len(text) + 2, 34)
    return Entry(reply, keep, trio.current_time(), tags)


@attrs.define(eq=False)
class World:
    """Two nodes with one engine."""

    engine: FakeEngine
    one: SharedStore
    two: SharedStore

    def hang_up(self) -> None:
        for store in (self.one, self.two):
            for lane in (store.engine.reading.lane, store.engine.writing.lane):
                if lane._line is not None:
                    lane._line.close()

    async def settle(self) -> None:
        await trio.sleep(0.1)

    async def kept(self, kept: Entry, key: bytes = KEY) -> None:
        """One keeps it, once it knows the era, as every call does that did not find it."""
        for _ in range(2):
            assert await self.one.get(key) is None
            await self.settle()
        await self.one.put(key, kept)
        await self.settle()


def node(
    engine: FakeEngine, nursery: trio.Nursery, secret: bytes = b"s" * 32, configuration: bytes = b"c"
) -> SharedStore:
    reading, writing = Reading(engine.lane("cache_read")), Writing(engine.lane("cache_write"))
    nursery.start_soon(reading.lane.run, reading.run)
    nursery.start_soon(writing.lane.run, writing.run)
    made = Engine(Keys("lasso"), Sealer(secret), reading, writing)
    return SharedStore(8 * LARGEST, engine=made, configuration=configuration)


@asynccontextmanager
async def world(**second: bytes) -> AsyncIterator[World]:
    engine = FakeEngine()
    async with trio.open_nursery() as nursery:
        made = World(engine, node(engine, nursery), node(engine, nursery, **second))
        await made.settle()
        yield made
        nursery.cancel_scope.cancel()


async def test_what_one_node_kept_another_finds_and_keeps_itself(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("7"))
        found = await here.two.get(KEY)
        assert found is not None
        assert found.reply.splice(b"9") == b'{"jsonrpc":"2.0","id":9,"result":"7"}'
        rounds = len(here.engine.asked)
        assert await here.two.get(KEY) is not None
        assert len(here.engine.asked) == rounds
        assert (here.two.tally.hits, len(here.two)) == (1, 1)


@pytest.mark.parametrize("second", [{"secret": b"t" * 32}, {"configuration": b"d"}])
async def test_another_secret_or_other_upstreams_do_not_mix(
    second: dict[str, bytes], autojump_clock: trio.testing.MockClock
) -> None:
    async with world(**second) as here:
        await here.kept(entry("7"))
        for _ in range(3):
            assert await here.two.get(KEY) is None
            await here.settle()


async def test_a_garbled_value_is_a_miss(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("7"))
        for name in here.engine.values:
            if b":c:" in name:
                here.engine.values[name] = here.engine.values[name][:-3]
        assert await here.two.get(KEY) is None
        assert here.two.tally.foreign == 1


async def test_a_price_lives_no_longer_on_another_node(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("7"))
        until = trio.current_time() + 1
        await here.one.put(KEY, entry("8", Keep("price", until)))
        await here.settle()
        found = await here.two.get(KEY)
        assert found is not None
        assert found.keep.until is not None
        assert until - 0.01 < found.keep.until <= until
        await trio.sleep(1)
        rounds = len(here.engine.asked)
        await here.two.get(KEY)
        assert len(here.engine.asked) == rounds + 1  # the one in memory is over: maybe somebody has a newer one


async def test_a_chain_that_was_set_back_begins_anew_for_all(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("old"))
        await here.one.set_back(b"public/1")
        await here.settle()
        assert await here.two.get(KEY) is None
        await here.two.put(KEY, entry("new"))
        await here.settle()
        await here.one.put(KEY + b"x", entry("other"))
        found = await here.one.get(KEY + b"y")
        assert found is None
        here.one._entries.clear()
        found = await here.one.get(KEY)
        assert found is not None
        assert b"new" in found.reply.after


async def test_a_setback_that_the_engine_did_not_hear_of_is_told_again(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("old"))
        here.engine.unreachable = True
        here.hang_up()
        await here.one.set_back(b"public/1")
        await trio.sleep(20)
        assert here.one.engine.writing.dropped == 1
        here.engine.unreachable = False
        await trio.sleep(10)
        here.one._entries.clear()
        assert await here.one.get(KEY) is None
        await trio.sleep(10)
        assert await here.one.get(KEY) is None
        assert await here.two.get(KEY) is None


async def test_without_knowing_the_era_nothing_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.one.put(KEY, entry())
        await here.settle()
        assert here.engine.values == {}


async def test_orphaned_blocks_go_from_the_engine_and_what_held_for_a_head_stays(
    autojump_clock: trio.testing.MockClock,
) -> None:
    other = KEY + b"2"
    async with world() as here:
        await here.kept(entry("a", Keep("branch", blocks=((1, "0x1"),)), (b"block 1",)))
        await here.kept(entry("b", Keep("head", head="0x1"), (b"head 1",)), other)
        await here.one.invalidate(iter([b"block 1", b"head 1"]))
        await here.settle()
        assert len(here.one) == 0
        assert await here.two.get(KEY) is None
        assert await here.two.get(other) is not None


async def test_large_answers_stay_here(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("x" * LARGEST))
        assert not any(b":c:" in name for name in here.engine.values)


async def test_an_engine_that_is_gone_leaves_each_node_its_memory(autojump_clock: trio.testing.MockClock) -> None:
    async with world() as here:
        await here.kept(entry("7"))
        here.engine.unreachable = True
        here.hang_up()
        assert await here.one.get(KEY) is not None
        began = trio.current_time()
        assert await here.two.get(KEY) is None
        assert await here.two.get(KEY) is None
        assert trio.current_time() == began


def test_lifetimes_are_by_what_ends_them() -> None:
    made = [
        Entry(Reply(b"", b"", None, 0), keep, 0.0)
        for keep in (FINAL, Keep("branch", blocks=((1, "0x1"),)), Keep("head", head="0x1"), Keep("price", until=5.0))
    ]
    assert [lifetime_s(each, 4.0) for each in made] == [FINAL_S, YOUNG_S, HEAD_S, 1.0]
    assert lifetime_s(made[-1], 9.0) == 0.0
