"""How a node goes: readiness first, calls in flight to their end, the rest cut, at the latest by the grace's end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import h11
import pytest
import trio

from lasso_trio.telemetry.node import Readiness
from tests.surface.conftest import Client, Script, Start, Surface, reply, rpc
from tests.surface.http2 import Http2Client

CALL = b"POST /rpc/devnet HTTP/1.1\r\nhost: node\r\ncontent-length: %d\r\n\r\n%b"
BODY = rpc("eth_blockNumber")


@attrs.define(eq=False)
class Held:
    """An upstream that says when it was asked, and answers when it is let go."""

    asked: trio.Event = attrs.field(factory=trio.Event)
    let_go: trio.Event = attrs.field(factory=trio.Event)

    async def answer(self, id_: int, _: object, stream: trio.abc.Stream) -> None:
        self.asked.set()
        await self.let_go.wait()
        await stream.send_all(reply(b'{"jsonrpc":"2.0","id":%d,"result":"done"}' % id_))


@attrs.frozen(eq=False)
class InFlight:
    surface: Surface
    held: Held
    client: Client


@pytest.fixture
async def in_flight(
    start: Start, scripted: Callable[[Script], Awaitable[str]], request: pytest.FixtureRequest
) -> InFlight:
    """A node with one call in flight."""
    held = Held()
    settings = getattr(request, "param", {})
    surface = await start(upstreams={"held": await scripted(held.answer)}, settings=settings)
    client = await surface.connect()
    await client.stream.send_all(CALL % (len(BODY), BODY))
    await held.asked.wait()
    return InFlight(surface, held, client)


async def _until_refused(surface: Surface) -> None:
    """Until the node takes no more connections."""
    with trio.fail_after(5):
        while True:
            try:
                stream = await trio.open_tcp_stream(surface.host, surface.port)
            except OSError:
                return
            await trio.aclose_forcefully(stream)
            await trio.sleep(0.005)


async def test_a_call_in_flight_is_answered_and_its_connection_closed(in_flight: InFlight) -> None:
    app = in_flight.surface.app
    app.stop()
    await _until_refused(in_flight.surface)
    assert app.node.readiness is Readiness.DRAINING
    assert not app.stopped.is_set()
    in_flight.held.let_go.set()
    answer = await in_flight.client.receive()
    assert (answer.status, answer.json["result"], answer["connection"]) == (200, "done", "close")
    with trio.fail_after(5):
        assert await in_flight.client.is_over()
        await in_flight.client.stream.aclose()
        await app.stopped.wait()


async def test_idle_connections_are_closed_at_once(start: Start) -> None:
    surface = await start(settings={"grace_s": 30.0})
    lane, api, http2 = await surface.connect(), await surface.connect(), await surface.connect()
    await lane.request("POST", "/rpc/devnet", BODY)
    await api.request("GET", "/api/health")
    client = Http2Client(http2.stream)
    await client.begin()
    await client.request("GET", "/api/health")
    surface.app.stop()
    with trio.fail_after(10):
        assert await lane.is_over()
        assert await api.is_over()
        while await http2.stream.receive_some():
            pass  # its goodbye
        await surface.app.stopped.wait()


async def test_a_second_stop_cuts_what_is_in_flight(in_flight: InFlight) -> None:
    app = in_flight.surface.app
    app.stop()
    await _until_refused(in_flight.surface)
    app.stop()
    with trio.fail_after(5):
        await app.stopped.wait()
        assert await in_flight.client.is_over()
    app.stop()  # and a third does no harm


@pytest.mark.parametrize("in_flight", [{"grace_s": 0.05}], indirect=True)
async def test_the_graces_end_cuts_too(in_flight: InFlight) -> None:
    in_flight.surface.app.stop()
    with trio.fail_after(5):
        await in_flight.surface.app.stopped.wait()
        assert await in_flight.client.is_over()


async def test_a_large_result_in_flight_arrives_whole(
    start: Start, scripted: Callable[[Script], Awaitable[str]]
) -> None:
    half_sent, let_go = trio.Event(), trio.Event()

    async def slow(id_: int, _: object, stream: trio.abc.Stream) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"%b"}' % (id_, b"x" * 800_000)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body[:500_000]))
        half_sent.set()
        await let_go.wait()
        await stream.send_all(body[500_000:])

    surface = await start(upstreams={"slow": await scripted(slow)})
    client = await surface.connect()
    await client.stream.send_all(CALL % (len(BODY), BODY))
    await client.receive_head()
    await half_sent.wait()
    surface.app.stop()
    await _until_refused(surface)
    let_go.set()
    size = 0
    while isinstance(event := await client.event(), h11.Data):
        size += len(event.data)
    assert size > 800_000
    await client.stream.aclose()
    with trio.fail_after(5):
        await surface.app.stopped.wait()
