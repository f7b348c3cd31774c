"""A profile's chain over simulated providers in virtual time: the pools' dials end in memory streams, and nothing
else is faked.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import CachePolicy, Capabilities, Chain, Profile, Provider, Routing, Strategy
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Faults
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.directory import store_of
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import ANYTHING, Served, Service, Wish
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import ConnectFault
from lasso_trio.upstream.http1 import Pool
from tests.routing.undialled import undialled


@attrs.define(eq=False)
class Network:
    """Where the dials go. A name in `down` refuses connections, one in `dark` never answers a dial."""

    nursery: trio.Nursery
    providers: Mapping[str, SimulatedProvider]
    down: set[str] = attrs.field(factory=set)
    dark: set[str] = attrs.field(factory=set)
    pool_options: Mapping[str, int] = attrs.field(factory=dict)

    def pool(self, endpoint: Endpoint) -> Pool:
        async def dial() -> Dialled:
            await trio.lowlevel.checkpoint()
            if endpoint.host in self.down:
                raise ConnectFault("refused")
            if endpoint.host in self.dark:
                await trio.sleep_forever()
            ours, theirs = trio.testing.memory_stream_pair()
            self.nursery.start_soon(self.providers[endpoint.host].handle, theirs)
            return Dialled(ours)

        return Pool(endpoint, dial=dial, **self.pool_options)


def told(outcome: Outcome) -> dict[str, Any]:
    """What a client with id 7 would read."""
    assert (outcome.reply is None) != (outcome.error is None)
    text = outcome.error.encode(b"7") if outcome.error is not None else outcome.reply.splice(b"7")
    answer: dict[str, Any] = json.loads(text)
    return answer


@attrs.define(eq=False)
class World:
    """`calls` counts what arrived at each provider; nothing in here is consulted by the code under test."""

    network: Network
    routed: RoutedChain
    service: Service

    def __getitem__(self, name: str) -> Candidate:
        return next(c for c in self.routed.candidates if c.provider.id == name)

    def channel(self, name: str) -> Channel:
        return self[name].channel

    def provider(self, name: str) -> SimulatedProvider:
        return self.network.providers[name]

    def request(self, method: str = "eth_gasPrice", params: str = "[]", id_: str | None = "7") -> Request:
        member = "" if id_ is None else f'"id":{id_},'
        text = f'{{"jsonrpc":"2.0",{member}"method":"{method}","params":{params}}}'
        request = decode(text.encode())
        assert isinstance(request, Request)
        return request

    async def serve(
        self,
        method: str = "eth_gasPrice",
        params: str = "[]",
        wish: Wish = ANYTHING,
        *,
        stream: bool = False,
        prefer: Candidate | None = None,
    ) -> Served:
        request, now = self.request(method, params), trio.current_time()
        return await self.service.serve(self.routed, wish, request, now, stream=stream, prefer=prefer)

    async def ask(self, method: str = "eth_gasPrice", params: str = "[]", wish: Wish = ANYTHING) -> dict[str, Any]:
        """What a client with id 7 would read."""
        return told((await self.serve(method, params, wish)).outcome)

    @property
    def asked(self) -> dict[str, int]:
        """How many calls reached each provider that was asked at all."""
        counts = {name: provider.calls.total() for name, provider in self.network.providers.items()}
        return {name: count for name, count in counts.items() if count}

    def assert_nothing_leaked(self) -> None:
        for candidate in self.routed.candidates:
            pool = candidate.channel.pool
            assert pool is not None
            assert (candidate.channel.in_flight, pool.busy, pool.waiting) == (0, 0, 0), candidate
        for provider in self.network.providers.values():
            assert not provider.crashes


Build = Callable[..., World]


@pytest.fixture
def chain_of() -> Callable[..., RoutedChain]:
    """`chain_of("a", "b", ws=["b"])`: a routed chain that nobody dials, providers in the order of their priority."""
    return undialled


@pytest.fixture
async def afterwork(nursery: trio.Nursery) -> Afterwork:
    its = Afterwork()
    await nursery.start(its.run)
    return its


@pytest.fixture
def world(nursery: trio.Nursery) -> Build:
    """`world({"a": Faults(…), "b": Faults()})`: providers in the order of their priority.

    A test must ask for `autojump_clock` itself: pytest-trio looks for a clock among a test's own arguments only.
    """
    return partial(_world, nursery)


@pytest.fixture
def in_world() -> Callable[..., None]:
    """`in_world(body, faults, …)` runs `await body(world)` in a virtual time of its own: for property tests."""

    return run_in_world


def run_in_world(body: Callable[[World], Awaitable[None]], faults: Mapping[str, Faults], **options: Any) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await body(_world(nursery, faults, **options))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def _world(
    nursery: trio.Nursery,
    faults: Mapping[str, Faults],
    *,
    strategy: Strategy = Strategy.PRIORITY,
    capabilities: Mapping[str, Capabilities] | None = None,
    routing: Routing | None = None,
    cache: CachePolicy | None = None,
    seed: int = 1,
    max_connections: int = 256,
    stream_threshold: int = 256 * 1024,
    max_response_bytes: int = 1024 * 1024,
) -> World:
    assert isinstance(trio.lowlevel.current_clock(), trio.testing.MockClock), "ask for autojump_clock"
    simulated = SimulatedChain(start_height=1000)
    upstreams = {name: SimulatedProvider.make(name, simulated, its, seed) for name, its in faults.items()}
    able = capabilities or {}
    providers = tuple(
        Provider(
            id=name,
            name=name.title(),
            instance_id=f"1:{name}:0",
            url=SecretUrl(f"http://{name}/"),
            priority=rank,
            capabilities=able.get(name, Capabilities()),
        )
        for rank, name in enumerate(faults, 1)
    )
    chain = Chain("ethereum", 1, "Ethereum", providers, routing=routing or Routing(strategy, coalesce=False))
    profile = Profile("default", "Default", (chain,), cache=cache or CachePolicy())
    options = {
        "max_connections": max_connections,
        "stream_threshold": stream_threshold,
        "max_response_bytes": max_response_bytes,
    }
    network = Network(nursery, upstreams, pool_options=options)
    registry = Registry(network.pool, Random(seed))
    registry.add([profile])
    return World(network, RoutedChain.of(profile, chain, registry, store_of(profile)), Service(Random(seed)))
