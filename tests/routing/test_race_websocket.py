"""A provider's WebSocket races HTTP, and the other way round: over a real session that a keeper holds open."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.head import Head
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.websocket import ws_endpoint
from lasso_trio.upstream.ws_link import WsLink
from tests.routing.races import HEDGE, STALLING, facts, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock


async def over_websocket(nursery: trio.Nursery, it: Any, name: str, faults: Faults) -> WsLink:
    """From here on calls to `name` go over its WebSocket, and it has these `faults`."""
    candidate, provider = it[name], it.provider(name)

    async def dial() -> Dialled:
        await trio.lowlevel.checkpoint()
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(provider.handle, theirs)
        return Dialled(ours)

    version, instance = it.routed.registry.version, candidate.channel.instance_id
    channel = candidate.channel = Channel(instance, f"ws://{name}", Transport.WS, None, version, Random(1))
    endpoint = ws_endpoint(SecretUrl(f"ws://{name}/"), {})
    keeper = Keeper(channel, Head(), provider.chain.chain_id, endpoint, dial, watching=False, rng=Random(1))
    nursery.start_soon(keeper.run)
    await keeper.settled.wait()
    while not keeper.connected:
        await keeper.changed().wait()
    provider.set_faults(faults)
    assert isinstance(channel.pool, WsLink)
    return channel.pool


def who_ran(served: Any) -> list[tuple[str, str, str]]:
    return [(each.provider, each.transport, each.end) for each in served.outcome.raced]


async def test_a_websocket_wins_against_a_late_http_attempt(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": STALLING, "b": Faults()}, routing=HEDGE)
    link = await over_websocket(nursery, it, "b", slow(10))
    served = await it.serve("eth_getBlockByNumber", '["0x7",false]')
    assert facts(served) == ("b", "hedge", 0, 1, True)
    assert b'"number":"0x7"' in served.outcome.reply.splice(b"1")
    assert who_ran(served) == [("a", "http", "lost"), ("b", "ws", "won")]
    assert served.outcome.upstream_s == pytest.approx(0.06, abs=0.002)
    assert (link.busy, link.counters.late) == (0, 0)
    it.assert_nothing_leaked()


async def test_http_wins_against_a_late_websocket_whose_answer_is_then_nobodys(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": Faults(), "b": slow(10)}, routing=HEDGE)
    link = await over_websocket(nursery, it, "a", slow(500))
    served = await it.serve("eth_getBlockByNumber", '["0x7",false]')
    assert facts(served) == ("b", "hedge", 0, 1, True)
    assert who_ran(served) == [("a", "ws", "lost"), ("b", "http", "won")]
    it.assert_nothing_leaked()
    assert it.channel("a").evidence["eth_getBlockByNumber"].censored(trio.current_time()) == 1

    it.provider("a").set_faults(slow(10))
    again = await it.serve("eth_getBlockByNumber", '["0x8",false]')  # over the same socket, beside the late answer
    assert b'"number":"0x8"' in again.outcome.reply.splice(b"1")
    await trio.sleep(1)
    assert (link.counters.late, link.counters.stray) == (1, 0)


async def test_a_late_websocket_may_still_win(autojump_clock: Clock, world: Build, nursery: trio.Nursery) -> None:
    it = world({"a": Faults(), "b": STALLING}, routing=HEDGE)
    await over_websocket(nursery, it, "a", slow(80))
    served = await it.serve("eth_getBlockByNumber", '["0x7",false]')
    assert facts(served) == ("a", "static_priority", 0, 1, False)
    assert who_ran(served) == [("a", "ws", "won"), ("b", "http", "lost")]
    it.assert_nothing_leaked()


async def test_a_websocket_that_is_lost_leaves_the_race_to_http(
    autojump_clock: Clock, world: Build, nursery: trio.Nursery
) -> None:
    it = world({"a": Faults(), "b": slow(100)}, routing=HEDGE)
    await over_websocket(nursery, it, "a", Faults(latency=slow(80).latency, failures=(Failure(Kind.RESET),)))
    served = await it.serve("eth_getBlockByNumber", '["0x7",false]')
    assert who_ran(served) == [("a", "ws", "failed"), ("b", "http", "won")]
    assert served.outcome.upstream_s == pytest.approx(0.15, abs=0.002)
