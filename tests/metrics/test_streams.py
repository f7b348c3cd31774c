from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from lasso_trio.metrics import streams
from lasso_trio.metrics.streams import StreamReader
from lasso_trio.subscriptions.head_line import Gap
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.subscriptions.slices import Slices
from lasso_trio.telemetry.prometheus import Table
from tests.subscriptions.simulated import Scene


def read(reader: StreamReader) -> Table:
    table = Table()
    reader(table, 0.0)
    return table


async def test_counts_outlive_their_stream(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        reader = StreamReader(scene.hub)
        who = (scene.routed.profile.slug, scene.routed.chain.key, "newHeads")
        one, two = await scene.join(), await scene.join()
        await scene.grow(2)
        read(reader)
        await scene.grow(1)
        table = read(reader)
        events = table.value(streams.EVENTS, *who)
        assert events == next(iter(scene.hub.streams.values())).counts.events >= 3
        assert (table.value(streams.STREAMS, *who), table.value(streams.MEMBERS, *who)) == (1, 2)
        one.subscription.close()
        two.subscription.close()
        await trio.sleep(120)
        assert not scene.hub.streams
        table = read(reader)
        assert (table.value(streams.STREAMS, *who), table.value(streams.MEMBERS, *who)) == (0, 0)
        assert table.value(streams.EVENTS, *who) == events
        await scene.join()
        await scene.grow(2)
        second = next(iter(scene.hub.streams.values())).counts.events
        assert read(reader).value(streams.EVENTS, *who) == events + second


async def test_what_a_stream_counted_between_two_readings_is_not_lost_with_it(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        reader, client = StreamReader(scene.hub), await scene.join()
        read(reader)
        next(iter(scene.hub.streams.values())).announce(Gap(1, 2, 1, "backfill_failed"))
        client.subscription.close()
        await trio.sleep(120)
        assert not scene.hub.streams
        who = (scene.routed.profile.slug, scene.routed.chain.key, "newHeads")
        assert read(reader).value(streams.GAPS, *who) == 1


async def test_feeds_are_told_of_by_who_feeds_and_what(autojump_clock: MockClock) -> None:
    async with Scene.open() as scene:
        reader = StreamReader(scene.hub)
        who = (scene.routed.profile.slug, scene.routed.chain.key, "newHeads")
        await scene.join()
        assert read(reader).value(streams.FEED_LAG, *who, "a") is None
        await scene.grow(2)
        scene.sources[0].kill()
        await trio.sleep(1)
        table = read(reader)
        assert table.value(streams.FEED_ARRIVALS, *who, "a") == 2
        assert table.value(streams.FEED_LAG, *who, "b") == 0.0
        assert table.value(streams.FEED_TROUBLES, *who, "a", "broken") == 1
        assert table.value(streams.FEED_TROUBLES, *who, "b", "stall") == 0


async def test_how_long_large_crowds_wait_is_told() -> None:
    hub: Any = Hub(lambda _: None, lambda *_: (), slices=Slices())  # type: ignore[arg-type,return-value]
    hub.slices.lags.add(0.02)
    table = read(StreamReader(hub))
    told = table.value(streams.FANOUT)
    assert callable(told)
    hub.slices.lags.add(0.02)  # meanwhile: the page is of the moment it was read
    assert (sum(told().counts), told().total) == (1, 0.02)
    assert table.value(streams.FANOUT_WAITING) == 0
