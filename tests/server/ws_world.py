"""WebSocket clients of a door over memory streams, with a service and a hub that do as they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked
from wsproto.connection import Connection as WsProtocol
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Wish
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.ws_lane import WsLane
from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.server.ws_unary import Unary
from lasso_trio.subscriptions.fanout import Fanout, Member

PEER = Peer("203.0.113.5", 4711)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455, section 1.3."""


def _no_pool(_: object) -> Any:
    return object()


def directory(rate: int = 100_000, burst: int = 100_000, generation: int = 0, chain: str = "eth") -> Directory:
    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
    chains = (Chain(chain, 1, "Ethereum", (provider,)),)
    profiles = [
        Profile("public", "Public", chains, rps_limit=rate, burst_limit=burst),
        Profile("team", "Team", chains),
    ]
    made = Directory.of(ProfileSet.of(profiles), Registry(_no_pool))
    made.generation = generation
    return made


@attrs.define(eq=False)
class Puppet:
    """Answers with the method's name; `eth_wait` only when `gate` is open, `eth_crash` not at all."""

    asked: list[tuple[RoutedChain, Wish, Request]] = attrs.field(factory=list)
    rooms: list[Room] = attrs.field(factory=list)
    gate: trio.Event = attrs.field(factory=trio.Event)
    cancelled: int = 0
    results: dict[str, bytes] = attrs.field(factory=dict)

    async def serve(
        self, chain: RoutedChain, wish: Wish, request: Request, now: float, *, stream: bool, room: Room, **_: object
    ) -> Served:
        assert not stream
        self.asked.append((chain, wish, request))
        self.rooms.append(room)
        name = request.method.name
        await trio.lowlevel.checkpoint()
        if name == "eth_crash":
            raise ValueError("a mistake of ours")
        if name == "eth_wait":
            await self._wait()
        result = self.results.get(name, b'"%b"' % name.encode())
        reply = Reply(b'{"jsonrpc":"2.0","id":', b',"result":%b}' % result, None, len(result), result[0])
        return Served(Outcome(reply=reply), Strategy.PRIORITY)

    async def _wait(self) -> None:
        try:
            await self.gate.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise

    def choose(self, *_: object) -> None:
        return None

    def explain(self, *_: object) -> dict[str, Any]:
        return {"explained": True}


@attrs.define(eq=False)
class FakeSubscription:
    hub: FakeHub
    member: Member
    id: str
    closed: int = 0

    def start(self) -> None:
        self.hub.fanout.activate(self.member, self.id)

    def close(self) -> None:
        self.closed += 1
        self.hub.fanout.leave(self.member, self.id)


@attrs.define(eq=False)
class FakeHub:
    """One stream for everybody. `[…, "never"]` is never live, `[…, "late"]` in 5 s, `[…, "no"]` is refused."""

    fanout: Fanout = attrs.field(factory=lambda: Fanout("heads", conflate=False))
    made: list[FakeSubscription] = attrs.field(factory=list)

    async def subscribe(self, chain: RoutedChain, params: bytes, member: Member) -> FakeSubscription:
        await trio.lowlevel.checkpoint()
        if b'"never"' in params:
            await trio.sleep_forever()
        if b'"late"' in params:
            await trio.sleep(5)
        if b'"no"' in params:
            raise RpcError(-32602, "Invalid subscription parameters")
        made = FakeSubscription(self, member, self.fanout.reserve(member))
        self.made.append(made)
        return made


