"""A chain's providers as streams see them, over the devnet's simulated chain: feeds that die, go mute, lag and lose
events, a reader that is down, and clients that check what they are told.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import attrs
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from lasso_trio.config.profile import Chain, Profile, Provider, WebSocketPolicy
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet.blocks import Block
from lasso_trio.devnet.chain import View
from lasso_trio.devnet.json_types import JsonObject
from lasso_trio.devnet.logs import LogFilter as DevnetFilter
from lasso_trio.devnet.watch import Watch
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.subscriptions.feed import Arrival, NotConnected, Refused
from lasso_trio.subscriptions.header import Header, of_block
from lasso_trio.subscriptions.hub import LINGER_S, Hub, Subscription
from lasso_trio.subscriptions.log import Log, read_all
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.wanted import LogFilter
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

POLICY: Final = WebSocketPolicy()


def header_of(block: Block) -> Header:
    return of_block(json.dumps(block.to_json(full=False)).encode())


@attrs.define(eq=False)
class SimulatedFeed:
    arrivals: trio.MemoryReceiveChannel[Arrival]
    send: trio.MemorySendChannel[Arrival]
    watch: Watch
    source: SimulatedSource
    kind: str

    async def aclose(self) -> None:
        self.source.closed += 1
        self.source.feeds.pop(self, None)
        self.send.close()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class SimulatedSource:
    """`lag` blocks behind, `mute`, or losing a share of its events."""

    instance_id: str
    chain: SimulatedChain
    connected: bool = True
    lag: int = 0
    mute: bool = False
    loss: float = 0.0
    refuses: tuple[str, ...] = ()
    refusal: Refused | None = None
    """What it says to any subscription."""
    rng: Random = attrs.field(factory=lambda: Random(7))
    feeds: dict[SimulatedFeed, None] = attrs.field(factory=dict)
    opened: list[bytes] = attrs.field(factory=list)
    closed: int = 0
    hurried: int = 0
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def hurry(self) -> None:
        self.hurried += 1

    def changed(self) -> trio.Event:
        return self._changed

    async def open(self, params: bytes) -> SimulatedFeed:
        await trio.lowlevel.checkpoint()
        if not self.connected:
            raise NotConnected("down")
        kind, *rest = json.loads(params)
        if self.refusal is not None:
            raise Refused(self.refusal.code, self.refusal.text)
        if kind in self.refuses:
            raise Refused(-32601, f"no {kind} here")
        self.opened.append(params)
        wanted = DevnetFilter.read(rest[0]) if kind == "logs" else None
        send, receive = trio.open_memory_channel[Arrival](1000)
        feed = SimulatedFeed(receive, send, Watch(self.view(), wanted), self, kind)
        self.feeds[feed] = None
        return feed

    def view(self) -> View:
        return self.chain.view(trio.current_time(), lag=self.lag)

    def push(self) -> None:
        """Tell what is new."""
        for feed in list(self.feeds):
            if feed.kind in ("newHeads", "logs"):
                for item in feed.watch.news(self.view()):
                    self._send(feed, json.dumps(item).encode())

    def tell(self, kind: str, result: bytes) -> None:
        for feed in list(self.feeds):
            if feed.kind == kind:
                self._send(feed, result)

    def _send(self, feed: SimulatedFeed, result: bytes) -> None:
        if not self.mute and not (self.loss and self.rng.random() < self.loss):
            feed.send.send_nowait(Arrival(result, trio.current_time()))

    def kill(self) -> None:
        self.connected = False
        for feed in list(self.feeds):
            feed.send.close()
        self.feeds.clear()
        self._stir()

    def revive(self) -> None:
        self.connected = True
        self._stir()

    def _stir(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@attrs.define(eq=False)
class SimulatedReader:
    """Answers from the chain as it is now, unless it is `down`; a share of its reads fail.

    The logs of `unready` blocks cannot be read, and those of `hasty` ones are told too early: none.
    """

    chain: SimulatedChain
    down: bool = False
    fails: float = 0.0
    takes_s: float = 0.0
    unready: set[int] = attrs.field(factory=set)
    hasty: set[int] = attrs.field(factory=set)
    rng: Random = attrs.field(factory=lambda: Random(11))
    reads: list[tuple[str, object]] = attrs.field(factory=list)

    async def latest(self) -> Header | None:
        view = await self._view("latest", None)
        return self._header(view.block(view.head))

    async def by_number(self, number: int) -> Header | None:
        return self._header((await self._view("by_number", number)).block(number))

    async def by_hash(self, hash_: str) -> Header | None:
        return self._header((await self._view("by_hash", hash_)).block_by_hash(hash_))

    async def logs(self, hash_: str, filter_: LogFilter) -> list[Log]:
        block = (await self._view("logs", hash_)).block_by_hash(hash_)
        if block is None or block.number in self.unready:
            raise Unreadable("unknown block")
        if block.number in self.hasty:
            return []
        wanted = DevnetFilter.read(json.loads(json.dumps(filter_.members())))
        return read_all(json.dumps(list(filter(wanted.matches, block.logs()))).encode(), hash_)

    async def _view(self, what: str, which: object) -> View:
        self.reads.append((what, which))
        await trio.sleep(self.takes_s)
        if self.down or (self.fails and self.rng.random() < self.fails):
            raise Unreadable("down")
        return self.chain.view(trio.current_time())

    def _header(self, block: Block | None) -> Header | None:
        return None if block is None else header_of(block)


def messages_of(frames: bytes) -> list[Any]:
    """What the frames say, as a client reads them."""
    events = Connection(ConnectionType.CLIENT, trailing_data=frames).events()
    return [json.loads(event.data) for event in events if isinstance(event, TextMessage)]


@attrs.define(eq=False)
class Client:
    """A socket with one subscription. Folds what it is told and checks it as it comes."""

    wants_gaps: bool = True
    results: list[Any] = attrs.field(factory=list)
    gaps: list[dict[str, str]] = attrs.field(factory=list)
    subscription: Subscription | None = None

    def send_frame(self, frame: bytes, topic: object | None) -> None:
        for message in messages_of(frame):
            told = self.gaps if message["method"] == "lasso_gap" else self.results
            told.append(message["params"]["result"])

    @property
    def numbers(self) -> list[int]:
        return [int(result["number"], 16) for result in self.results]


def fold_heads(results: Sequence[dict[str, Any]]) -> list[str]:
    """The hashes of the chain that a client believes in. Raises AssertionError for a hole or a repetition."""
    chain: list[dict[str, Any]] = []
    for header in results:
        number = int(header["number"], 16)
        while chain and int(chain[-1]["number"], 16) >= number:
            assert chain[-1]["hash"] != header["hash"], "told twice"
            chain.pop()
        assert not chain or chain[-1]["hash"] == header["parentHash"], f"a hole before {number}"
        chain.append(header)
    return [header["hash"] for header in chain]


def fold_logs(results: Sequence[dict[str, Any]], began: int = 0) -> list[tuple[str, str]]:
    """The logs above block `began` that a client believes in, in order.

    Raises AssertionError for repetitions and disorder.
    """
    held: dict[tuple[str, str], int] = {}
    for log in results:
        key, number = (log["blockHash"], log["logIndex"]), int(log["blockNumber"], 16)
        if number <= began:
            continue
        if log["removed"]:
            assert held.pop(key, None) is not None, "removed what was not told"
        else:
            assert key not in held, "told twice"
            assert not held or number >= next(reversed(held.values())), "not in block order"
            held[key] = number
    return list(held)


def routed_chain(policy: WebSocketPolicy, names: Sequence[str] = ("a", "b", "c")) -> RoutedChain:
    providers = tuple(
        Provider(id=name, name=name, instance_id=name, url=SecretUrl(f"http://{name}/"), priority=rank)
        for rank, name in enumerate(names)
    )
    chain = Chain("ethereum", 31337, "Ethereum", providers, websocket=policy, block_time_ms=2000)
    profile = Profile("default", "Default", (chain,))

    def make_pool(endpoint: Endpoint) -> Pool:
        async def dial() -> Dialled:
            raise AssertionError("nothing is dialled here")

        return Pool(endpoint, dial=dial)

    registry = Registry(make_pool)
    registry.add([profile])
    return RoutedChain.of(profile, chain, registry)


@attrs.define(eq=False)
class Scene:
    """Simulated providers, a hub over them, and clients."""

    chain: SimulatedChain
    sources: list[SimulatedSource]
    reader: SimulatedReader
    hub: Hub
    routed: RoutedChain

    @classmethod
    @asynccontextmanager
    async def open(
        cls, sources: int = 3, policy: WebSocketPolicy = POLICY, linger_s: float = LINGER_S
    ) -> AsyncIterator[Scene]:
        chain = SimulatedChain(block_time=None, start_height=1000)
        simulated = [SimulatedSource(name, chain) for name in "abcdefgh"[:sources]]
        reader = SimulatedReader(chain)
        hub = Hub(make_reader=lambda _: reader, sources=lambda _, __: simulated, linger_s=linger_s)
        async with trio.open_nursery() as nursery:
            await nursery.start(hub.run)
            yield cls(chain, simulated, reader, hub, routed_chain(policy))
            nursery.cancel_scope.cancel()

    async def join(self, params: str = '["newHeads"]', *, wants_gaps: bool = True) -> Client:
        client = Client(wants_gaps)
        client.subscription = await self.hub.subscribe(self.routed, params.encode(), client)
        client.subscription.start()
        await trio.sleep(0.05)  # for the feeds to be open
        return client

    def push(self) -> None:
        for source in self.sources:
            source.push()

    async def grow(self, blocks: int = 1, settle_s: float = 0.3) -> None:
        for _ in range(blocks):
            self.chain.advance(1)
            self.push()
            await trio.sleep(settle_s)

    async def reorg(self, depth: int, longer_by: int = 0, settle_s: float = 0.3) -> None:
        self.chain.reorg(depth, trio.current_time(), longer_by=longer_by)
        self.push()
        await trio.sleep(settle_s)

    def hashes(self, first: int) -> list[str]:
        view = self.chain.view(0.0)
        return [view.block(number).hash for number in range(first, view.head + 1)]

    def logs(self, first: int, wanted: JsonObject | None = None) -> list[tuple[str, str]]:
        view, filter_ = self.chain.view(0.0), DevnetFilter.read(wanted or {})
        return [(log["blockHash"], log["logIndex"]) for log in filter_.search(view, first, view.head)]
