"""A whole node in this process, over a devnet on loopback ports, and clients that show the bytes.

    async def test_…(start: Start) -> None:
        surface = await start(alpha=Faults(), beta=Faults(lag=3))
        answer = await surface.ask("eth_blockNumber", path="/rpc/fastest/devnet")
        assert answer.json["result"] == "0x3e8"

Sockets are real and so is the clock: nothing here may assert how long something took.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import attrs
import h11
import pytest
import trio

from lasso_trio.app import App
from lasso_trio.config.identity import instance_id
from lasso_trio.config.profile import Chain, Profile, Provider, Routing
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.devnet import Chain as SimulatedChain
from lasso_trio.devnet import Devnet, Faults

CHAIN_ID = 31337
HEAD = 1000

Fields = Mapping[str, str] | Iterable[tuple[str, str]]


@attrs.frozen
class Response:
    status: int
    fields: tuple[tuple[str, str], ...]
    """Lower-case names."""
    body: bytes

    def __getitem__(self, name: str) -> str:
        """The header called `name`. Raises KeyError; AssertionError when there are several."""
        found = self.all(name)
        if not found:
            raise KeyError(f"no {name} among {self.fields}")
        assert len(found) == 1, f"{name} is repeated"
        return found[0]

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The JSON-RPC error of an answer that is one and nothing else."""
        whole = self.json
        assert set(whole) == {"jsonrpc", "id", "error"}, whole
        assert whole["jsonrpc"] == "2.0"
        error: dict[str, Any] = whole["error"]
        return error