@attrs.define(eq=False)
class WsClient:
    """The far end of one connection; `events` were read and not looked at yet."""

    stream: trio.abc.Stream
    protocol: WsProtocol = attrs.field(factory=lambda: WsProtocol(ConnectionType.CLIENT))
    events: list[Event] = attrs.field(factory=list)
    head: str = ""
    ended: bool = False

    async def raw(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read_head(self) -> str:
        """The answer to the handshake; frames behind it are kept."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = await self.stream.receive_some(65_536)
            assert piece, data
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        if rest:
            self._take(rest)
        return self.head

    def _take(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        self.events.extend(self.protocol.events())

    async def say(self, text: str | bytes) -> None:
        event = BytesMessage(data=text) if isinstance(text, bytes) else TextMessage(data=text)
        await self.raw(self.protocol.send(event))

    async def call(self, method: str, params: str = "[]", id_: object = 1, more: str = "") -> None:
        member = "" if id_ is None else f'"id":{json.dumps(id_)},'
        await self.say(f'{{"jsonrpc":"2.0",{member}"method":"{method}","params":{params}{more}}}')

    async def ping(self, payload: bytes = b"") -> None:
        await self.raw(self.protocol.send(Ping(payload=payload)))

    async def pong(self, payload: bytes = b"") -> None:
        await self.raw(self.protocol.send(Pong(payload=payload)))

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        await self.raw(self.protocol.send(CloseConnection(code=code, reason=reason)))

    async def event(self) -> Event | None:
        """The next event; None at the end of the connection."""
        while not self.events:
            try:
                data = await self.stream.receive_some(65_536)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                self.ended = True
                return None
            self._take(bytes(data))
        return self.events.pop(0)

    async def json(self) -> Any:
        """The next message; text is put together from what the network split."""
        text = ""
        while True:
            event = await self.event()
            assert isinstance(event, TextMessage), event
            text += event.data
            if event.message_finished:
                return json.loads(text)

    async def closed(self) -> tuple[int, str] | None:
        """Code and reason of the node's close, whatever came before; None when there was none. Answers it."""
        while (event := await self.event()) is not None:
            if isinstance(event, CloseConnection):
                if self.protocol.state is ConnectionState.REMOTE_CLOSING:
                    await self.raw(self.protocol.send(event.response()))
                return event.code, event.reason or ""
        return None


@attrs.define(eq=False)
class World:
    door: FrontDoor
    lane: WsLane
    service: Puppet
    hub: FakeHub
    told: list[Any]
    nursery: trio.Nursery
    names: Directory

    def accept(self, pair: Any = memory_stream_pair) -> WsClient:
        """A connection that has not said anything."""
        theirs, ours = pair()
        self.nursery.start_soon(self.door.serve_stream, ours, PEER)
        return WsClient(theirs)

    async def connect(self, path: str = "/ws/rpc/eth", pair: Any = memory_stream_pair, **fields: str) -> WsClient:
        """A client whose handshake was good."""
        client = self.accept(pair)
        await client.raw(handshake(path, **fields))
        head = await client.read_head()
        assert head.startswith("HTTP/1.1 101 "), head
        return client

    async def refused(self, path: str, **fields: str) -> tuple[int, str, bytes]:
        """Status, head and body of the answer to a handshake that is not good."""
        client = self.accept()
        await client.raw(handshake(path, **fields))
        data = b""
        while piece := await client.stream.receive_some(65_536):
            data += piece
        await client.stream.aclose()
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head.decode().lower(), body

    async def settle(self) -> None:
        await wait_all_tasks_blocked()


def handshake(path: str = "/ws/rpc/eth", **fields: str) -> bytes:
    """`fields` replace or add header lines; an empty value leaves one out."""
    lines: Mapping[str, str] = {
        "host": "node",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY,
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


async def nobody(stream: ReplayStream, peer: Peer) -> None:
    """The lane of all other requests."""
    await stream.send_all(b"HTTP/1.1 404 Not Found\r\n\r\n")


def make_world(nursery: trio.Nursery, settings: Mapping[str, Any], names: Directory, **limits: Any) -> World:
    budget = ByteBudget()
    service, hub, told = Puppet(), FakeHub(), []
    unary = Unary(service, Settings(**settings), lambda *facts: told.append(facts), WsCounters())  # type: ignore[arg-type]
    world: World
    lane = WsLane(lambda: world.names, unary, LaneLimits(), limits=WsLimits(**limits), hub=hub, budget=budget)
    door = FrontDoor(_no_rpc, nobody, budget=budget, websockets=lane.serve)
    world = World(door, lane, service, hub, told, nursery, names)
    return world


async def _no_rpc(*_: object) -> Any:
    raise AssertionError("these are not for the rpc lane")
