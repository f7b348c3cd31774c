"""Streams over real keepers and real routing to simulated providers, in virtual time over memory streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import attrs
import trio
import trio.testing
from trio.testing import MockClock

from lasso_trio.config.profile import Chain, Profile, Provider, Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Faults
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import Head
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Service
from lasso_trio.subscriptions.hub import Hub, make_hub
from lasso_trio.subscriptions.keeper import Keeper
from lasso_trio.subscriptions.keeper_heads import Terms
from lasso_trio.subscriptions.reader import RoutedReader
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.websocket import ws_endpoint
from tests.subscriptions.simulated import Client, fold_heads, fold_logs

NAMES = ("a", "b", "c")
START = 1000
BLOCK_S = 2.0


@attrs.define(eq=False)
class Setting:
    chain: SimulatedChain
    nodes: dict[str, SimulatedProvider]
    hub: Hub
    routed: RoutedChain

    async def join(self, params: str) -> Client:
        client = Client()
        client.subscription = await self.hub.subscribe(self.routed, params.encode(), client)
        client.subscription.start()
        return client

    def reorg(self, depth: int) -> None:
        self.chain.reorg(depth, trio.current_time())
        for node in self.nodes.values():
            node.announce_change()


@asynccontextmanager
async def setting() -> AsyncIterator[Setting]:
    chain = SimulatedChain(block_time=BLOCK_S, start_height=START)
    nodes = {name: SimulatedProvider.make(name, chain) for name in NAMES}
    async with trio.open_nursery() as nursery:

        async def dial(name: str) -> Dialled:
            await trio.lowlevel.checkpoint()
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(nodes[name].handle, theirs)
            return Dialled(ours)

        def make_pool(endpoint: Endpoint) -> Pool:
            return Pool(endpoint, dial=lambda: dial(endpoint.host))

        providers = tuple(Provider(name, name, name, SecretUrl(f"http://{name}/")) for name in NAMES)
        profile = Profile("default", "Default", (Chain("test", 31337, "Test", providers),))
        registry = Registry(make_pool)
        registry.add([profile])
        for name in NAMES:
            registry.instances[name].keeper = keeper = _keeper(name, dial)
            nursery.start_soon(keeper.run)
        routed, service = RoutedChain.of(profile, profile.chains[0], registry), Service()
        hub = make_hub(lambda chain: RoutedReader(service, chain))
        await nursery.start(hub.run)
        await trio.sleep(10)
        yield Setting(chain, nodes, hub, routed)
        nursery.cancel_scope.cancel()


def _keeper(name: str, dial: Callable[[str], Awaitable[Dialled]]) -> Keeper:
    channel = Channel(name, f"ws://{name}", Transport.WS, None, Version(), Random(1))
    endpoint = ws_endpoint(SecretUrl(f"ws://{name}/"), {})

    return Keeper(channel, Head(), 31337, endpoint, lambda: dial(name), Terms(), False, Random(1))


async def test_clients_see_the_canonical_chain_while_providers_drop_and_fall_silent(autojump_clock: MockClock) -> None:
    async with setting() as world:
        heads, logs = await world.join('["newHeads"]'), await world.join('["logs"]')
        began, rng = world.chain.height(trio.current_time()), Random(5)
        for _ in range(40):
            node = world.nodes[rng.choice(NAMES)]
            match rng.choice(["drop", "drop", "mute", "lose", "lag", "reorg", "nothing"]):
                case "drop":
                    node.drop_websockets()
                case "mute":
                    node.set_faults(Faults(ws_mute=True))
                case "lose":
                    node.set_faults(Faults(ws_loss_share=0.3))
                case "lag":
                    node.set_faults(Faults(lag=2))
                case "reorg":
                    world.reorg(rng.choice([1, 1, 5, 30]))
            await trio.sleep(rng.uniform(0.1, 6.0))
            for healed in world.nodes.values():
                if rng.random() < 0.4:
                    healed.set_faults(Faults())
        for healed in world.nodes.values():
            healed.set_faults(Faults())
        await trio.sleep(60 + BLOCK_S / 2)
        view = world.chain.view(trio.current_time())
        real = [block.hash for n in range(view.head - 60, view.head + 1) if (block := view.block(n)) is not None]
        assert fold_heads(heads.results)[-61:] == real
        told = fold_logs(logs.results, began)
        blocks = [view.block(n) for n in range(began + 1, view.head + 1)]
        expected = [
            (log["blockHash"], log["logIndex"]) for block in blocks if block is not None for log in block.logs()
        ]
        assert sorted(told) == sorted(expected)
        assert not heads.gaps
        assert not logs.gaps


async def test_a_thousand_equal_subscriptions_are_two_upstream_and_none_a_minute_after(
    autojump_clock: MockClock,
) -> None:
    async with setting() as world:
        wish = json.dumps(["logs", {"topics": []}])
        clients = [await world.join(wish) for _ in range(1000)]
        await trio.sleep(1)
        calls = sum(node.calls["eth_subscribe"] for node in world.nodes.values())
        # Two feeds of logs; heads are shared with what the keepers listen to themselves.
        assert calls <= 2 + len(NAMES)
        await trio.sleep(10)
        assert len({len(client.results) for client in clients}) == 1
        for client in clients:
            assert client.subscription is not None
            client.subscription.close()
        await trio.sleep(130)
        ended = sum(node.calls["eth_unsubscribe"] for node in world.nodes.values())
        assert ended >= 2
