"""The contract with hypercorn 0.18: what it must do on a stream that the door hands over, over real sockets."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import h11
import pytest
import trio
import wsproto
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked
from wsproto.events import AcceptConnection, Request, TextMessage

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.hypercorn_lane import HypercornLane, lane_config
from lasso_trio.server.listener import open_listeners

CALL = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class App:
    """A small ASGI application: echoes over HTTP and WebSocket, crashes on `/crash`, answers early on `/early`."""

    def __init__(self) -> None:
        self.life: list[str] = []
        self.clients: list[Any] = []

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "websocket":
            await self.talk(receive, send)
        elif scope["path"] == "/flood":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(30_000_000)})
        elif scope["path"] == "/crash":
            raise KeyError("app")
        else:
            self.clients.append(scope["client"])
            await self.answer(scope, receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        for stage in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{stage}"
            self.life.append(stage)
            await send({"type": f"lifespan.{stage}.complete"})

    async def answer(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        body = b""
        while scope["path"] != "/early":
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        text = f"{scope['http_version']} {scope['method']} {scope['path']} ".encode() + body
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    async def talk(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"].upper()})


class House:
    def __init__(self, app: App, lane: HypercornLane, door: FrontDoor, port: int) -> None:
        self.app, self.lane, self.door, self.port = app, lane, door, port

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def still_serves(self) -> None:
        async with await self.connect() as client:
            await client.send_all(CALL)
            assert b"from the rpc lane" in await client.receive_some()
        async with await self.connect() as client:
            assert (await get(client, "/alive"))[0] == 200


@pytest.fixture
async def house(nursery: trio.Nursery) -> AsyncIterator[House]:
    async def handler(request: HttpRequest, peer: Peer) -> Answer:
        return Answer(200, body=b"from the rpc lane")

    app = App()
    lane = HypercornLane(app)
    door = FrontDoor(handler, lane.lane)
    listeners = await open_listeners("127.0.0.1", 0)
    await nursery.start(lane.run)
    await nursery.start(door.serve, listeners)
    with trio.fail_after(15):
        yield House(app, lane, door, listeners[0].port)
        await lane.close_idle()
        await door.drain(trio.current_time())


async def read_response(client: trio.SocketStream, parser: h11.Connection) -> tuple[int, bytes]:
    status, body = 0, b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await client.receive_some())
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            if parser.our_state is h11.DONE:
                parser.start_next_cycle()
            return status, body


async def read_until_closed(client: trio.SocketStream) -> None:
    with contextlib.suppress(trio.BrokenResourceError):
        while await client.receive_some():
            pass


async def get(client: trio.SocketStream, target: str, parser: h11.Connection | None = None) -> tuple[int, bytes]:
    parser = parser or h11.Connection(h11.CLIENT)
    wire = parser.send(h11.Request(method="GET", target=target, headers=[("Host", "a")]))
    await client.send_all((wire or b"") + (parser.send(h11.EndOfMessage()) or b""))
    return await read_response(client, parser)


async def test_http_1_1_is_served_and_kept_alive(house: House) -> None:
    parser = h11.Connection(h11.CLIENT)
    async with await house.connect() as client:
        for path in ("/one", "/two"):
            assert await get(client, path, parser) == (200, f"1.1 GET {path} ".encode())
        assert house.app.clients[0] == ("127.0.0.1", client.socket.getsockname()[1])


async def test_request_after_calls_on_the_same_connection_reaches_the_app(house: House) -> None:
    async with await house.connect() as client:
        await client.send_all(CALL)
        assert b"from the rpc lane" in await client.receive_some()
        assert await get(client, "/page") == (200, b"1.1 GET /page ")


async def test_post_body_in_the_same_segment_as_its_head_is_replayed(house: House) -> None:
    async with await house.connect() as client:
        await client.send_all(b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        await client.send_all(b"llo")
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method="POST", target="/api", headers=[("Host", "a"), ("Content-Length", "0")]))
        parser.send(h11.EndOfMessage())
        assert await read_response(client, parser) == (200, b"1.1 POST /api hello")


async def test_crash_of_the_app_is_a_500_for_its_request(house: House) -> None:
    async with await house.connect() as client:
        with capture_logs() as logs:
            assert (await get(client, "/crash"))[0] == 500
    assert [entry["event"] for entry in logs] == ["hypercorn.error"]
    await house.still_serves()


# HTTP/2…


class H2Client:
    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()

    def ask(self, stream_id: int, path: str, *, end: bool = True, method: str = "GET") -> None:
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "a")]
        self.h2.send_headers(stream_id, headers, end_stream=end)

    async def flush(self) -> None:
        await self.stream.send_all(self.h2.data_to_send())

    async def bodies(self, wanted: int) -> dict[int, bytes]:
        """Bodies by stream, once `wanted` streams have ended."""
        bodies: dict[int, bytes] = {}
        ended = 0
        while ended < wanted:
            for event in self.h2.receive_data(await self.stream.receive_some()):
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                ended += isinstance(event, h2.events.StreamEnded)
        return bodies


async def test_http_2_by_prior_knowledge_is_served(house: House) -> None:
    async with await house.connect() as stream:
        client = H2Client(stream)
        client.ask(1, "/a")
        client.ask(3, "/b")
        await client.flush()
        assert await client.bodies(2) == {1: b"2 GET /a ", 3: b"2 GET /b "}


async def test_data_after_the_answer_over_http_2_hurts_nobody_else(house: House) -> None:
    async with await house.connect() as stream:
        client = H2Client(stream)
        client.ask(1, "/early", end=False, method="POST")
        await client.flush()
        await client.bodies(1)
        with capture_logs():
            # Three DATA frames by hand: the library refuses to send on a stream that has ended.
            await stream.send_all(b"\x00\x00\x05\x00\x00\x00\x00\x00\x01hello" * 3)
            await read_until_closed(stream)
    await wait_all_tasks_blocked()
    assert house.door.counters.connection_crashes == 1
    await house.still_serves()


# WebSocket…

KEY = base64.b64encode(os.urandom(16))
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


async def test_websocket_upgrade_and_messages_pass(house: House) -> None:
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    texts: list[str] = []
    async with await house.connect() as stream:
        await stream.send_all(client.send(Request(host="a", target="/ws")))
        while not texts:
            client.receive_data(await stream.receive_some())
            for event in client.events():
                if isinstance(event, AcceptConnection):
                    await stream.send_all(client.send(TextMessage(data="hello")))
                elif isinstance(event, TextMessage):
                    texts.append(event.data)
    assert texts == ["HELLO"]


async def test_frame_in_the_same_segment_as_the_upgrade_hurts_nobody_else(house: House) -> None:
    with capture_logs():
        for _ in range(5):  # depending on who runs first, the app or the connection's reader fails
            async with await house.connect() as stream:
                await stream.send_all(UPGRADE + b"\x81\x85\x00\x00\x00\x00hello")
                await read_until_closed(stream)
        await house.still_serves()


# Life and death…


async def test_connection_ends_when_its_client_goes(house: House) -> None:
    parser = h11.Connection(h11.CLIENT)
    async with await house.connect() as client:
        await get(client, "/one", parser)
        await get(client, "/two", parser)
        assert house.door.active == 1
    while house.door.active:
        await trio.lowlevel.checkpoint()


async def test_client_that_takes_nothing_is_dropped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lasso_trio.server.hypercorn_lane.SEND_LIMIT", 0.05)
    async with await house.connect() as client:
        await client.send_all(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        while not house.door.active:
            await trio.lowlevel.checkpoint()
        while house.door.active:
            await trio.lowlevel.checkpoint()
    await house.still_serves()


async def test_idle_kept_connections_are_closed_when_told(house: House) -> None:
    async with await house.connect() as client:
        await get(client, "/one")
        await house.lane.close_idle()
        assert await client.receive_some() == b""


async def test_app_is_started_before_and_shut_down_when_cancelled() -> None:
    app = App()
    async with trio.open_nursery() as nursery:
        await nursery.start(HypercornLane(app).run)
        assert app.life == ["startup"]
        nursery.cancel_scope.cancel()
    assert app.life == ["startup", "shutdown"]


async def test_app_that_ends_by_itself_is_an_error() -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="ended by itself")):
        await HypercornLane(app).run()


async def test_app_that_refuses_to_start_is_an_error() -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.RaisesGroup(pytest.RaisesExc(Exception, match="no"), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            await nursery.start(HypercornLane(app).run)
            pytest.fail("it was said to have started")


async def test_app_without_lifespan_is_served_all_the_same(nursery: trio.Nursery) -> None:
    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        raise NotImplementedError

    with capture_logs():
        await nursery.start(HypercornLane(app).run)


def test_settings_differ_from_the_defaults_where_the_defaults_would_hurt() -> None:
    config = lane_config()
    assert config.read_timeout is None
    assert config.keep_alive_timeout == 75
    assert config.websocket_ping_interval == 20
