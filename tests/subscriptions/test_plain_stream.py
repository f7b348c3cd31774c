from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.subscriptions.feed import Refused
from tests.subscriptions.simulated import Scene, SimulatedFeed, SimulatedSource

PENDING = '["newPendingTransactions"]'


async def test_without_websockets_nobody_offers_it(autojump_clock: MockClock) -> None:
    async with Scene.open(sources=0) as scene:
        with pytest.raises(RpcError, match="no provider with a WebSocket offers it"):
            await scene.join(PENDING)


async def test_a_client_is_told_why_nobody_takes_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        for source in scene.sources:
            source.refuses = ("newPendingTransactions",)
        with pytest.raises(RpcError, match="no newPendingTransactions here") as refused:
            await scene.join(PENDING)
        assert refused.value.code == -32602


async def test_a_client_that_comes_while_all_are_throttled_waits_and_is_not_told_that_it_asked_wrongly(
    autojump_clock: MockClock,
) -> None:
    async with Scene.open() as scene:
        for source in scene.sources:
            source.refusal = Refused(-32005, "rate limit exceeded, try again in 60s")
        with pytest.raises(RpcError, match="Failed to create subscription") as refused:
            await scene.join(PENDING)
        assert refused.value.code == -32000
        for source in scene.sources:
            source.refusal = None
        await trio.sleep(55)
        assert (await scene.join(PENDING)).results == []


@pytest.mark.parametrize("wish", [PENDING, '["syncing"]'])
async def test_who_comes_while_all_are_gone_waits_for_the_first_that_comes_back(
    autojump_clock: MockClock, nursery: trio.Nursery, wish: str
) -> None:
    async with Scene.open() as scene:
        await scene.join(wish)
        for source in scene.sources:
            source.kill()
        await trio.sleep(30)
        began = trio.current_time()

        async def mend() -> None:
            await trio.sleep(4)
            scene.sources[1].revive()

        nursery.start_soon(mend)
        await scene.join(wish)
        assert trio.current_time() - began == pytest.approx(4, abs=0.1)


@attrs.define(eq=False)
class Flashing(SimulatedSource):
    """Takes the subscription and ends it at once: nobody else has a turn between."""

    async def open(self, params: bytes) -> SimulatedFeed:
        class Feed(SimulatedFeed):
            async def aclose(self) -> None:
                self.source.closed += 1

        feed = await super().open(params)
        feed.send.close()
        return Feed(feed.arrivals, feed.send, feed.watch, feed.source, feed.kind)


@pytest.mark.parametrize("wish", [PENDING, '["syncing"]'])
async def test_who_waits_while_a_feed_comes_and_is_gone_at_once_waits_for_the_next(
    autojump_clock: MockClock, nursery: trio.Nursery, wish: str
) -> None:
    async with Scene.open(sources=0) as scene:
        scene.sources.append(Flashing("a", scene.chain))
        began = trio.current_time()

        async def mend() -> None:
            await trio.sleep(4)
            scene.sources.append(SimulatedSource("b", scene.chain))
            (stream,) = scene.hub.streams.values()
            stream.feeds.look_again()

        nursery.start_soon(mend)
        await scene.join(wish)
        assert scene.sources[0].closed
        assert trio.current_time() - began == pytest.approx(4, abs=0.1)


async def test_when_a_reload_leaves_no_source_it_is_said(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        await scene.join(PENDING)
        (stream,) = scene.hub.streams.values()
        gone: list[SimulatedSource] = list(scene.sources)
        scene.sources.clear()
        stream.feeds.look_again()
        await trio.sleep(1)
        with pytest.raises(RpcError, match="no provider with a WebSocket offers it"):
            await scene.join(PENDING)
        scene.sources.extend(gone)
        stream.feeds.look_again()
        await trio.sleep(1)
        assert (await scene.join(PENDING)).results == []
