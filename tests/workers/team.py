"""A node of several workers over simulated providers, in virtual time: each worker with its registry, probers, keepers,
hub and bus, as a process has them; dials and the bus end in memory streams, and nothing else is faked.

    async with team_of(3) as team:
        client = await team[2].join('["newHeads"]')
        await team.kill(team.keeper)          # as SIGKILL
        await team.join(0)                    # as the parent starts it again
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Chain, Profile, Provider, Routing, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.instances import InstanceTasks
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.registry import Instance, Registry
from lasso_trio.reloading import Reloading
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import ANYTHING, Service
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.subscriptions.hub import Hub, make_hub
from lasso_trio.subscriptions.reader import RoutedReader
from lasso_trio.supervision import Supervisor
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import ConnectFault
from lasso_trio.upstream.http1 import Pool
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.member import Member
from tests.subscriptions.simulated import Client
from tests.workers.crew import Crew, crew_of

NAMES = ("a", "b", "c")
START = 1000
BLOCK_S = 2.0


@attrs.define(eq=False)
class Network:
    """Where all workers' dials go. `only_ws`: providers without an HTTP URL."""

    nursery: trio.Nursery
    chain: SimulatedChain
    nodes: dict[str, SimulatedProvider]
    only_ws: frozenset[str] = frozenset()
    sockets: dict[str, int] = attrs.field(factory=dict)
    """WebSocket dials, by provider."""
    down: set[str] = attrs.field(factory=set)

    async def dial(self, name: str) -> Dialled:
        await trio.lowlevel.checkpoint()
        if name in self.down:
            raise ConnectFault("refused").at(name)
        ours, theirs = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.nodes[name].handle, theirs)
        return Dialled(ours)

    async def dial_socket(self, name: str) -> Dialled:
        self.sockets[name] = self.sockets.get(name, 0) + 1
        return await self.dial(name)

    def pool(self, endpoint: Endpoint) -> Pool:
        return Pool(endpoint, dial=lambda: self.dial(endpoint.host))

    def profiles(self) -> ProfileSet:
        providers = tuple(
            Provider(
                id=name,
                name=name,
                instance_id=name,
                url=None if name in self.only_ws else SecretUrl(f"http://{name}/"),
                ws_url=SecretUrl(f"ws://{name}/"),
                priority=rank,
            )
            for rank, name in enumerate(self.nodes)
        )
        chain = Chain("test", 31337, "Test", providers, routing=Routing(Strategy.PRIORITY), block_time_ms=2000)
        return ProfileSet({"default": Profile("default", "Default", (chain,))})


@attrs.define(eq=False)
class SocketDialer:
    """In place of `upstream.dial.Dialer` in keepers."""

    endpoint: Endpoint
    network: Network

    async def dial(self) -> Dialled:
        return await self.network.dial_socket(self.endpoint.host)


@attrs.define(eq=False)
class Colleague:
    """One worker."""

    bus: Bus
    registry: Registry
    reloading: Reloading
    service: Service
    hub: Hub
    member: Member
    life: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @classmethod
    def of(cls, bus: Bus, network: Network) -> Colleague:
        registry, service, supervisor = Registry(network.pool, Random(1)), Service(Random(1)), Supervisor()
        directory = Directory.of(network.profiles(), registry)
        handler = RpcHandler(directory, service, Settings(), lambda *_: None)
        reloading = Reloading(handler, registry, InstanceTasks(supervisor))
        hub = make_hub(lambda chain: RoutedReader(service, chain), supervisor=supervisor)
        made = cls(bus, registry, reloading, service, hub, Member.of(bus, reloading, hub, trio.current_time))
        reloading.start_tasks(directory)
        return made

    async def live(self) -> None:
        with self.life:
            async with trio.open_nursery() as nursery:
                for service in (self.bus.run, self.hub.run, self.reloading.tasks.run):
                    nursery.start_soon(service)
                for shared in self.member.services().values():
                    nursery.start_soon(shared)

    @property
    def routed(self) -> RoutedChain:
        return next(iter(self.reloading.handler.directory.chains()))

    def instance(self, name: str) -> Instance:
        return self.registry.instances[name]

    def channel(self, name: str) -> Channel:
        return next(iter(self.instance(name).channels.values()))

    async def join(self, params: str) -> Client:
        client = Client()
        client.subscription = await self.hub.subscribe(self.routed, params.encode(), client)
        client.subscription.start()
        return client

    async def ask(self, method: str = "eth_blockNumber", params: str = "[]") -> bool:
        """One call. Was it answered with a result?"""
        request = decode(f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}'.encode())
        assert isinstance(request, Request)
        served = await self.service.serve(self.routed, ANYTHING, request, trio.current_time(), stream=False)
        return served.outcome.reply is not None and served.outcome.reply.error is None


@attrs.define(eq=False)
class Team:
    network: Network
    crew: Crew
    nursery: trio.Nursery
    colleagues: dict[int, Colleague] = attrs.field(factory=dict)

    def __getitem__(self, number: int) -> Colleague:
        return self.colleagues[number]

    @property
    def keeper(self) -> int:
        assert self.crew.switch.keeper is not None
        return self.crew.switch.keeper

    @property
    def followers(self) -> list[int]:
        return [number for number in sorted(self.colleagues) if number != self.keeper]

    async def join(self, number: int) -> None:
        await self.crew.join(number, run=False)

    def prepare(self, bus: Bus) -> None:
        colleague = self.colleagues[bus.worker] = Colleague.of(bus, self.network)
        self.nursery.start_soon(colleague.live)

    async def kill(self, number: int) -> None:
        """Nothing more is heard of it."""
        colleague = self.colleagues.pop(number)
        await self.crew.kill(number)
        colleague.life.cancel()
        await self.crew.settle()

    def calls(self, method: str) -> int:
        """That reached the providers."""
        return sum(node.calls[method] for node in self.network.nodes.values())

    def hashes(self, first: int) -> list[str]:
        view = self.network.chain.view(trio.current_time())
        return [block.hash for n in range(first, view.head + 1) if (block := view.block(n)) is not None]

    def logs(self, first: int) -> list[tuple[str, str]]:
        view = self.network.chain.view(trio.current_time())
        blocks = [view.block(n) for n in range(first, view.head + 1)]
        return [(log["blockHash"], log["logIndex"]) for block in blocks if block is not None for log in block.logs()]


@asynccontextmanager
async def team_of(
    count: int,
    monkeypatch: pytest.MonkeyPatch,
    *,
    only_ws: frozenset[str] = frozenset(),
    names: tuple[str, ...] = NAMES,
) -> AsyncIterator[Team]:
    """`count` workers that have been up for ten seconds and a half."""
    chain = SimulatedChain(block_time=BLOCK_S, start_height=START)
    async with trio.open_nursery() as nursery, crew_of(0) as crew:
        nodes = {name: SimulatedProvider.make(name, chain) for name in names}
        network = Network(nursery, chain, nodes, only_ws)
        monkeypatch.setattr("lasso_trio.subscriptions.keepers.Dialer", dialer_to(network))
        team = Team(network, crew, nursery)
        crew.prepare = team.prepare
        for number in range(count):
            await team.join(number)
        await trio.sleep(10.5)  # not at a block
        yield team
        nursery.cancel_scope.cancel()


def dialer_to(network: Network) -> Callable[[Endpoint], SocketDialer]:
    return lambda endpoint: SocketDialer(endpoint, network)


def wish(**members: object) -> str:
    return json.dumps(["logs", members])
