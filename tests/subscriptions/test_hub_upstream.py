"""What providers see of a crowd: the hub over real keepers, with simulated nodes that count, in virtual time."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.config.profile import Transport
from lasso_trio.devnet import Chain, Provider
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import Head
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.upstream.websocket import ws_endpoint
from tests.subscriptions.simulated import POLICY, Client, SimulatedReader, routed_chain
from tests.subscriptions.upstreams import BLOCK_S, START, URL, Upstream, until_connected, wall

CROWD = 1_000
LINGER_S = 60


def keeper(upstream: Upstream) -> Keeper:
    """One that does not listen to heads for itself: they would be counted."""
    channel = Channel(upstream.node.name, "ws://node.example/***", Transport.WS, None, Version(), Random(1))
    quiet = Terms(new_heads=False)
    return Keeper(channel, Head(), 31337, ws_endpoint(URL, {}), upstream.dial, quiet, False, Random(1), wall=wall)


def open_subscriptions(upstreams: list[Upstream]) -> list[int]:
    """Of each provider that was ever asked for one."""
    calls = [upstream.node.calls for upstream in upstreams]
    return [each["eth_subscribe"] - each["eth_unsubscribe"] for each in calls if each["eth_subscribe"]]


@pytest.mark.parametrize(
    ("wish", "each"),
    [('["newHeads"]', 1), ('["logs"]', 2)],  # logs hold their chain's heads
    ids=["heads", "logs"],
)
async def test_a_thousand_equal_subscriptions_are_two_upstream_and_none_a_minute_after_they_left(
    autojump_clock: MockClock, nursery: trio.Nursery, wish: str, each: int
) -> None:
    chain = Chain(start_height=START, block_time=BLOCK_S)
    upstreams = [Upstream(nursery, Provider.make(name, chain)) for name in "abc"]
    keepers = [keeper(upstream) for upstream in upstreams]
    for kept in keepers:
        nursery.start_soon(kept.run)
        await until_connected(kept)
    hub = Hub(make_reader=lambda _: SimulatedReader(chain), sources=lambda _, __: keepers)
    await nursery.start(hub.run)
    routed, clients = routed_chain(POLICY), [Client() for _ in range(CROWD)]
    for client in clients:
        client.subscription = await hub.subscribe(routed, wish.encode(), client)
        client.subscription.start()
    await trio.sleep(3 * BLOCK_S)
    assert open_subscriptions(upstreams) == [each] * POLICY.feeds
    assert clients[0].results
    assert all(client.results == clients[0].results for client in clients)
    for client in clients:
        assert client.subscription is not None
        client.subscription.close()
    await trio.sleep(LINGER_S - 1)
    assert open_subscriptions(upstreams) == [each] * POLICY.feeds
    await trio.sleep(2)
    assert open_subscriptions(upstreams) == [0] * POLICY.feeds