@attrs.define(eq=False)
class Client:
    """One HTTP/1.1 connection."""

    stream: trio.SocketStream
    connection: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))

    async def request(self, method: str, target: str, body: bytes = b"", fields: Fields = ()) -> Response:
        """Send a request in one piece and read its answer."""
        lines = list(fields.items() if isinstance(fields, Mapping) else fields)
        names = {name.lower() for name, _ in lines}
        if "host" not in names:
            lines.insert(0, ("host", "node"))
        if (body or method == "POST") and not names & {"content-length", "transfer-encoding"}:
            lines.append(("content-length", str(len(body))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
        return await self.exchange(head.encode() + body, method)

    async def exchange(self, raw: bytes, method: str = "POST") -> Response:
        """Send bytes as they are and read one answer."""
        await self.stream.send_all(raw)
        return await self.receive(method)

    async def receive(self, method: str = "POST") -> Response:
        """Read one answer. Raises h11.RemoteProtocolError when it ends before its end."""
        head, parts = await self.receive_head(method), []
        while isinstance(event := await self.event(), h11.Data):
            parts.append(bytes(event.data))
        if self.connection.their_state is h11.DONE:
            self.connection.start_next_cycle()
        fields = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
        return Response(head.status_code, fields, b"".join(parts))

    async def receive_head(self, method: str = "POST") -> h11.Response:
        self.connection.send(h11.Request(method=method, target="/", headers=[("host", "node")]))
        self.connection.send(h11.EndOfMessage())
        while not isinstance(event := await self.event(), h11.Response):
            pass
        return event

    async def event(self) -> object:
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            self.connection.receive_data(await self.stream.receive_some(65_536))
        return event

    async def is_over(self) -> bool:
        """Whether the node has closed the connection; waits until it does or says something."""
        try:
            return not await self.stream.receive_some()
        except trio.BrokenResourceError:
            return True


def rpc(method: str, *params: object, id: object = 1) -> bytes:  # noqa: A002
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": list(params)}).encode()


@attrs.define(eq=False)
class Surface:
    """A running node. Each request goes over a fresh connection unless a client is asked for."""

    app: App
    net: Devnet
    host: str
    port: int
    opened: list[trio.SocketStream] = attrs.field(factory=list)

    async def connect(self, source: str | None = None) -> Client:
        """`source`: the address to come from, any of 127.0.0.0/8."""
        stream = await trio.open_tcp_stream(self.host, self.port, local_address=source)
        self.opened.append(stream)
        return Client(stream)

    async def request(self, method: str, target: str, body: bytes = b"", fields: Fields = ()) -> Response:
        client = await self.connect()
        async with client.stream:
            return await client.request(method, target, body, fields)

    async def get(self, target: str, fields: Fields = ()) -> Response:
        return await self.request("GET", target, fields=fields)

    async def post(self, target: str, body: object, fields: Fields = ()) -> Response:
        """`body`: bytes as they are, anything else as JSON."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.request("POST", target, text, fields)

    async def ask(
        self,
        method: str,
        *params: object,
        path: str = "/rpc/devnet",
        fields: Fields = (),
        id: object = 1,  # noqa: A002
    ) -> Response:
        return await self.post(path, rpc(method, *params, id=id), fields)

    def calls(self, method: str = "eth_blockNumber") -> dict[str, int]:
        """How many calls of `method` each provider got, those without any left out."""
        return {name: n for name, provider in self.net.providers.items() if (n := provider.calls[method])}


class Start(Protocol):
    """Start a devnet with one provider per keyword, and a node in front of it.

    `upstreams`: further providers, by URL. `chain`, `profile`: what is different in the chain's or profile's value.
    """

    async def __call__(
        self,
        *,
        settings: Mapping[str, Any] = ...,
        upstreams: Mapping[str, str] = ...,
        chain: Mapping[str, Any] = ...,
        profile: Mapping[str, Any] = ...,
        extra: Iterable[Profile] = ...,
        **faults: Faults,
    ) -> Surface: ...


def provider(name: str, url: str, chain_id: int = CHAIN_ID, priority: int = 0) -> Provider:
    secret = SecretUrl(url)
    return Provider(name, name.title(), instance_id(chain_id, secret, None, {}), secret, priority=priority)


@pytest.fixture
async def start(nursery: trio.Nursery) -> AsyncIterator[Start]:
    surfaces: list[Surface] = []

    async def begin(
        *,
        settings: Mapping[str, Any] = {},
        upstreams: Mapping[str, str] = {},
        chain: Mapping[str, Any] = {},
        profile: Mapping[str, Any] = {},
        extra: Iterable[Profile] = (),
        **faults: Faults,
    ) -> Surface:
        if not faults and not upstreams:
            faults = {"alpha": Faults(), "beta": Faults()}
        net = Devnet.make(faults, chain=SimulatedChain(CHAIN_ID, None, HEAD))
        await nursery.start(net.run)
        urls = {name: net.url(name) for name in faults} | dict(upstreams)
        providers = tuple(provider(name, url, priority=10 * i) for i, (name, url) in enumerate(urls.items()))
        each = Routing(coalesce=False)  # tests count upstream calls, and ask the same again and again
        served = Chain("devnet", CHAIN_ID, "Devnet", providers, aliases=("dev", "dév net"), routing=each)
        public = Profile("public", "Public", (attrs.evolve(served, **chain),), rps_limit=100_000, burst_limit=100_000)
        solo = provider("solo", next(iter(urls.values())), 421_614)
        other = Chain("arbitrum-sepolia", 421_614, "Arbitrum Sepolia", (solo,))
        team = Profile("team", "Team", (served, other), rps_limit=100_000, burst_limit=100_000)
        profiles = ProfileSet.of([attrs.evolve(public, **profile), team, *extra])
        app = App.make(Settings(**{"port": 0, "grace_s": 5.0, "probes": False, **settings}), profiles)
        await nursery.start(app.run)
        port = int(app.addresses[0].rpartition(":")[2]) if app.addresses else 0
        surfaces.append(Surface(app, net, "127.0.0.1", port))
        return surfaces[-1]

    yield begin
    for surface in surfaces:
        for stream in surface.opened:
            await trio.aclose_forcefully(stream)
        crashes = [crash for each in surface.net.providers.values() for crash in each.crashes]
        assert crashes == []
        counters = surface.app.door.counters
        assert (counters.handler_crashes, counters.connection_crashes) == (0, 0)


@pytest.fixture
async def surface(start: Start) -> Surface:
    """The usual one: two providers, alpha and beta, that do nothing wrong."""
    return await start()


Script = Callable[[int, Any, trio.abc.Stream], Awaitable[None]]
"""Answers one request `(id, request, stream)` by writing HTTP to the stream."""


@pytest.fixture
async def scripted(nursery: trio.Nursery) -> Callable[[Script], Awaitable[str]]:
    """Serve a script as a provider; gives its URL."""

    async def serve(script: Script) -> str:
        async def handle(stream: trio.SocketStream) -> None:
            connection = h11.Connection(h11.SERVER)
            body = b""
            try:
                while True:
                    event = connection.next_event()
                    if event is h11.NEED_DATA:
                        connection.receive_data(await stream.receive_some(65_536))
                    elif isinstance(event, h11.Data):
                        body += bytes(event.data)
                    elif isinstance(event, h11.EndOfMessage):
                        request = json.loads(body)
                        await script(request["id"], request, stream)
                        connection, body = h11.Connection(h11.SERVER), b""
                    elif isinstance(event, h11.ConnectionClosed):
                        return
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                await trio.aclose_forcefully(stream)

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        return f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

    return serve


def reply(text: bytes, status: int = 200, headers: bytes = b"") -> bytes:
    """An upstream's HTTP answer."""
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n"
    return head % (status, headers, len(text)) + text


@pytest.fixture
def replying(scripted: Callable[[Script], Awaitable[str]]) -> Callable[[bytes], Awaitable[str]]:
    """Serve one fixed answer as a provider, `@` standing for the id that was sent."""

    async def serve(text: bytes) -> str:
        async def script(id_: int, _: object, stream: trio.abc.Stream) -> None:
            await stream.send_all(reply(text.replace(b"@", b"%d" % id_)))

        return await scripted(script)

    return serve
